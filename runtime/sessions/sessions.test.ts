import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { sessionListQuery } from '../contract/index.ts';
import { context, eventually, type OpenSessions, openSessions } from './sessions.fixture.ts';
import { transcriptLog } from './transcript.ts';

let room: OpenSessions;

beforeEach(async () => {
  room = await openSessions();
});

afterEach(() => room.close());

const list = (query: Record<string, unknown> = {}) => room.sessions.list(sessionListQuery.parse(query));

describe('create', () => {
  test('a session of the first agent, idle', async () => {
    const session = await room.sessions.create({}, context);
    expect(session).toMatchObject({
      id: expect.stringMatching(/^[0-9a-z]{32}$/),
      title: 'New session',
      agentId: 'echo',
      state: 'active',
      status: 'idle',
      version: 1,
    });
    expect(await room.sessions.get(session.id)).toEqual({ ...session, messages: [], turns: [] });
  });

  test('with a message it is prompted at once and named after it', async () => {
    const session = await room.sessions.create({ message: 'Say hello\nand more', agentId: 'other' }, context);
    expect(session).toMatchObject({ title: 'Say hello', status: 'busy', messageCount: 1 });
    expect(room.lastPrompt().request).toMatchObject({
      agentId: 'other',
      sessionId: session.id,
      text: 'Say hello\nand more',
      correlationId: 'c1',
    });
  });

  test('for an agent that is not there nothing is made', async () => {
    await expect(room.sessions.create({ agentId: 'nobody' }, context)).rejects.toMatchObject({
      code: 'agent.not_found',
    });
    expect((await list()).items).toEqual([]);
  });

  test('more than the limit are refused, and an archived one makes room', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => room.sessions.create({}, context)));
    await expect(room.sessions.create({}, context)).rejects.toMatchObject({ code: 'session.limit_reached' });
    await room.sessions.update({ id: made[0]?.id ?? '', archived: true }, context);
    await room.sessions.create({}, context);
    expect(room.sessions.counts()).toMatchObject({ active: 5, limit: 5 });
  });
});

describe('rename, archive, delete', () => {
  test('a title that the user gave is kept when a prompt comes', async () => {
    const { id } = await room.sessions.create({}, context);
    await room.sessions.update({ id, title: 'Mine' }, context);
    await room.sessions.prompt({ id, message: 'hello' }, context);
    expect((await room.sessions.get(id)).title).toBe('Mine');
  });

  test('a change on top of an old version is refused with the current one', async () => {
    const { id, version } = await room.sessions.create({}, context);
    await room.sessions.update({ id, title: 'One', expectedVersion: version }, context);
    await expect(
      room.sessions.update({ id, title: 'Two', expectedVersion: version }, context),
    ).rejects.toMatchObject({
      code: 'storage.version_conflict',
      data: { expected: 1, current: 2 },
    });
  });

  test('an archived session takes no prompt, is listed apart, and comes back', async () => {
    const { id } = await room.sessions.create({}, context);
    await room.sessions.update({ id, archived: true }, context);
    await expect(room.sessions.prompt({ id, message: 'x' }, context)).rejects.toMatchObject({
      code: 'session.archived',
    });
    expect((await list()).items).toEqual([]);
    expect((await list({ state: 'archived' })).items.map((session) => session.id)).toEqual([id]);
    await room.sessions.update({ id, archived: false }, context);
    await room.sessions.prompt({ id, message: 'x' }, context);
    expect((await room.sessions.get(id)).state).toBe('active');
    await expect(room.sessions.update({ id, archived: true }, context)).rejects.toMatchObject({
      code: 'session.busy',
    });
  });

  test('delete cancels, removes the messages, and tells the agents', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const deleting = room.sessions.delete(id, context);
    await eventually(() => expect(room.lastPrompt().request.signal.aborted).toBe(true));
    room.lastPrompt().answer({ stopReason: 'cancelled' });
    await deleting;
    await expect(room.sessions.get(id)).rejects.toMatchObject({ code: 'session.not_found' });
    expect(await room.storage.read(transcriptLog(id))).toEqual([]);
    expect(room.agents.forgotten).toEqual([id]);
    await expect(room.sessions.delete(id, context)).rejects.toMatchObject({ code: 'session.not_found' });
  });

  test.each(['get', 'prompt', 'cancel', 'update', 'delete'] as const)(
    '%s of what is not there',
    async (method) => {
      const call = {
        get: () => room.sessions.get('x'),
        prompt: () => room.sessions.prompt({ id: 'x', message: 'm' }, context),
        cancel: () => room.sessions.cancel('x', context),
        update: () => room.sessions.update({ id: 'x', title: 't' }, context),
        delete: () => room.sessions.delete('x', context),
      }[method];
      await expect(call()).rejects.toMatchObject({ code: 'session.not_found' });
    },
  );
});

test('delete also cancels the turn of a prompt that came in between', async () => {
  const { id } = await room.sessions.create({ message: 'one' }, context);
  const first = room.lastPrompt();
  const second = Promise.withResolvers<unknown>();
  const get = room.storage.get.bind(room.storage);
  const watching = room.bus.subscribe({ name: 'eager', topics: ['session.turn.changed'] }, () => {
    watching.end();
    // Queued before the delete is, and still under way when the first turn is over.
    vi.spyOn(room.storage, 'get').mockImplementationOnce(async (collection, key) => {
      await new Promise((resolve) => setImmediate(resolve));
      return get(collection, key);
    });
    second.resolve(room.sessions.prompt({ id, message: 'two' }, context));
  });
  const deleted = room.sessions.delete(id, context);
  first.answer({ stopReason: 'cancelled' });
  await second.promise;
  await eventually(() => expect(room.lastPrompt().request.signal.aborted).toBe(true));
  room.lastPrompt().answer({ stopReason: 'cancelled' });
  await deleted;
  expect(room.sessions.counts()).toMatchObject({ runningTurns: 0, active: 0 });
  expect(await room.storage.read(transcriptLog(id))).toEqual([]);
});

test('a delete that waited for a turn takes nothing away during a pause', async () => {
  const { id } = await room.sessions.create({ message: 'one' }, context);
  const deleted = room.sessions.delete(id, context);
  const pausing = room.sessions.pause('a backup is being restored');
  room.lastPrompt().answer({ stopReason: 'cancelled' });
  await expect(deleted).rejects.toMatchObject({ code: 'maintenance.active' });
  await pausing;
  expect((await room.sessions.get(id)).id).toBe(id);
});

describe('list', () => {
  test('the last used first; by agent, status and text; page by page', async () => {
    for (const title of ['Alpha', 'Beta', 'Gamma', 'ÄRGER']) {
      await room.sessions.create({ title, agentId: title === 'Beta' ? 'other' : 'echo' }, context);
      await room.clock.advance(1000);
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

test('a cursor that no list gave is a bad request', async () => {
  await expect(list({ cursor: 'garbage' })).rejects.toMatchObject({ code: 'request.invalid' });
});

test('idle sessions age to inactive and expired, and a prompt makes them active again', async () => {
  const { id } = await room.sessions.create({}, context);
  await room.clock.advance(3600_000 + 300_000);
  await eventually(async () => expect((await room.sessions.get(id)).state).toBe('inactive'));
  expect(room.sessions.counts()).toMatchObject({ active: 0 });
  await room.clock.advance(8 * 86_400_000);
  await eventually(async () => expect((await room.sessions.get(id)).state).toBe('expired'));
  await room.sessions.prompt({ id, message: 'hello' }, context);
  expect((await room.sessions.get(id)).state).toBe('active');
});

test('a session of an older version, without what came later, is read and prompted', async () => {
  const { id } = await room.sessions.create({ title: 'Old' }, context);
  const document = await room.storage.get<Record<string, unknown>>('sessions', id);
  const { waitingForYou: _, attachmentCount: __, ...old } = document?.value ?? {};
  await room.storage.commit([
    {
      kind: 'put',
      collection: 'sessions',
      id,
      value: old,
      index: { state: 'active', status: 'idle', lastActivityAt: 1 },
    },
  ]);
  expect((await list()).items).toMatchObject([{ id, waitingForYou: 0 }]);
  const attachments = [{ name: 'a', mimeType: 'text/plain', data: 'YQ==' }];
  await room.sessions.prompt({ id, message: 'hello', attachments }, context);
  expect(await room.sessions.get(id)).toMatchObject({
    waitingForYou: 0,
    messages: [{ attachments: [{ id: `${id}.1` }] }],
  });
});
