import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { silentLogger } from '../base/logger.ts';
import { fault, type RuntimeEvent, sessionListQuery } from '../contract/index.ts';
import { createEventBus } from '../events/create-event-bus.ts';
import { openStorage } from '../storage/open-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { createSessions } from './create-sessions.ts';
import { createScriptedAgents, type PendingPrompt, type ScriptedAgents } from './scripted-agents.fixture.ts';
import type { Sessions } from './sessions.ts';
import { transcriptLog } from './transcript.ts';

const context = { correlationId: 'c1' };
const settings = {
  sessionTtlSeconds: 3600,
  sessionExpirationDays: 7,
  sessionCleanupIntervalSeconds: 300,
  maxConcurrentSessions: 5,
  maxSessionSizeBytes: 1000,
  sessionIdLength: 32,
  agentStateMessageHistory: 10,
  agentStateMaxSizeMb: 10,
};

let clock: VirtualClock;
let storage: Storage;
let bus: ReturnType<typeof createEventBus>;
let agents: ScriptedAgents;
let sessions: Sessions;
let told: RuntimeEvent[];

function makeSessions(): Sessions {
  return createSessions({ storage, bus, agents, clock, logger: silentLogger, makeId: randomId, settings });
}

beforeEach(async () => {
  clock = new VirtualClock();
  storage = await openStorage({ type: 'memory', dataDir: '', now: () => clock.now() });
  bus = createEventBus({
    storage,
    clock,
    makeId: randomId,
    logger: silentLogger,
    retentionHours: 24,
    registrySize: 100,
  });
  await bus.start();
  agents = createScriptedAgents(['echo', 'other']);
  sessions = makeSessions();
  await sessions.start();
  told = [];
  bus.subscribe({ name: 'test', topics: ['>'] }, (event) => void told.push(event));
});

afterEach(async () => {
  const stopped = sessions.stop();
  for (const prompt of agents.pending) prompt.answer({ stopReason: 'cancelled' });
  await stopped;
  await bus.stop();
  await storage.close();
  expect(clock.pending).toBe(0);
});

/** The prompt that the agent was given last. */
function lastPrompt(): PendingPrompt {
  const prompt = agents.pending.at(-1);
  if (prompt === undefined) throw new Error('The agent was not prompted');
  return prompt;
}

/** Resolves when the session is not busy any more. */
async function settled(id: string) {
  return vi.waitFor(async () => {
    const session = await sessions.get(id);
    expect(session.status).not.toBe('busy');
    return session;
  });
}

const list = (query: Record<string, unknown> = {}) => sessions.list(sessionListQuery.parse(query));

describe('create', () => {
  test('a session of the first agent, idle', async () => {
    const session = await sessions.create({}, context);
    expect(session).toMatchObject({
      id: expect.stringMatching(/^[0-9a-z]{32}$/),
      title: 'New session',
      agentId: 'echo',
      state: 'active',
      status: 'idle',
      version: 1,
    });
    expect(await sessions.get(session.id)).toEqual({ ...session, messages: [], turns: [] });
  });

  test('with a message it is prompted at once and named after it', async () => {
    const session = await sessions.create({ message: 'Say hello\nand more', agentId: 'other' }, context);
    expect(session).toMatchObject({ title: 'Say hello', status: 'busy', messageCount: 1 });
    expect(lastPrompt().request).toMatchObject({
      agentId: 'other',
      sessionId: session.id,
      text: 'Say hello\nand more',
      correlationId: 'c1',
    });
  });

  test('for an agent that is not there nothing is made', async () => {
    await expect(sessions.create({ agentId: 'nobody' }, context)).rejects.toMatchObject({
      code: 'agent.not_found',
    });
    expect((await list()).items).toEqual([]);
  });

  test('more than the limit are refused, and an archived one makes room', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => sessions.create({}, context)));
    await expect(sessions.create({}, context)).rejects.toMatchObject({ code: 'session.limit_reached' });
    await sessions.update({ id: made[0]?.id ?? '', archived: true }, context);
    await sessions.create({}, context);
    expect(sessions.counts()).toMatchObject({ active: 5, limit: 5 });
  });
});

describe('a turn', () => {
  test('is durable before it is answered, streams, and ends', async () => {
    const { id } = await sessions.create({}, context);
    const turn = await sessions.prompt({ id, message: 'hello' }, { correlationId: 'c2' });
    expect(turn).toMatchObject({ sessionId: id, state: 'running', correlationId: 'c2' });
    expect(await storage.read(transcriptLog(id))).toHaveLength(2);

    const { request, answer } = lastPrompt();
    request.onUpdate({ kind: 'text', text: 'hel' });
    request.onUpdate({ kind: 'text', text: 'lo' });
    const during = await sessions.get(id);
    expect(during.messages.map(({ role, text, complete }) => ({ role, text, complete }))).toEqual([
      { role: 'user', text: 'hello', complete: true },
      { role: 'agent', text: 'hello', complete: false },
    ]);

    answer({ stopReason: 'end_turn', usage: { inputTokens: 3, outputTokens: 5 } });
    const after = await settled(id);
    expect(after).toMatchObject({
      status: 'idle',
      title: 'hello',
      messageCount: 2,
      sizeBytes: 10,
      usage: { inputTokens: 3, outputTokens: 5 },
      lastTurn: { id: turn.id, state: 'completed', stopReason: 'end_turn' },
    });
    expect(after.messages.at(-1)).toMatchObject({ role: 'agent', text: 'hello', complete: true });
    expect(after.turns).toEqual([after.lastTurn]);
  });

  test('tells its text live with offsets, and completed messages durably, under one correlation id', async () => {
    const { id } = await sessions.create({ message: 'go' }, { correlationId: 'c7' });
    const { request, answer } = lastPrompt();
    request.onUpdate({ kind: 'thought', text: 'hm' });
    request.onUpdate({ kind: 'text', text: 'a😀' });
    request.onUpdate({ kind: 'text', text: 'b' });
    answer({ stopReason: 'end_turn' });
    await settled(id);
    const deltas = told.filter((event) => event.type === 'session.message.delta');
    expect(deltas.map((event) => event.data)).toMatchObject([
      { kind: 'thought', offset: 0, text: 'hm' },
      { kind: 'text', offset: 0, text: 'a😀' },
      { kind: 'text', offset: 3, text: 'b' },
    ]);
    const durable = told.filter((event) => event.sequence > 0);
    expect(durable.map((event) => event.type)).toEqual([
      'session.created',
      'session.turn.changed',
      'session.message.completed',
      'session.message.completed',
      'session.message.completed',
      'session.turn.changed',
      'session.changed',
    ]);
    expect(new Set(told.map((event) => event.correlationid))).toEqual(new Set(['c7']));
  });

  test('text is made durable while it streams, in parts', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const { request } = lastPrompt();
    const durableText = async () =>
      (
        await storage.read<{ type: string; text?: string; message?: { role: string; text: string } }>(
          transcriptLog(id),
        )
      )
        .map(({ value }) =>
          value.type === 'part' ? value.text : value.message?.role === 'agent' ? value.message.text : '',
        )
        .join('');
    for (const text of ['one ', 'two ', 'three']) {
      request.onUpdate({ kind: 'text', text });
      await clock.advance(250);
    }
    await vi.waitFor(async () => expect(await durableText()).toBe('one two three'));
    expect((await storage.read(transcriptLog(id))).length).toBeGreaterThan(3);
  });

  test('tool calls, plans and unknown updates are kept in their places, as they stand last', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const { request, answer } = lastPrompt();
    const toolCall = { toolCallId: 'x/1', title: 'Read a file', status: 'pending' as const };
    request.onUpdate({ kind: 'text', text: 'I look.' });
    request.onUpdate({ kind: 'tool_call', toolCall });
    await clock.advance(300);
    request.onUpdate({ kind: 'plan', text: '1. look' });
    request.onUpdate({ kind: 'tool_call', toolCall: { ...toolCall, status: 'completed', content: 'ok' } });
    request.onUpdate({ kind: 'raw', raw: { sessionUpdate: 'from_the_future', n: 1 } });
    request.onUpdate({ kind: 'text', text: 'Done.' });
    answer({ stopReason: 'end_turn' });
    const { messages } = await settled(id);
    expect(
      messages
        .slice(1)
        .map(({ kind, text, toolCall: call, raw }) => ({ kind, text, status: call?.status, raw })),
    ).toEqual([
      { kind: 'text', text: 'I look.', status: undefined, raw: undefined },
      { kind: 'tool_call', text: 'Read a file', status: 'completed', raw: undefined },
      { kind: 'plan', text: '1. look', status: undefined, raw: undefined },
      { kind: 'raw', text: '', status: undefined, raw: { sessionUpdate: 'from_the_future', n: 1 } },
      { kind: 'text', text: 'Done.', status: undefined, raw: undefined },
    ]);
  });

  test('a second prompt is refused while one runs, and nothing of it is kept', async () => {
    const { id } = await sessions.create({ message: 'one' }, context);
    const second = await Promise.allSettled(
      [1, 2, 3].map(() => sessions.prompt({ id, message: 'two' }, context)),
    );
    expect(second.map((result) => result.status === 'rejected' && result.reason.code)).toEqual(
      Array(3).fill('session.busy'),
    );
    expect((await sessions.get(id)).messages).toHaveLength(1);
  });

  test('of several prompts at once exactly one is taken', async () => {
    const { id } = await sessions.create({}, context);
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => sessions.prompt({ id, message: `p${i}` }, context)),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect(agents.pending).toHaveLength(1);
  });

  test.each([
    ['agent.crashed', 'interrupted'],
    ['agent.unresponsive', 'interrupted'],
    ['provider.key_missing', 'failed'],
    ['agent.failed', 'failed'],
  ] as const)('an agent that fails with %s leaves it %s, with what was said so far', async (code, state) => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const { request, fail } = lastPrompt();
    request.onUpdate({ kind: 'text', text: 'half' });
    fail(fault(code, 'It went wrong.'));
    const session = await settled(id);
    expect(session).toMatchObject({
      status: state,
      lastTurn: { state, error: { code, message: 'It went wrong.' } },
    });
    expect(session.messages.at(-1)).toMatchObject({ text: 'half', complete: true });
    await sessions.prompt({ id, message: 'again' }, context);
    expect((await sessions.get(id)).status).toBe('busy');
  });

  test('what an agent says after its turn has ended is ignored', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const { request, answer } = lastPrompt();
    answer({ stopReason: 'end_turn' });
    await settled(id);
    request.onUpdate({ kind: 'text', text: 'too late' });
    expect((await sessions.get(id)).messages).toHaveLength(1);
  });

  test('an answer that makes the session too large ends the turn', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const { request, answer } = lastPrompt();
    request.onUpdate({ kind: 'text', text: 'x'.repeat(1001) });
    expect(request.signal.aborted).toBe(true);
    answer({ stopReason: 'cancelled' });
    expect((await settled(id)).lastTurn).toMatchObject({
      state: 'failed',
      error: { code: 'session.too_large' },
    });
    await expect(sessions.prompt({ id, message: 'more' }, context)).rejects.toMatchObject({
      code: 'session.too_large',
    });
  });

  test('the agent is given the turns before as its history', async () => {
    const { id } = await sessions.create({ message: 'first' }, context);
    lastPrompt().request.onUpdate({ kind: 'text', text: 'answer' });
    lastPrompt().answer({ stopReason: 'end_turn' });
    await settled(id);
    await sessions.prompt({ id, message: 'second' }, context);
    expect(await lastPrompt().request.history()).toEqual([
      { role: 'user', text: 'first' },
      { role: 'agent', text: 'answer' },
    ]);
  });
});

describe('cancel', () => {
  test('tells the agent, keeps what was said, and ends the turn as cancelled', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const { request, answer } = lastPrompt();
    request.onUpdate({ kind: 'text', text: 'half' });
    const cancelling = sessions.cancel(id, context);
    expect(request.signal.aborted).toBe(true);
    answer({ stopReason: 'cancelled' });
    expect(await cancelling).toMatchObject({ state: 'cancelled' });
    expect(await sessions.get(id)).toMatchObject({ status: 'idle', messages: [{}, { text: 'half' }] });
    await expect(sessions.cancel(id, context)).rejects.toMatchObject({ code: 'session.not_running' });
  });

  test('does not wait for ever for an agent that does not react', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const cancelling = sessions.cancel(id, context);
    await clock.advance(5000);
    expect(await cancelling).toMatchObject({ state: 'cancelled' });
  });
});

describe('rename, archive, delete', () => {
  test('a title that the user gave is kept when a prompt comes', async () => {
    const { id } = await sessions.create({}, context);
    await sessions.update({ id, title: 'Mine' }, context);
    await sessions.prompt({ id, message: 'hello' }, context);
    expect((await sessions.get(id)).title).toBe('Mine');
  });

  test('a change on top of an old version is refused with the current one', async () => {
    const { id, version } = await sessions.create({}, context);
    await sessions.update({ id, title: 'One', expectedVersion: version }, context);
    await expect(
      sessions.update({ id, title: 'Two', expectedVersion: version }, context),
    ).rejects.toMatchObject({
      code: 'storage.version_conflict',
      data: { expected: 1, current: 2 },
    });
  });

  test('an archived session takes no prompt, is listed apart, and comes back', async () => {
    const { id } = await sessions.create({}, context);
    await sessions.update({ id, archived: true }, context);
    await expect(sessions.prompt({ id, message: 'x' }, context)).rejects.toMatchObject({
      code: 'session.archived',
    });
    expect((await list()).items).toEqual([]);
    expect((await list({ state: 'archived' })).items.map((session) => session.id)).toEqual([id]);
    await sessions.update({ id, archived: false }, context);
    await sessions.prompt({ id, message: 'x' }, context);
    expect((await sessions.get(id)).state).toBe('active');
    await expect(sessions.update({ id, archived: true }, context)).rejects.toMatchObject({
      code: 'session.busy',
    });
  });

  test('delete cancels, removes the messages, and tells the agents', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const deleting = sessions.delete(id, context);
    await vi.waitFor(() => expect(lastPrompt().request.signal.aborted).toBe(true));
    lastPrompt().answer({ stopReason: 'cancelled' });
    await deleting;
    await expect(sessions.get(id)).rejects.toMatchObject({ code: 'session.not_found' });
    expect(await storage.read(transcriptLog(id))).toEqual([]);
    expect(agents.forgotten).toEqual([id]);
    await expect(sessions.delete(id, context)).rejects.toMatchObject({ code: 'session.not_found' });
  });

  test.each(['get', 'prompt', 'cancel', 'update', 'delete'] as const)(
    '%s of what is not there',
    async (method) => {
      const call = {
        get: () => sessions.get('x'),
        prompt: () => sessions.prompt({ id: 'x', message: 'm' }, context),
        cancel: () => sessions.cancel('x', context),
        update: () => sessions.update({ id: 'x', title: 't' }, context),
        delete: () => sessions.delete('x', context),
      }[method];
      await expect(call()).rejects.toMatchObject({ code: 'session.not_found' });
    },
  );
});

describe('list', () => {
  test('the last used first; by agent, status and text; page by page', async () => {
    for (const title of ['Alpha', 'Beta', 'Gamma', 'ÄRGER']) {
      await sessions.create({ title, agentId: title === 'Beta' ? 'other' : 'echo' }, context);
      await clock.advance(1000);
    }
    const titles = async (query: Record<string, unknown>) =>
      (await list(query)).items.map((session) => session.title);
    expect(await titles({})).toEqual(['ÄRGER', 'Gamma', 'Beta', 'Alpha']);
    expect(await titles({ agentId: 'other' })).toEqual(['Beta']);
    expect(await titles({ search: 'ärg' })).toEqual(['ÄRGER']);
    expect(await titles({ status: 'busy' })).toEqual([]);
    const first = await list({ limit: 3 });
    expect(await titles({ limit: 3, cursor: first.nextCursor })).toEqual(['Alpha']);
  });
});

describe('after the process ended in mid-turn', () => {
  test('the turn is interrupted, never running, and the messages are there', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    lastPrompt().request.onUpdate({ kind: 'text', text: 'half' });
    await clock.advance(300);
    await vi.waitFor(async () => expect(await storage.read(transcriptLog(id))).toHaveLength(3));

    const killedAt = clock.now();
    await clock.advance(3_600_000 / 2);
    const next = makeSessions();
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
    expect(agents.pending, 'nothing is sent again unasked').toHaveLength(1);
    expect(next.counts()).toMatchObject({ active: 1, runningTurns: 0 });
    await next.stop();
  });

  test('an orderly stop marks it at once', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const stopping = sessions.stop();
    lastPrompt().answer({ stopReason: 'cancelled' });
    await stopping;
    expect((await sessions.get(id)).lastTurn).toMatchObject({ state: 'interrupted' });
    await expect(sessions.prompt({ id, message: 'x' }, context)).rejects.toMatchObject({
      code: 'maintenance.active',
    });
  });
});

describe('while the storage takes nothing', () => {
  const full = () =>
    vi.spyOn(storage, 'commit').mockRejectedValue(fault('storage.full', 'The disk is full.'));

  test('what could not be written of an answer is written with the end of its turn', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const { request, answer } = lastPrompt();
    request.onUpdate({ kind: 'text', text: 'one ' });
    await clock.advance(300);
    await vi.waitFor(async () => expect(await storage.read(transcriptLog(id))).toHaveLength(3));
    const commit = full();
    request.onUpdate({ kind: 'text', text: 'two ' });
    await clock.advance(300);
    await vi.waitFor(() => expect(request.signal.aborted).toBe(true));
    request.onUpdate({ kind: 'text', text: 'three' });
    commit.mockRestore();
    answer({ stopReason: 'cancelled' });
    const session = await settled(id);
    expect(session.lastTurn).toMatchObject({ state: 'failed', error: { code: 'storage.full' } });
    expect(session.messages.map((message) => message.text)).toEqual(['go', 'one two three']);
  });

  test('a turn whose end could not be stored ends as soon as it can be, without being asked', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const commit = full();
    lastPrompt().request.onUpdate({ kind: 'text', text: 'all of it' });
    lastPrompt().answer({ stopReason: 'end_turn' });
    await vi.waitFor(() => expect(sessions.counts().runningTurns).toBe(0));
    await expect(sessions.prompt({ id, message: 'x' }, context)).rejects.toMatchObject({
      code: 'storage.full',
    });
    await expect(sessions.cancel(id, context)).rejects.toMatchObject({ code: 'storage.full' });
    await clock.advance(10_000);
    commit.mockRestore();
    await clock.advance(10_000);
    const session = await settled(id);
    expect(session).toMatchObject({ status: 'idle', messageCount: 2, lastTurn: { state: 'completed' } });
    expect(session.messages.map((message) => message.text)).toEqual(['go', 'all of it']);
  });

  test('a next prompt stores the end of the turn before it first', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const commit = full();
    lastPrompt().answer({ stopReason: 'end_turn' });
    await vi.waitFor(() => expect(sessions.counts().runningTurns).toBe(0));
    commit.mockRestore();
    await sessions.prompt({ id, message: 'again' }, context);
    expect((await sessions.get(id)).turns.map((turn) => turn.state)).toEqual(['completed', 'running']);
  });

  test('an end that was carried out although the storage said no is not counted twice', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const commit = storage.commit.bind(storage);
    const failing = vi.spyOn(storage, 'commit').mockImplementationOnce(async (operations) => {
      await commit(operations);
      throw fault('storage.failed', 'Nobody knows.');
    });
    lastPrompt().request.onUpdate({ kind: 'text', text: 'once' });
    lastPrompt().answer({ stopReason: 'end_turn', usage: { inputTokens: 1, outputTokens: 2 } });
    await vi.waitFor(() => expect(sessions.counts().runningTurns).toBe(0));
    failing.mockRestore();
    await clock.advance(10_000);
    const session = await settled(id);
    expect(session).toMatchObject({ messageCount: 2, usage: { inputTokens: 1, outputTokens: 2 } });
    expect(session.messages.map((message) => message.text)).toEqual(['go', 'once']);
  });

  test('an orderly stop tries once more to store the end', async () => {
    const { id } = await sessions.create({ message: 'go' }, context);
    const commit = full();
    lastPrompt().answer({ stopReason: 'end_turn' });
    await vi.waitFor(() => expect(sessions.counts().runningTurns).toBe(0));
    commit.mockRestore();
    await sessions.stop();
    expect((await sessions.get(id)).lastTurn).toMatchObject({ state: 'completed' });
  });
});

/** Holds the next commit until it is let go. */
function holdCommit(): { reached: Promise<void>; release(): void } {
  const commit = storage.commit.bind(storage);
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  vi.spyOn(storage, 'commit').mockImplementationOnce(async (operations) => {
    reached.resolve();
    await gate.promise;
    return commit(operations);
  });
  return { reached: reached.promise, release: gate.resolve };
}

test.each(['create', 'prompt'] as const)('pause also ends the turn of a %s under way', async (kind) => {
  const { id } = await sessions.create({}, context);
  const held = holdCommit();
  const begun =
    kind === 'create'
      ? sessions.create({ message: 'go' }, context)
      : sessions.prompt({ id, message: 'go' }, context);
  await held.reached;
  const pausing = sessions.pause('a backup is being restored');
  held.release();
  await begun;
  await vi.waitFor(() => expect(lastPrompt().request.signal.aborted).toBe(true));
  lastPrompt().answer({ stopReason: 'cancelled' });
  await pausing;
  expect(sessions.counts().runningTurns).toBe(0);
});

test('delete also cancels the turn of a prompt that came in between', async () => {
  const { id } = await sessions.create({ message: 'one' }, context);
  const first = lastPrompt();
  const second = Promise.withResolvers<unknown>();
  const get = storage.get.bind(storage);
  const watching = bus.subscribe({ name: 'eager', topics: ['session.turn.changed'] }, () => {
    watching.end();
    // Queued before the delete is, and still under way when the first turn is over.
    vi.spyOn(storage, 'get').mockImplementationOnce(async (collection, key) => {
      await new Promise((resolve) => setImmediate(resolve));
      return get(collection, key);
    });
    second.resolve(sessions.prompt({ id, message: 'two' }, context));
  });
  const deleted = sessions.delete(id, context);
  first.answer({ stopReason: 'cancelled' });
  await second.promise;
  await vi.waitFor(() => expect(lastPrompt().request.signal.aborted).toBe(true));
  lastPrompt().answer({ stopReason: 'cancelled' });
  await deleted;
  expect(sessions.counts()).toMatchObject({ runningTurns: 0, active: 0 });
  expect(await storage.read(transcriptLog(id))).toEqual([]);
});

test('a delete that waited for a turn takes nothing away during a pause', async () => {
  const { id } = await sessions.create({ message: 'one' }, context);
  const deleted = sessions.delete(id, context);
  const pausing = sessions.pause('a backup is being restored');
  lastPrompt().answer({ stopReason: 'cancelled' });
  await expect(deleted).rejects.toMatchObject({ code: 'maintenance.active' });
  await pausing;
  expect((await sessions.get(id)).id).toBe(id);
});

test('a cursor that no list gave is a bad request', async () => {
  await expect(list({ cursor: 'garbage' })).rejects.toMatchObject({ code: 'request.invalid' });
});

test('pause interrupts and takes nothing; resume reads what is active now', async () => {
  const { id } = await sessions.create({ message: 'go' }, context);
  const pausing = sessions.pause('a backup is being restored');
  lastPrompt().answer({ stopReason: 'cancelled' });
  await pausing;
  await expect(sessions.create({}, context)).rejects.toMatchObject({ code: 'maintenance.active' });
  await sessions.resume();
  expect((await sessions.get(id)).status).toBe('interrupted');
  await sessions.prompt({ id, message: 'on' }, context);
});

test('idle sessions age to inactive and expired, and a prompt makes them active again', async () => {
  const { id } = await sessions.create({}, context);
  await clock.advance(3600_000 + 300_000);
  await vi.waitFor(async () => expect((await sessions.get(id)).state).toBe('inactive'));
  expect(sessions.counts()).toMatchObject({ active: 0 });
  await clock.advance(8 * 86_400_000);
  await vi.waitFor(async () => expect((await sessions.get(id)).state).toBe('expired'));
  await sessions.prompt({ id, message: 'hello' }, context);
  expect((await sessions.get(id)).state).toBe('active');
});
