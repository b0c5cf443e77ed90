import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Budgets } from '../../contract/index.ts';
import { context, eventually } from '../sessions.fixture.ts';
import { openBudgetRoom, tokens } from './budget-room.fixture.ts';

let room: Awaited<ReturnType<typeof openBudgetRoom>>;

beforeEach(async () => {
  room = await openBudgetRoom();
});

afterEach(() => room.close());

describe('80 %', () => {
  test('is told once, durably, also over a start', async () => {
    await room.set({ session: { tokens: 100 } });
    const { id, prompt } = await room.running();
    prompt.request.onUsage(tokens(79));
    expect(room.noticesOf('budget.notice')).toEqual([]);
    prompt.request.onUsage(tokens(80));
    prompt.request.onUsage(tokens(85));
    await eventually(() =>
      expect(room.noticesOf('budget.notice')).toEqual([
        { scope: 'session', subject: id, unit: 'tokens', used: 80, limit: 100 },
      ]),
    );
    prompt.answer({ stopReason: 'end_turn', usage: tokens(85) });
    await room.settled(id);
    await room.spend(id, 5);
    const next = room.make();
    await next.sessions.start();
    await next.sessions.prompt({ id, message: 'more' }, context);
    room.lastPrompt().request.onUsage(tokens(1));
    room.lastPrompt().answer({ stopReason: 'end_turn' });
    await eventually(() => expect(next.sessions.counts().runningTurns).toBe(0));
    await next.sessions.stop();
    expect(room.noticesOf('budget.notice')).toHaveLength(1);
    expect(room.told.find(({ type }) => type === 'budget.notice')?.sequence).toBeGreaterThan(0);
  });

  test('shows in the state', async () => {
    await room.set({ day: { tokens: 100 }, agent: { tokens: 50 } });
    const { id, prompt } = await room.running();
    prompt.answer({ stopReason: 'end_turn', usage: tokens(45) });
    await room.settled(id);
    expect((await room.budgets.state()).notices).toEqual([
      { scope: 'agent', subject: 'echo', unit: 'tokens', used: 45, limit: 50 },
    ]);
  });
});

describe('100 %', () => {
  test.each([
    ['turn', { turn: { tokens: 100 } }],
    ['session', { session: { tokens: 100 } }],
    ['agent', { agent: { tokens: 100 } }],
    ['day', { day: { tokens: 100 } }],
  ] as [string, Budgets][])('of the %s ends the turn and asks', async (scope, budgets) => {
    await room.set(budgets);
    const { id, turnId, prompt } = await room.running();
    prompt.request.onUpdate({ kind: 'text', text: 'half' });
    prompt.request.onUsage(tokens(100));
    expect(prompt.request.signal.aborted).toBe(true);
    prompt.answer({ stopReason: 'cancelled', usage: tokens(101) });
    const session = await room.settled(id);
    expect(session).toMatchObject({
      status: 'needs-you',
      waitingForYou: 1,
      lastTurn: { state: 'cancelled', error: { code: 'budget.exhausted' }, usage: tokens(101) },
    });
    expect(session.messages.at(-1)?.text).toBe('half');
    expect(await room.waiting()).toMatchObject([
      {
        kind: 'budget',
        sessionId: id,
        turnId,
        budget: { scope, unit: 'tokens', used: 100, limit: 100 },
        options: [{ id: 'raise', name: 'Raise to 200 tokens' }, { id: 'stop' }],
      },
    ]);
    expect(room.noticesOf('budget.exhausted')).toMatchObject([{ scope }]);
  });

  test('of minutes, without the agent saying anything', async () => {
    await room.set({ turn: { minutes: 2 } });
    const { id, prompt } = await room.running();
    await room.clock.advance(119_000);
    expect(prompt.request.signal.aborted).toBe(false);
    await room.clock.advance(2000);
    expect(prompt.request.signal.aborted).toBe(true);
    prompt.answer({ stopReason: 'cancelled' });
    expect((await room.settled(id)).lastTurn?.error?.code).toBe('budget.exhausted');
  });

  test('of the day ends every turn that runs', async () => {
    await room.set({ day: { tokens: 100 } });
    const one = await room.running('echo');
    const two = await room.running('other');
    one.prompt.request.onUsage(tokens(60));
    two.prompt.request.onUsage(tokens(40));
    await room.clock.advance(1000);
    for (const { prompt, id } of [one, two]) {
      expect(prompt.request.signal.aborted).toBe(true);
      prompt.answer({ stopReason: 'cancelled' });
      await room.settled(id);
    }
    const items = await room.waiting();
    expect(items).toHaveLength(2);
    // Raised once, neither asks any more.
    await room.answer(items[0], 'raise', 1000);
    expect(await room.waiting()).toEqual([]);
    for (const { id } of [one, two]) {
      expect(await room.sessions.get(id)).toMatchObject({ status: 'idle', waitingForYou: 0 });
    }
  });

  test('raised: the prompt can be sent again, once, and the new limit holds', async () => {
    await room.set({ session: { tokens: 100 } });
    const { id, turnId, prompt } = await room.running();
    prompt.request.onUsage(tokens(100));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    await expect(room.sessions.resend({ id, turnId }, context)).rejects.toMatchObject({
      code: 'budget.exhausted',
    });
    const [item] = await room.waiting();
    await expect(room.answer(item, 'raise', 99)).rejects.toMatchObject({ code: 'request.invalid' });
    const answered = await room.answer(item, 'raise', 150);
    expect(answered.answer, 'what to is kept with the answer').toMatchObject({ raiseTo: 150 });
    expect(await room.sessions.get(id)).toMatchObject({ status: 'idle', waitingForYou: 0 });
    const turn = await room.sessions.resend({ id, turnId }, context);
    expect(turn).toMatchObject({ state: 'running', resentFrom: turnId });
    expect(room.lastPrompt().request.text).toBe('go');
    room.lastPrompt().request.onUsage(tokens(49));
    expect(room.lastPrompt().request.signal.aborted).toBe(false);
    room.lastPrompt().request.onUsage(tokens(50));
    expect(room.lastPrompt().request.signal.aborted).toBe(true);
    room.lastPrompt().answer({ stopReason: 'cancelled' });
    await room.settled(id);
    const other = await room.running();
    other.prompt.request.onUsage(tokens(100));
    expect(other.prompt.request.signal.aborted, 'another session was not raised').toBe(true);
  });

  test('a limit of the day that was raised is back the day after', async () => {
    await room.set({ day: { tokens: 100 } });
    const { id, prompt } = await room.running();
    prompt.request.onUsage(tokens(100));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    const [item] = await room.waiting();
    expect((await room.answer(item, 'raise')).answer).toMatchObject({ raiseTo: 200 });
    expect((await room.budgets.state()).raised).toMatchObject([
      { scope: 'day', subject: '2026-01-01', limit: 200, until: Date.UTC(2026, 0, 2) },
    ]);
    const next = room.make();
    await next.budgets.reload();
    expect((await next.budgets.state()).raised).toHaveLength(1);
    await room.clock.advance(86_400_000);
    expect((await room.budgets.state()).raised).toEqual([]);
    const tomorrow = await room.again(id);
    tomorrow.prompt.request.onUsage(tokens(100));
    expect(tomorrow.prompt.request.signal.aborted).toBe(true);
  });

  test('a limit of an agent that was raised is back the day after', async () => {
    await room.set({ agent: { tokens: 100 } });
    const { id, prompt } = await room.running();
    prompt.request.onUsage(tokens(100));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    expect(room.agents.waiting.get('echo') ?? 0, 'no turn is held up by it').toBe(0);
    const [item] = await room.waiting();
    await room.answer(item, 'raise');
    const today = await room.again(id);
    today.prompt.request.onUsage(tokens(99));
    expect(today.prompt.request.signal.aborted).toBe(false);
    today.prompt.answer({ stopReason: 'end_turn', usage: tokens(99) });
    await room.settled(id);
    await room.clock.advance(86_400_000);
    const tomorrow = await room.again(id);
    tomorrow.prompt.request.onUsage(tokens(100));
    expect(tomorrow.prompt.request.signal.aborted).toBe(true);
  });

  test('stopped: the turn stays cancelled, and prompts are refused for as long', async () => {
    await room.set({ agent: { tokens: 100 } });
    const { id, prompt } = await room.running();
    prompt.request.onUsage(tokens(100));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    const [item] = await room.waiting();
    await room.answer(item, 'stop');
    expect(await room.sessions.get(id)).toMatchObject({ status: 'idle' });
    const refused = {
      code: 'budget.exhausted',
      data: { scope: 'agent', used: 100, limit: 100, freesAt: Date.UTC(2026, 0, 2) },
    };
    await expect(room.sessions.prompt({ id, message: 'x' }, context)).rejects.toMatchObject(refused);
    await expect(room.sessions.create({ message: 'x' }, context)).rejects.toMatchObject(refused);
    expect((await room.sessions.get(id)).turns).toHaveLength(1);
    const other = await room.running('other');
    other.prompt.answer({ stopReason: 'end_turn' });
    await room.settled(other.id);
    await room.clock.advance(86_400_000);
    await room.again(id);
  });

  test('of a turn that was over before: it stays completed, and the session asks', async () => {
    await room.set({ session: { tokens: 10 } });
    const { id, prompt } = await room.running();
    prompt.answer({ stopReason: 'end_turn', usage: tokens(12) });
    expect(await room.settled(id)).toMatchObject({
      status: 'needs-you',
      lastTurn: { state: 'completed', usage: tokens(12) },
    });
    await expect(room.sessions.prompt({ id, message: 'x' }, context)).rejects.toMatchObject({
      code: 'budget.exhausted',
    });
    const [item] = await room.waiting();
    await room.answer(item, 'raise');
    await room.again(id);
  });

  test('of the turn: the next prompt withdraws the question', async () => {
    await room.set({ turn: { tokens: 10 } });
    const { id, prompt } = await room.running();
    prompt.request.onUsage(tokens(10));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    const [item] = await room.waiting();
    await room.again(id);
    expect(await room.needsYou.get(item.id)).toMatchObject({ state: 'withdrawn' });
    expect(await room.sessions.get(id)).toMatchObject({ status: 'busy', waitingForYou: 0 });
  });

  test('archiving the session withdraws the question', async () => {
    await room.set({ session: { tokens: 10 } });
    const { id, prompt } = await room.running();
    prompt.request.onUsage(tokens(10));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    const [item] = await room.waiting();
    expect(await room.sessions.update({ id, archived: true }, context)).toMatchObject({
      state: 'archived',
      status: 'idle',
      waitingForYou: 0,
    });
    expect(await room.needsYou.get(item.id)).toMatchObject({ state: 'withdrawn' });
  });

  test('after a kill the question is withdrawn, and nothing needs you', async () => {
    await room.set({ session: { tokens: 10 } });
    const { id, prompt } = await room.running();
    prompt.request.onUsage(tokens(10));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    const next = room.make();
    await next.sessions.start();
    expect(await next.sessions.get(id)).toMatchObject({ status: 'idle', waitingForYou: 0 });
    expect((await next.needsYou.list({ state: 'waiting', limit: 50 })).items).toEqual([]);
    await next.sessions.stop();
  });
});

describe('limits', () => {
  test("an agent's own win over the general ones, unit by unit", async () => {
    await room.set({ turn: { tokens: 10, minutes: 1 } });
    room.agents.limits.set('other', { turn: { tokens: 100 } });
    const { prompt } = await room.running('other');
    prompt.request.onUsage(tokens(50));
    expect(prompt.request.signal.aborted).toBe(false);
    await room.clock.advance(61_000);
    expect(prompt.request.signal.aborted).toBe(true);
  });

  test('that are set below what a running turn has used end it', async () => {
    const { prompt } = await room.running();
    prompt.request.onUsage(tokens(50));
    await room.set({ turn: { tokens: 40 } });
    await room.clock.advance(1000);
    expect(prompt.request.signal.aborted).toBe(true);
  });

  test('set on top of an old version are refused', async () => {
    expect(
      await room.budgets.set({ budgets: { day: { tokens: 5 } }, expectedVersion: 0 }, context),
    ).toMatchObject({
      version: 1,
      budgets: { day: { tokens: 5 } },
    });
    await expect(room.budgets.set({ budgets: {}, expectedVersion: 0 }, context)).rejects.toMatchObject({
      code: 'storage.version_conflict',
      data: { expected: 0, current: 1 },
    });
    expect(room.told.filter(({ type }) => type === 'budget.changed')).toHaveLength(1);
    const next = room.make();
    await next.budgets.reload();
    expect(await next.budgets.state()).toMatchObject({ version: 1, budgets: { day: { tokens: 5 } } });
  });
});
