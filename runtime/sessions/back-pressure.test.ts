import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fault } from '../contract/index.ts';
import { context, eventually, type OpenSessions, openSessions } from './sessions.fixture.ts';
import { transcriptLog } from './transcript.ts';

const MEBIBYTE = 'x'.repeat(1024 * 1024);

let room: OpenSessions;

beforeEach(async () => {
  room = await openSessions({ maxSessionSizeBytes: 64 * 1024 * 1024 });
});

afterEach(() => room.close());

/** A running turn. `say` gives what the agent is to wait for, and whether that is over. */
async function running() {
  const { id } = await room.sessions.create({ message: 'go' }, context);
  const { request, answer } = room.lastPrompt();
  return {
    id,
    request,
    answer,
    say(text: string) {
      const held = request.onUpdate({ kind: 'text', text });
      const wait = { isHeld: held instanceof Promise, isOver: false };
      if (held instanceof Promise) void held.then(() => Object.assign(wait, { isOver: true }));
      return wait;
    },
  };
}

/** Every commit waits until it is let go, and then is carried out, or fails with what is given. */
function hangCommits() {
  const commit = room.storage.commit.bind(room.storage);
  const waiting: (() => void)[] = [];
  let failure: Error | undefined;
  const spy = vi.spyOn(room.storage, 'commit').mockImplementation(async (operations) => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    if (failure !== undefined) throw failure;
    return commit(operations);
  });
  return {
    waiting,
    /** Lets the oldest one go. */
    next: () => waiting.shift()?.(),
    /** Lets all go, and hangs no more. */
    end(error?: Error) {
      failure = error;
      spy.mockRestore();
      for (const go of waiting.splice(0)) go();
    },
  };
}

/** Says so much that the agent is to wait. */
function flood(say: (text: string) => { isHeld: boolean; isOver: boolean }) {
  for (let said = 1; said < 4; said++) expect(say(MEBIBYTE).isHeld, `${said} MiB`).toBe(false);
  const wait = say(MEBIBYTE);
  expect(wait).toEqual({ isHeld: true, isOver: false });
  return wait;
}

test('an answer that the storage keeps up with is never held up', async () => {
  const { id, say, answer } = await running();
  for (let said = 0; said < 8; said++) {
    const entries = (await room.storage.read(transcriptLog(id))).length;
    expect(say(MEBIBYTE).isHeld).toBe(false);
    await eventually(async () =>
      expect((await room.storage.read(transcriptLog(id))).length).toBeGreaterThan(entries),
    );
  }
  answer({ stopReason: 'end_turn' });
  expect((await room.settled(id)).sizeBytes).toBe(8 * MEBIBYTE.length + 2);
});

test('more than 4 MiB wait until enough of it is durable, however often', async () => {
  const { id, say, answer } = await running();
  const hanging = hangCommits();
  let wait = flood(say);
  hanging.next();
  await eventually(() => expect(wait.isOver).toBe(true));
  // The first batch was one MiB; the other three are on their way.
  wait = say(MEBIBYTE);
  expect(wait).toEqual({ isHeld: true, isOver: false });
  await eventually(() => expect(hanging.waiting.length).toBeGreaterThan(0));
  hanging.end();
  await eventually(() => expect(wait.isOver).toBe(true));
  answer({ stopReason: 'end_turn' });
  const session = await room.settled(id);
  expect(session.messages.at(-1)?.text).toHaveLength(5 * MEBIBYTE.length);
});

test('ten thousand small updates wait as well', async () => {
  const { id, request, answer } = await running();
  const hanging = hangCommits();
  let held: unknown;
  let updates = 0;
  while (held === undefined && updates < 20_000) {
    held = request.onUpdate({
      kind: 'tool_call',
      toolCall: { toolCallId: 'one', title: `Step ${updates}`, status: 'in_progress' },
    });
    updates += 1;
  }
  expect(updates).toBe(10_000);
  hanging.end();
  await held;
  answer({ stopReason: 'end_turn' });
  expect((await room.settled(id)).messages.at(-1)?.text).toBe('Step 9999');
});

describe('nobody waits for ever while the storage hangs', () => {
  test('the turn is cancelled', async () => {
    const { id, request, say, answer } = await running();
    const hanging = hangCommits();
    const wait = flood(say);
    const cancelled = room.sessions.cancel(id, context);
    expect(request.signal.aborted).toBe(true);
    answer({ stopReason: 'cancelled' });
    // Its end is being stored, after what is being written; the agent need not wait for that.
    await eventually(() => expect(wait.isOver).toBe(true));
    expect(say('too late').isHeld).toBe(false);
    hanging.end();
    expect(await cancelled).toMatchObject({ state: 'cancelled' });
    expect((await room.sessions.get(id)).messages.at(-1)?.text).toHaveLength(4 * MEBIBYTE.length);
  });

  test('the agent ends the turn, or crashes', async () => {
    const { id, say, answer } = await running();
    const hanging = hangCommits();
    const wait = flood(say);
    answer({ stopReason: 'end_turn' });
    await eventually(() => expect(wait.isOver).toBe(true));
    hanging.end();
    expect((await room.settled(id)).lastTurn).toMatchObject({ state: 'completed' });
  });

  test('the session is full', async () => {
    await room.close();
    room = await openSessions({ maxSessionSizeBytes: 3.5 * MEBIBYTE.length });
    const { id, request, say, answer } = await running();
    const hanging = hangCommits();
    const wait = flood(say);
    expect(request.signal.aborted).toBe(true);
    hanging.end();
    await eventually(() => expect(wait.isOver).toBe(true));
    answer({ stopReason: 'cancelled' });
    expect((await room.settled(id)).lastTurn).toMatchObject({
      state: 'failed',
      error: { code: 'session.too_large' },
    });
  });

  test('the storage fails in the end', async () => {
    const { id, request, say, answer } = await running();
    const hanging = hangCommits();
    const wait = flood(say);
    hanging.end(fault('storage.full', 'The disk is full.'));
    await eventually(() => expect(wait.isOver).toBe(true));
    await eventually(() => expect(request.signal.aborted).toBe(true));
    expect(say(MEBIBYTE).isHeld, 'the turn is at its end').toBe(false);
    answer({ stopReason: 'cancelled' });
    const session = await room.settled(id);
    expect(session.lastTurn).toMatchObject({ state: 'failed', error: { code: 'storage.full' } });
    expect(session.messages.at(-1)?.text).toHaveLength(5 * MEBIBYTE.length);
  });
});
