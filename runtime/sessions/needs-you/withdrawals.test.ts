import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fault } from '../../contract/index.ts';
import { context, eventually } from '../sessions.fixture.ts';
import { type AskingRoom, openAskingRoom } from './asking-room.fixture.ts';

type Turn = Awaited<ReturnType<AskingRoom['running']>>;

let room: AskingRoom;

beforeEach(async () => {
  room = await openAskingRoom();
});

afterEach(() => room.close());

describe('withdrawn', () => {
  test.each([
    ['the turn ends', async (turn: Turn) => turn.prompt.answer({ stopReason: 'end_turn' })],
    ['the process dies', async (turn) => turn.prompt.fail(fault('agent.crashed', 'It is gone.'))],
    [
      'the turn is cancelled',
      async (turn) => {
        const cancelled = room.sessions.cancel(turn.id, context);
        turn.prompt.answer({ stopReason: 'cancelled' });
        await cancelled;
      },
    ],
  ] as [string, (turn: Turn) => Promise<void>][])(
    'when %s, and a late answer is told so',
    async (_, happen) => {
      const turn = await room.running();
      const asked = turn.ask();
      const [item] = await room.waiting(1);
      await happen(turn);
      expect(await asked).toBeUndefined();
      expect(await room.settled(turn.id)).toMatchObject({ waitingForYou: 0 });
      expect(await room.needsYou.get(item.id)).toMatchObject({
        state: 'withdrawn',
        withdrawnBecause: expect.stringContaining('turn'),
      });
      await expect(room.answer(item.id, 'yes')).rejects.toMatchObject({ code: 'needs_you.withdrawn' });
      expect(room.agents.waiting.get('echo')).toBe(0);
    },
  );

  test('when the agent stops waiting, while the turn goes on', async () => {
    const { id, ask, abort } = await room.running();
    const asked = ask();
    const [item] = await room.waiting(1);
    abort.abort();
    expect(await asked).toBeUndefined();
    await eventually(async () =>
      expect(await room.sessions.get(id)).toMatchObject({ status: 'busy', waitingForYou: 0 }),
    );
    await expect(room.answer(item.id, 'yes')).rejects.toMatchObject({ code: 'needs_you.withdrawn' });
  });

  test('when the user cancels, before the agent has confirmed it', async () => {
    const { id, ask, prompt } = await room.running();
    const asked = ask();
    const [item] = await room.waiting(1);
    const cancelled = room.sessions.cancel(id, context);
    expect(await asked).toBeUndefined();
    await eventually(async () =>
      expect(await room.needsYou.get(item.id)).toMatchObject({
        state: 'withdrawn',
        withdrawnBecause: 'the turn was cancelled',
      }),
    );
    prompt.answer({ stopReason: 'cancelled' });
    await cancelled;
  });

  test('an answer that the end of the turn overtakes is told so, and the agent never has it', async () => {
    const { id, ask, abort } = await room.running();
    const asked = ask();
    const [item] = await room.waiting(1);
    const commit = room.storage.commit.bind(room.storage);
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
      reached.resolve();
      await gate.promise;
      return commit(operations);
    });
    const answering = room.answer(item.id, 'yes');
    await reached.promise;
    abort.abort();
    gate.resolve();
    await expect(answering).rejects.toMatchObject({ code: 'needs_you.withdrawn' });
    expect(await asked).toBeUndefined();
    expect(await room.needsYou.get(item.id)).toMatchObject({ state: 'withdrawn' });
    expect(await room.sessions.get(id)).toMatchObject({ status: 'busy', waitingForYou: 0 });
  });

  test('when the app was killed: nothing waits and nothing runs after the next start', async () => {
    const { id, ask } = await room.running();
    void ask();
    const [item] = await room.waiting(1);
    const next = room.make();
    await next.sessions.start();
    expect(await next.sessions.get(id)).toMatchObject({ status: 'interrupted', waitingForYou: 0 });
    expect(await next.needsYou.get(item.id)).toMatchObject({ state: 'withdrawn' });
    await expect(
      next.needsYou.answer({ id: item.id, optionId: 'yes', remember: false }, context),
    ).rejects.toMatchObject({ code: 'needs_you.withdrawn' });
    await next.sessions.stop();
  });

  test('a permission that is asked for after the turn has ended is not', async () => {
    const { id, ask, prompt } = await room.running();
    prompt.answer({ stopReason: 'end_turn' });
    await room.settled(id);
    expect(await ask()).toBeUndefined();
    expect(await room.list()).toEqual([]);
  });

  test('a deleted session takes its items along', async () => {
    const { id, ask, prompt } = await room.running();
    void ask();
    const [item] = await room.waiting(1);
    const deleted = room.sessions.delete(id, context);
    await eventually(() => expect(prompt.request.signal.aborted).toBe(true));
    prompt.answer({ stopReason: 'cancelled' });
    await deleted;
    await expect(room.needsYou.get(item.id)).rejects.toMatchObject({ code: 'needs_you.not_found' });
  });
});

describe('while the storage takes nothing', () => {
  test('a question that cannot be stored ends the turn instead of waiting unseen', async () => {
    const { id, ask, prompt } = await room.running();
    const commit = vi.spyOn(room.storage, 'commit').mockRejectedValue(fault('storage.full', 'Full.'));
    expect(await ask()).toBeUndefined();
    expect(prompt.request.signal.aborted).toBe(true);
    commit.mockRestore();
    prompt.answer({ stopReason: 'cancelled' });
    expect(await room.settled(id)).toMatchObject({
      waitingForYou: 0,
      lastTurn: { state: 'failed', error: { code: 'storage.full' } },
    });
    expect(await room.list()).toEqual([]);
  });

  /** The next commit is carried out and said to have failed. */
  function failAfterCommit() {
    const commit = room.storage.commit.bind(room.storage);
    vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
      await commit(operations);
      throw fault('storage.failed', 'Nobody knows.');
    });
  }

  test('an answer that the storage took although it said no is one', async () => {
    const { id, ask } = await room.running();
    const asked = ask();
    const [item] = await room.waiting(1);
    failAfterCommit();
    expect(await room.answer(item.id, 'yes')).toMatchObject({ state: 'answered' });
    expect(await asked).toBe('yes');
    expect(await room.sessions.get(id)).toMatchObject({ status: 'busy', waitingForYou: 0 });
  });

  test('when that cannot be seen at once, it reaches the agent with the next try', async () => {
    const { ask } = await room.running();
    const asked = ask();
    const [item] = await room.waiting(1);
    failAfterCommit();
    const get = room.storage.get.bind(room.storage);
    let items = 0;
    const reading = vi.spyOn(room.storage, 'get').mockImplementation(async (collection, id) => {
      // The first two look at the item before it is answered.
      if (collection === 'needs_you' && ++items > 2) throw fault('storage.failed', 'Away.');
      return get(collection, id);
    });
    await expect(room.answer(item.id, 'yes')).rejects.toMatchObject({ code: 'storage.failed' });
    reading.mockRestore();
    expect(await room.answer(item.id, 'yes')).toMatchObject({ state: 'answered' });
    expect(await asked).toBe('yes');
  });

  test('an answer that it did not take can be given again', async () => {
    const { ask } = await room.running();
    const asked = ask();
    const [item] = await room.waiting(1);
    vi.spyOn(room.storage, 'commit').mockRejectedValueOnce(fault('storage.full', 'Full.'));
    await expect(room.answer(item.id, 'yes')).rejects.toMatchObject({ code: 'storage.full' });
    expect(await room.answer(item.id, 'no')).toMatchObject({ answer: { optionId: 'no' } });
    expect(await asked).toBe('no');
  });
});
