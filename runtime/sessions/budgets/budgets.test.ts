import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type BudgetNotice, type Budgets, fault, type NeedsYouItem } from '../../contract/index.ts';
import { context, type OpenSessions, openSessions } from '../sessions.fixture.ts';

let room: OpenSessions;

beforeEach(async () => {
  room = await openSessions();
});

afterEach(() => room.close());

const set = (budgets: Budgets) => room.budgets.set({ budgets }, context);
const tokens = (count: number) => ({ inputTokens: count, outputTokens: 0 });
const noticesOf = (type: 'budget.notice' | 'budget.exhausted') =>
  room.told.filter((event) => event.type === type).map((event) => event.data as BudgetNotice);
const waiting = async () =>
  (await room.needsYou.list({ state: 'waiting', limit: 50 })).items as [NeedsYouItem, ...NeedsYouItem[]];
const answer = (item: NeedsYouItem, optionId: string, raiseTo?: number) =>
  room.needsYou.answer(
    { id: item.id, optionId, remember: false, ...(raiseTo === undefined ? {} : { raiseTo }) },
    context,
  );

async function running(agentId = 'echo') {
  const { id, lastTurn } = await room.sessions.create({ message: 'go', agentId }, context);
  return { id, turnId: lastTurn?.id ?? '', prompt: room.lastPrompt() };
}

async function again(id: string) {
  const turn = await room.sessions.prompt({ id, message: 'again' }, context);
  return { id, turnId: turn.id, prompt: room.lastPrompt() };
}

/** One turn from beginning to end that uses so many tokens. */
async function spend(id: string, count: number) {
  const { prompt } = await again(id);
  prompt.answer({ stopReason: 'end_turn', usage: tokens(count) });
  return room.settled(id);
}

describe('what is used', () => {
  test('is counted for the day, the agent and the session, with the end of its turn', async () => {
    const { id, prompt } = await running();
    await room.clock.advance(30_000);
    prompt.answer({ stopReason: 'end_turn', usage: { inputTokens: 3, outputTokens: 4 } });
    expect(await room.settled(id)).toMatchObject({ usage: { inputTokens: 3, outputTokens: 4 } });
    await spend(id, 10);
    const other = await running('other');
    other.prompt.answer({ stopReason: 'end_turn', usage: tokens(100) });
    await room.settled(other.id);
    const state = await room.budgets.state();
    expect(state).toMatchObject({
      day: '2026-01-01',
      today: { tokens: 117, minutes: 0.5, unpriced: true },
      version: 0,
    });
    expect(state.agents).toEqual([
      { agentId: 'echo', today: { tokens: 17, money: 0, minutes: 0.5, unpriced: false } },
      { agentId: 'other', today: { tokens: 100, money: 0, minutes: 0, unpriced: true } },
    ]);
  });

  test('goes with the day in which it was used, over midnight too', async () => {
    await room.clock.advance(86_400_000 - 60_000);
    const { id, prompt } = await running();
    await room.clock.advance(30_000);
    prompt.request.onUsage(tokens(10));
    await room.clock.advance(150_000);
    expect(await room.budgets.state()).toMatchObject({
      day: '2026-01-02',
      today: { tokens: 0, minutes: expect.closeTo(2, 1) },
    });
    prompt.answer({ stopReason: 'end_turn', usage: tokens(15) });
    await room.settled(id);
    expect((await room.budgets.state()).today.tokens).toBe(5);
    const stored = await room.storage.list<{ day: string; spent: { tokens: number } }>('spending', {
      limit: 9,
    });
    expect(stored.items.map(({ value }) => [value.day, value.spent.tokens])).toEqual([
      ['2026-01-01', 10],
      ['2026-01-02', 5],
    ]);
  });

  test('stays when its session is deleted', async () => {
    const { id, prompt } = await running();
    prompt.answer({ stopReason: 'end_turn', usage: tokens(5) });
    await room.settled(id);
    await room.sessions.delete(id, context);
    const next = room.make();
    await next.budgets.reload();
    expect((await next.budgets.state()).today.tokens).toBe(5);
  });

  test('what a turn had used when the app was killed is counted, once', async () => {
    const { id, prompt } = await running();
    prompt.request.onUsage(tokens(40));
    await room.clock.advance(6000);
    for (let start = 0; start < 3; start++) {
      const next = room.make();
      await next.sessions.start();
      expect(await next.sessions.get(id)).toMatchObject({
        status: 'interrupted',
        usage: tokens(40),
        lastTurn: { state: 'interrupted', usage: tokens(40) },
      });
      expect((await next.budgets.state()).today).toMatchObject({ tokens: 40 });
      await next.sessions.stop();
    }
  });

  test('is counted once when the end of the turn was stored although the storage said no', async () => {
    const { id, prompt } = await running();
    const commit = room.storage.commit.bind(room.storage);
    vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
      await commit(operations);
      throw fault('storage.failed', 'Nobody knows.');
    });
    prompt.answer({ stopReason: 'end_turn', usage: tokens(7) });
    await vi.waitFor(() => expect(room.sessions.counts().runningTurns).toBe(0));
    await room.clock.advance(10_000);
    await spend(id, 1);
    const next = room.make();
    await next.budgets.reload();
    expect((await next.budgets.state()).today.tokens).toBe(8);
  });

  test('of many turns at once nothing is lost', async () => {
    const turns = [];
    for (let i = 0; i < 5; i++) turns.push(await running(i % 2 === 0 ? 'echo' : 'other'));
    for (const { prompt } of turns) prompt.answer({ stopReason: 'end_turn', usage: tokens(11) });
    await Promise.all(turns.map(({ id }) => room.settled(id)));
    const next = room.make();
    await next.budgets.reload();
    expect(await next.budgets.state()).toMatchObject({
      today: { tokens: 55 },
      agents: expect.arrayContaining([expect.objectContaining({ agentId: 'echo' })]),
    });
  });
});

describe('money', () => {
  test('that the agent tells of the session is counted from what it was before', async () => {
    const { id, prompt } = await running('other');
    room.agents.tell(id, { cost: { amount: 0.5, currency: 'USD' } });
    prompt.answer({ stopReason: 'end_turn', usage: tokens(5) });
    await room.settled(id);
    const second = await again(id);
    room.agents.tell(id, { cost: { amount: 0.75, currency: 'USD' } });
    second.prompt.answer({ stopReason: 'end_turn' });
    expect((await room.settled(id)).lastTurn?.usage?.cost).toEqual({
      amount: 0.25,
      currency: 'USD',
      estimated: false,
    });
    // A new process counts from nothing.
    const third = await again(id);
    room.agents.tell(id, { cost: { amount: 0.1, currency: 'USD' } });
    third.prompt.answer({ stopReason: 'end_turn' });
    await room.settled(id);
    expect((await room.budgets.state()).today.money).toBeCloseTo(0.85, 10);
    expect((await room.sessions.get(id)).usage.cost?.amount).toBeCloseTo(0.85, 10);
  });

  test('is estimated by the price of the configured model', async () => {
    room.agents.models.set('other', 'anthropic/claude-opus-5');
    const { id, prompt } = await running('other');
    prompt.answer({ stopReason: 'end_turn', usage: { inputTokens: 1_000_000, outputTokens: 100_000 } });
    expect((await room.settled(id)).lastTurn?.usage?.cost).toEqual({
      amount: 7.5,
      currency: 'USD',
      estimated: true,
    });
    expect((await room.budgets.state()).today).toMatchObject({ money: 7.5, unpriced: false });
  });

  test('is estimated by the model that the agent says it uses', async () => {
    const { id, prompt } = await running('other');
    room.agents.tell(id, {
      options: [{ id: 'm', name: 'Model', category: 'model', value: 'claude-haiku-4-5' }],
    });
    prompt.answer({ stopReason: 'end_turn', usage: tokens(1_000_000) });
    await room.settled(id);
    expect((await room.budgets.state()).today).toMatchObject({ money: 1, unpriced: false });
    const second = await again(id);
    second.prompt.answer({ stopReason: 'end_turn', usage: tokens(1_000_000) });
    await room.settled(id);
    expect((await room.budgets.state()).today).toMatchObject({ money: 2, unpriced: false });
  });

  test.each([
    ['no price is known', { usage: tokens(5) }],
    ['nothing was told', {}],
    [
      'it is another currency',
      { usage: { ...tokens(5), cost: { amount: 2, currency: 'EUR', estimated: false } } },
    ],
  ])('is said to be unknown when %s', async (_, rest) => {
    const { id, prompt } = await running('other');
    prompt.answer({ stopReason: 'end_turn', ...rest });
    await room.settled(id);
    expect((await room.budgets.state()).today).toMatchObject({ money: 0, unpriced: true });
  });
});

describe('80 %', () => {
  test('is told once, durably, also over a start', async () => {
    await set({ session: { tokens: 100 } });
    const { id, prompt } = await running();
    prompt.request.onUsage(tokens(79));
    expect(noticesOf('budget.notice')).toEqual([]);
    prompt.request.onUsage(tokens(80));
    prompt.request.onUsage(tokens(85));
    await vi.waitFor(() =>
      expect(noticesOf('budget.notice')).toEqual([
        { scope: 'session', subject: id, unit: 'tokens', used: 80, limit: 100 },
      ]),
    );
    prompt.answer({ stopReason: 'end_turn', usage: tokens(85) });
    await room.settled(id);
    await spend(id, 5);
    const next = room.make();
    await next.sessions.start();
    await next.sessions.prompt({ id, message: 'more' }, context);
    room.lastPrompt().request.onUsage(tokens(1));
    room.lastPrompt().answer({ stopReason: 'end_turn' });
    await vi.waitFor(() => expect(next.sessions.counts().runningTurns).toBe(0));
    await next.sessions.stop();
    expect(noticesOf('budget.notice')).toHaveLength(1);
    expect(room.told.find(({ type }) => type === 'budget.notice')?.sequence).toBeGreaterThan(0);
  });

  test('shows in the state', async () => {
    await set({ day: { tokens: 100 }, agent: { tokens: 50 } });
    const { id, prompt } = await running();
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
    await set(budgets);
    const { id, turnId, prompt } = await running();
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
    expect(await waiting()).toMatchObject([
      {
        kind: 'budget',
        sessionId: id,
        turnId,
        budget: { scope, unit: 'tokens', used: 100, limit: 100 },
        options: [{ id: 'raise', name: 'Raise to 200 tokens' }, { id: 'stop' }],
      },
    ]);
    expect(noticesOf('budget.exhausted')).toMatchObject([{ scope }]);
  });

  test('of minutes, without the agent saying anything', async () => {
    await set({ turn: { minutes: 2 } });
    const { id, prompt } = await running();
    await room.clock.advance(119_000);
    expect(prompt.request.signal.aborted).toBe(false);
    await room.clock.advance(2000);
    expect(prompt.request.signal.aborted).toBe(true);
    prompt.answer({ stopReason: 'cancelled' });
    expect((await room.settled(id)).lastTurn?.error?.code).toBe('budget.exhausted');
  });

  test('of the day ends every turn that runs', async () => {
    await set({ day: { tokens: 100 } });
    const one = await running('echo');
    const two = await running('other');
    one.prompt.request.onUsage(tokens(60));
    two.prompt.request.onUsage(tokens(40));
    await room.clock.advance(1000);
    for (const { prompt, id } of [one, two]) {
      expect(prompt.request.signal.aborted).toBe(true);
      prompt.answer({ stopReason: 'cancelled' });
      await room.settled(id);
    }
    const items = await waiting();
    expect(items).toHaveLength(2);
    // Raised once, neither asks any more.
    await answer(items[0], 'raise', 1000);
    expect(await waiting()).toEqual([]);
    for (const { id } of [one, two]) {
      expect(await room.sessions.get(id)).toMatchObject({ status: 'idle', waitingForYou: 0 });
    }
  });

  test('raised: the prompt can be sent again, once, and the new limit holds', async () => {
    await set({ session: { tokens: 100 } });
    const { id, turnId, prompt } = await running();
    prompt.request.onUsage(tokens(100));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    await expect(room.sessions.resend({ id, turnId }, context)).rejects.toMatchObject({
      code: 'budget.exhausted',
    });
    const [item] = await waiting();
    await expect(answer(item, 'raise', 99)).rejects.toMatchObject({ code: 'request.invalid' });
    await answer(item, 'raise', 150);
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
    const other = await running();
    other.prompt.request.onUsage(tokens(100));
    expect(other.prompt.request.signal.aborted, 'another session was not raised').toBe(true);
  });

  test('a limit of the day that was raised is back the day after', async () => {
    await set({ day: { tokens: 100 } });
    const { id, prompt } = await running();
    prompt.request.onUsage(tokens(100));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    const [item] = await waiting();
    await answer(item, 'raise');
    expect((await room.budgets.state()).raised).toMatchObject([
      { scope: 'day', subject: '2026-01-01', limit: 200, until: Date.UTC(2026, 0, 2) },
    ]);
    const next = room.make();
    await next.budgets.reload();
    expect((await next.budgets.state()).raised).toHaveLength(1);
    await room.clock.advance(86_400_000);
    expect((await room.budgets.state()).raised).toEqual([]);
    const tomorrow = await again(id);
    tomorrow.prompt.request.onUsage(tokens(100));
    expect(tomorrow.prompt.request.signal.aborted).toBe(true);
  });

  test('stopped: the turn stays cancelled, and prompts are refused for as long', async () => {
    await set({ agent: { tokens: 100 } });
    const { id, prompt } = await running();
    prompt.request.onUsage(tokens(100));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    const [item] = await waiting();
    await answer(item, 'stop');
    expect(await room.sessions.get(id)).toMatchObject({ status: 'idle' });
    const refused = {
      code: 'budget.exhausted',
      data: { scope: 'agent', used: 100, limit: 100, freesAt: Date.UTC(2026, 0, 2) },
    };
    await expect(room.sessions.prompt({ id, message: 'x' }, context)).rejects.toMatchObject(refused);
    await expect(room.sessions.create({ message: 'x' }, context)).rejects.toMatchObject(refused);
    expect((await room.sessions.get(id)).turns).toHaveLength(1);
    await running('other');
    await room.clock.advance(86_400_000);
    await again(id);
  });

  test('of a turn that was over before: it stays completed, and the session asks', async () => {
    await set({ session: { tokens: 10 } });
    const { id, prompt } = await running();
    prompt.answer({ stopReason: 'end_turn', usage: tokens(12) });
    expect(await room.settled(id)).toMatchObject({
      status: 'needs-you',
      lastTurn: { state: 'completed', usage: tokens(12) },
    });
    await expect(room.sessions.prompt({ id, message: 'x' }, context)).rejects.toMatchObject({
      code: 'budget.exhausted',
    });
    const [item] = await waiting();
    await answer(item, 'raise');
    await again(id);
  });

  test('of the turn: the next prompt withdraws the question', async () => {
    await set({ turn: { tokens: 10 } });
    const { id, prompt } = await running();
    prompt.request.onUsage(tokens(10));
    prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    const [item] = await waiting();
    await again(id);
    expect(await room.needsYou.get(item.id)).toMatchObject({ state: 'withdrawn' });
    expect(await room.sessions.get(id)).toMatchObject({ status: 'busy', waitingForYou: 0 });
  });

  test('after a kill the question is withdrawn, and nothing needs you', async () => {
    await set({ session: { tokens: 10 } });
    const { id, prompt } = await running();
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
    await set({ turn: { tokens: 10, minutes: 1 } });
    room.agents.limits.set('other', { turn: { tokens: 100 } });
    const { prompt } = await running('other');
    prompt.request.onUsage(tokens(50));
    expect(prompt.request.signal.aborted).toBe(false);
    await room.clock.advance(61_000);
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
