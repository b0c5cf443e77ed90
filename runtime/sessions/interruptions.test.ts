import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fault } from '../contract/index.ts';
import { context, eventually, type OpenSessions, openSessions } from './sessions.fixture.ts';
import { transcriptLog } from './transcript.ts';

let room: OpenSessions;

beforeEach(async () => {
  room = await openSessions();
});

afterEach(() => room.close());

describe('after the process ended in mid-turn', () => {
  test('the turn is interrupted, never running, and the messages are there', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    room.lastPrompt().request.onUpdate({ kind: 'text', text: 'half' });
    await room.clock.advance(300);
    await eventually(async () => expect(await room.storage.read(transcriptLog(id))).toHaveLength(3));

    const killedAt = room.clock.now();
    await room.clock.advance(3_600_000 / 2);
    const next = room.make().sessions;
    await next.start();
    const session = await next.get(id);
    expect(session.lastTurn?.endedAt, 'not the time of the next start').toBeLessThanOrEqual(killedAt);
    expect(session).toMatchObject({
      status: 'interrupted',
      messageCount: 2,
      lastTurn: { state: 'interrupted', error: { code: 'runtime.stopped' } },
    });
    expect(session.messages.map((message) => message.text)).toEqual(['go', 'half']);
    expect(session.turns.map((turn) => turn.state)).toEqual(['interrupted']);
    expect(room.agents.pending, 'nothing is sent again unasked').toHaveLength(1);
    expect(next.counts()).toMatchObject({ active: 1, runningTurns: 0 });
    await next.stop();
  });

  test('an orderly stop marks it at once', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const stopping = room.sessions.stop();
    room.lastPrompt().answer({ stopReason: 'cancelled' });
    await stopping;
    expect((await room.sessions.get(id)).lastTurn).toMatchObject({ state: 'interrupted' });
    await expect(room.sessions.prompt({ id, message: 'x' }, context)).rejects.toMatchObject({
      code: 'maintenance.active',
    });
  });
});

describe('while the storage takes nothing', () => {
  const full = () =>
    vi.spyOn(room.storage, 'commit').mockRejectedValue(fault('storage.full', 'The disk is full.'));

  test('what could not be written of an answer is written with the end of its turn', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const { request, answer } = room.lastPrompt();
    request.onUpdate({ kind: 'text', text: 'one ' });
    await room.clock.advance(300);
    await eventually(async () => expect(await room.storage.read(transcriptLog(id))).toHaveLength(3));
    const commit = full();
    request.onUpdate({ kind: 'text', text: 'two ' });
    await room.clock.advance(300);
    await eventually(() => expect(request.signal.aborted).toBe(true));
    request.onUpdate({ kind: 'text', text: 'three' });
    commit.mockRestore();
    answer({ stopReason: 'cancelled' });
    const session = await room.settled(id);
    expect(session.lastTurn).toMatchObject({ state: 'failed', error: { code: 'storage.full' } });
    expect(session.messages.map((message) => message.text)).toEqual(['go', 'one two three']);
  });

  test('a turn whose end could not be stored ends as soon as it can be, without being asked', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const commit = full();
    room.lastPrompt().request.onUpdate({ kind: 'text', text: 'all of it' });
    room.lastPrompt().answer({ stopReason: 'end_turn' });
    await eventually(() => expect(room.sessions.counts().runningTurns).toBe(0));
    await expect(room.sessions.prompt({ id, message: 'x' }, context)).rejects.toMatchObject({
      code: 'storage.full',
    });
    await expect(room.sessions.cancel(id, context)).rejects.toMatchObject({ code: 'storage.full' });
    await room.clock.advance(10_000);
    commit.mockRestore();
    await room.clock.advance(10_000);
    const session = await room.settled(id);
    expect(session).toMatchObject({ status: 'idle', messageCount: 2, lastTurn: { state: 'completed' } });
    expect(session.messages.map((message) => message.text)).toEqual(['go', 'all of it']);
  });

  test('a next prompt stores the end of the turn before it first', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const commit = full();
    room.lastPrompt().answer({ stopReason: 'end_turn' });
    await eventually(() => expect(room.sessions.counts().runningTurns).toBe(0));
    commit.mockRestore();
    await room.sessions.prompt({ id, message: 'again' }, context);
    expect((await room.sessions.get(id)).turns.map((turn) => turn.state)).toEqual(['completed', 'running']);
  });

  test('an end that was carried out although the storage said no is not counted twice', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const commit = room.storage.commit.bind(room.storage);
    const failing = vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
      await commit(operations);
      throw fault('storage.failed', 'Nobody knows.');
    });
    room.lastPrompt().request.onUpdate({ kind: 'text', text: 'once' });
    room.lastPrompt().answer({ stopReason: 'end_turn', usage: { inputTokens: 1, outputTokens: 2 } });
    await eventually(() => expect(room.sessions.counts().runningTurns).toBe(0));
    failing.mockRestore();
    await room.clock.advance(10_000);
    const session = await room.settled(id);
    expect(session).toMatchObject({ messageCount: 2, usage: { inputTokens: 1, outputTokens: 2 } });
    expect(session.messages.map((message) => message.text)).toEqual(['go', 'once']);
  });

  test('an orderly stop tries once more to store the end', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const commit = full();
    room.lastPrompt().answer({ stopReason: 'end_turn' });
    await eventually(() => expect(room.sessions.counts().runningTurns).toBe(0));
    commit.mockRestore();
    await room.sessions.stop();
    expect((await room.sessions.get(id)).lastTurn).toMatchObject({ state: 'completed' });
  });
});

/** Holds the next commit until it is let go. */
function holdCommit(): { reached: Promise<void>; release(): void } {
  const commit = room.storage.commit.bind(room.storage);
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
    reached.resolve();
    await gate.promise;
    return commit(operations);
  });
  return { reached: reached.promise, release: gate.resolve };
}

test.each(['create', 'prompt'] as const)('pause also ends the turn of a %s under way', async (kind) => {
  const { id } = await room.sessions.create({}, context);
  const held = holdCommit();
  const begun =
    kind === 'create'
      ? room.sessions.create({ message: 'go' }, context)
      : room.sessions.prompt({ id, message: 'go' }, context);
  await held.reached;
  const pausing = room.sessions.pause('a backup is being restored');
  held.release();
  await begun;
  await eventually(() => expect(room.lastPrompt().request.signal.aborted).toBe(true));
  room.lastPrompt().answer({ stopReason: 'cancelled' });
  await pausing;
  expect(room.sessions.counts().runningTurns).toBe(0);
});

test('pause interrupts and takes nothing; resume reads what is active now', async () => {
  const { id } = await room.sessions.create({ message: 'go' }, context);
  const pausing = room.sessions.pause('a backup is being restored');
  room.lastPrompt().answer({ stopReason: 'cancelled' });
  await pausing;
  await expect(room.sessions.create({}, context)).rejects.toMatchObject({ code: 'maintenance.active' });
  await room.sessions.resume();
  expect((await room.sessions.get(id)).status).toBe('interrupted');
  await room.sessions.prompt({ id, message: 'on' }, context);
});
