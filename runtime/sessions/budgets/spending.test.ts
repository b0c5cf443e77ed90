import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fault } from '../../contract/index.ts';
import { context, eventually } from '../sessions.fixture.ts';
import { openBudgetRoom, tokens } from './budget-room.fixture.ts';

let room: Awaited<ReturnType<typeof openBudgetRoom>>;

beforeEach(async () => {
  room = await openBudgetRoom();
});

afterEach(() => room.close());

describe('what is used', () => {
  test('is counted for the day, the agent and the session, with the end of its turn', async () => {
    const { id, prompt } = await room.running();
    await room.clock.advance(30_000);
    prompt.answer({ stopReason: 'end_turn', usage: { inputTokens: 3, outputTokens: 4 } });
    expect(await room.settled(id)).toMatchObject({ usage: { inputTokens: 3, outputTokens: 4 } });
    await room.spend(id, 10);
    const other = await room.running('other');
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
    const { id, prompt } = await room.running();
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

  test('does not hold up the end of its turn while the storage is away, and is written once it is back', async () => {
    const { id, prompt } = await room.running();
    const commit = room.storage.commit.bind(room.storage);
    const away = vi.spyOn(room.storage, 'commit').mockImplementation(async (operations, commitId) => {
      const isKnown = operations.every((one) => one.kind !== 'put' || one.collection !== 'spending');
      if (!isKnown) throw fault('storage.not_known_now', 'Which version there is, is not known.');
      return commit(operations, commitId);
    });
    prompt.answer({ stopReason: 'end_turn', usage: tokens(5) });
    expect(await room.settled(id)).toMatchObject({ status: 'idle', usage: { inputTokens: 5 } });
    expect((await room.budgets.state()).today.tokens).toBe(5);
    away.mockRestore();
    await room.running('other').then(async (other) => {
      other.prompt.answer({ stopReason: 'end_turn' });
      await room.settled(other.id);
    });
    const stored = await room.storage.list<{ sessionId: string; spent: { tokens: number } }>('spending', {
      limit: 9,
    });
    expect(stored.items.find(({ value }) => value.sessionId === id)?.value.spent.tokens).toBe(5);
  });

  test('stays when its session is deleted', async () => {
    const { id, prompt } = await room.running();
    prompt.answer({ stopReason: 'end_turn', usage: tokens(5) });
    await room.settled(id);
    await room.sessions.delete(id, context);
    const next = room.make();
    await next.budgets.reload();
    expect((await next.budgets.state()).today.tokens).toBe(5);
  });

  test('what a turn had used when the app was killed is counted, once', async () => {
    const { id, prompt } = await room.running();
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
    const { id, prompt } = await room.running();
    const commit = room.storage.commit.bind(room.storage);
    vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
      await commit(operations);
      throw fault('storage.failed', 'Nobody knows.');
    });
    prompt.answer({ stopReason: 'end_turn', usage: tokens(7) });
    await eventually(() => expect(room.sessions.counts().runningTurns).toBe(0));
    await room.clock.advance(10_000);
    await room.spend(id, 1);
    const next = room.make();
    await next.budgets.reload();
    expect((await next.budgets.state()).today.tokens).toBe(8);
  });

  test('is what the end says, also when a slow commit of before comes to its end after it', async () => {
    const { id, prompt } = await room.running();
    prompt.request.onUsage(tokens(10));
    const commit = room.storage.commit.bind(room.storage);
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
      reached.resolve();
      await gate.promise;
      return commit(operations);
    });
    await room.clock.advance(6000);
    await reached.promise;
    prompt.answer({ stopReason: 'end_turn', usage: tokens(25) });
    // Time for the end to overtake it, if it can.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    gate.resolve();
    await room.settled(id);
    const next = room.make();
    await next.budgets.reload();
    expect((await next.budgets.state()).today.tokens).toBe(25);
  });

  test('of many turns at once nothing is lost', async () => {
    const turns = [];
    for (let i = 0; i < 5; i++) turns.push(await room.running(i % 2 === 0 ? 'echo' : 'other'));
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
    const { id, prompt } = await room.running('other');
    room.agents.tell(id, { cost: { amount: 0.5, currency: 'USD' } });
    prompt.answer({ stopReason: 'end_turn', usage: tokens(5) });
    await room.settled(id);
    const second = await room.again(id);
    room.agents.tell(id, { cost: { amount: 0.75, currency: 'USD' } });
    second.prompt.answer({ stopReason: 'end_turn' });
    expect((await room.settled(id)).lastTurn?.usage?.cost).toEqual({
      amount: 0.25,
      currency: 'USD',
      estimated: false,
    });
    // A new process counts from nothing.
    const third = await room.again(id);
    room.agents.tell(id, { cost: { amount: 0.1, currency: 'USD' } });
    third.prompt.answer({ stopReason: 'end_turn' });
    await room.settled(id);
    expect((await room.budgets.state()).today.money).toBeCloseTo(0.85, 10);
    expect((await room.sessions.get(id)).usage.cost?.amount).toBeCloseTo(0.85, 10);
  });

  test('of a session that was opened again is counted as far as that is certain, over a start, too', async () => {
    const { id, prompt } = await room.running('other');
    room.agents.tell(id, { cost: { amount: 0.5, currency: 'USD' } });
    prompt.answer({ stopReason: 'end_turn' });
    await room.settled(id);
    // Resumed, and ended before anything was told.
    room.agents.knownBy = 'resumed';
    const second = await room.again(id);
    second.prompt.answer({ stopReason: 'cancelled' });
    await room.settled(id);
    const today = (await room.budgets.state()).today.money;
    expect(today).toBe(0.5);

    const next = room.make();
    await next.sessions.start();
    room.agents.knownBy = 'kept';
    await next.sessions.prompt({ id, message: 'more' }, context);
    room.agents.tell(id, { cost: { amount: 0.75, currency: 'USD' } });
    room.lastPrompt().answer({ stopReason: 'end_turn' });
    const third = await room.settled(id);
    expect(third.lastTurn?.usage?.cost).toEqual({ amount: 0.25, currency: 'USD', estimated: true });
    expect((await next.budgets.state()).today).toMatchObject({ money: 0.75, unpriced: true });

    room.agents.knownBy = 'primed';
    await next.sessions.prompt({ id, message: 'more' }, context);
    room.agents.tell(id, { cost: { amount: 2, currency: 'USD' } });
    room.lastPrompt().answer({ stopReason: 'end_turn' });
    const fourth = await room.settled(id);
    expect(fourth.lastTurn?.usage?.cost).toEqual({ amount: 2, currency: 'USD', estimated: false });
    expect((await next.budgets.state()).today.money).toBe(2.75);
    await next.sessions.stop();
  });

  test('is estimated by the price of the configured model', async () => {
    room.agents.models.set('other', 'anthropic/claude-opus-5');
    const { id, prompt } = await room.running('other');
    prompt.answer({ stopReason: 'end_turn', usage: { inputTokens: 1_000_000, outputTokens: 100_000 } });
    expect((await room.settled(id)).lastTurn?.usage?.cost).toEqual({
      amount: 7.5,
      currency: 'USD',
      estimated: true,
    });
    expect((await room.budgets.state()).today).toMatchObject({ money: 7.5, unpriced: false });
  });

  test('is estimated by the model that the agent says it uses', async () => {
    const { id, prompt } = await room.running('other');
    room.agents.tell(id, {
      options: [{ id: 'm', name: 'Model', category: 'model', value: 'claude-haiku-4-5' }],
    });
    prompt.answer({ stopReason: 'end_turn', usage: tokens(1_000_000) });
    await room.settled(id);
    expect((await room.budgets.state()).today).toMatchObject({ money: 1, unpriced: false });
    const second = await room.again(id);
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
    const { id, prompt } = await room.running('other');
    prompt.answer({ stopReason: 'end_turn', ...rest });
    await room.settled(id);
    expect((await room.budgets.state()).today).toMatchObject({ money: 0, unpriced: true });
  });
});
