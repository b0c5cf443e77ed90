import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fault } from '../contract/index.ts';
import { SESSION_COLLECTION, type SessionRecord } from './session-record.ts';
import { context, eventually, type OpenSessions, openSessions } from './sessions.fixture.ts';

let room: OpenSessions;

beforeEach(async () => {
  room = await openSessions();
});

afterEach(() => room.close());

const window = (used: number) => ({ contextWindow: { used, size: 1000 } });

test('what an agent tells is in the session, with what it told before', async () => {
  const { id } = await room.sessions.create({}, context);
  room.agents.tell(id, { commands: [{ name: 'plan', description: 'Makes a plan' }] });
  room.agents.tell(id, window(5));
  await room.clock.advance(1000);
  await eventually(async () =>
    expect((await room.sessions.get(id)).agent).toEqual({
      commands: [{ name: 'plan', description: 'Makes a plan' }],
      ...window(5),
    }),
  );
  const next = room.make();
  await next.sessions.start();
  expect((await next.sessions.get(id)).agent).toMatchObject(window(5));
  await next.sessions.stop();
});

test('a hundred times in a second are two commits at most, and the last one counts', async () => {
  const { id } = await room.sessions.create({}, context);
  const commit = vi.spyOn(room.storage, 'commit');
  for (let used = 1; used <= 100; used++) {
    room.agents.tell(id, window(used));
    await room.clock.advance(9);
  }
  await room.clock.advance(1000);
  await eventually(async () => expect((await room.sessions.get(id)).agent).toEqual(window(100)));
  expect(commit.mock.calls.length).toBeLessThanOrEqual(2);
});

test('what has not changed is not written, and what is told of no session is nothing', async () => {
  const { id } = await room.sessions.create({}, context);
  room.agents.tell(id, window(1));
  await eventually(async () => expect((await room.sessions.get(id)).agent).toEqual(window(1)));
  const { version } = await room.sessions.get(id);
  await room.clock.advance(5000);
  room.agents.tell(id, window(1));
  room.agents.tell('nothing', window(1));
  await room.clock.advance(5000);
  expect((await room.sessions.get(id)).version).toBe(version);
});

test('what the storage did not take is written with the next', async () => {
  const { id } = await room.sessions.create({}, context);
  vi.spyOn(room.storage, 'commit').mockRejectedValueOnce(fault('storage.full', 'Full.'));
  room.agents.tell(id, window(1));
  await room.clock.advance(1000);
  await eventually(async () => expect((await room.sessions.get(id)).agent).toEqual(window(1)));
});

test('an orderly stop writes what is waiting', async () => {
  const { id } = await room.sessions.create({}, context);
  room.agents.tell(id, window(1));
  await room.clock.advance(10);
  room.agents.tell(id, window(2));
  await room.sessions.stop();
  expect((await room.sessions.get(id)).agent).toEqual(window(2));
});

test('what was told in a turn is in the session from its end on', async () => {
  const { id } = await room.sessions.create({ message: 'hello' }, context);
  room.agents.tell(id, window(1));
  await eventually(async () => expect((await room.sessions.get(id)).agent).toEqual(window(1)));
  // The second one would wait a second for its turn.
  room.agents.tell(id, window(2));
  room.lastPrompt().answer({ stopReason: 'end_turn' });
  const ended = await room.settled(id);
  expect(ended.agent).toEqual(window(2));
  await room.clock.advance(5000);
  expect(await room.sessions.get(id)).toEqual(ended);
});

test('what was told in a turn whose end the storage did not take at once is not lost', async () => {
  const { id } = await room.sessions.create({ message: 'hello' }, context);
  room.agents.tell(id, window(1));
  await eventually(async () => expect((await room.sessions.get(id)).agent).toEqual(window(1)));
  room.agents.tell(id, window(2));
  vi.spyOn(room.storage, 'commit').mockRejectedValueOnce(fault('storage.full', 'Full.'));
  room.lastPrompt().answer({ stopReason: 'end_turn' });
  await eventually(async () => {
    await room.clock.advance(1000);
    expect(await room.sessions.get(id)).toMatchObject({ status: 'idle', agent: window(2) });
  });
});

test('a mode and an option that were switched show in the answer', async () => {
  const { id } = await room.sessions.create({}, context);
  expect(await room.sessions.setMode({ id, modeId: 'plan' }, context)).toMatchObject({
    agent: { modes: { currentModeId: 'plan' } },
  });
  expect(await room.sessions.setOption({ id, optionId: 'web', value: true }, context)).toMatchObject({
    agent: { modes: { currentModeId: 'plan' }, options: [{ id: 'web', value: true }] },
  });
  await expect(room.sessions.setMode({ id, modeId: 'unknown' }, context)).rejects.toMatchObject({
    code: 'session.mode_unknown',
  });
  await expect(room.sessions.setMode({ id: 'nothing', modeId: 'plan' }, context)).rejects.toMatchObject({
    code: 'session.not_found',
  });
});

describe('a title that the agent tells', () => {
  const titled = (id: string, title: string) =>
    eventually(async () => expect((await room.sessions.get(id)).title).toBe(title));

  test('takes the place of none, of the first prompt, and of one that it told before', async () => {
    const { id } = await room.sessions.create({}, context);
    room.agents.tell(id, { title: 'A greeting' });
    await titled(id, 'A greeting');
    await room.sessions.prompt({ id, message: 'hello there' }, context);
    expect((await room.sessions.get(id)).title, 'the prompt gives no title any more').toBe('A greeting');
    await room.clock.advance(1000);
    room.agents.tell(id, { title: 'Two greetings', ...window(3) });
    await titled(id, 'Two greetings');
    expect((await room.sessions.get(id)).agent, 'it is the title of the session alone').toEqual(window(3));
    const { items } = await room.sessions.list({ search: 'two greet', limit: 10 });
    expect(items.map((session) => session.id)).toEqual([id]);

    const prompted = await room.sessions.create({ message: 'hello there' }, context);
    expect(prompted.title).toBe('hello there');
    room.agents.tell(prompted.id, { title: 'Greeted' });
    await titled(prompted.id, 'Greeted');
  });

  test('does not take the place of one that the user gave, before or after', async () => {
    const { id } = await room.sessions.create({ title: 'Mine' }, context);
    room.agents.tell(id, { title: 'Its own', ...window(1) });
    await eventually(async () => expect((await room.sessions.get(id)).agent).toEqual(window(1)));
    expect((await room.sessions.get(id)).title).toBe('Mine');

    const other = await room.sessions.create({ message: 'go' }, context);
    room.agents.tell(other.id, { title: 'Its own' });
    await titled(other.id, 'Its own');
    await room.sessions.update({ id: other.id, title: 'Mine, too' }, context);
    await room.clock.advance(1000);
    room.agents.tell(other.id, { title: 'Its second', ...window(2) });
    await eventually(async () => expect((await room.sessions.get(other.id)).agent).toEqual(window(2)));
    expect((await room.sessions.get(other.id)).title).toBe('Mine, too');
  });

  test('leaves a session of a version that did not know who gave its title as it is', async () => {
    const titleAfter = async (untitled: boolean) => {
      const { id } = await room.sessions.create({ title: 'As it is' }, context);
      const document = await room.storage.get<SessionRecord>(SESSION_COLLECTION, id);
      const { titledBy: _, ...older } = { ...document?.value, untitled };
      await room.storage.commit([{ kind: 'put', collection: SESSION_COLLECTION, id, value: older }]);
      room.agents.tell(id, { title: 'Its own', ...window(1) });
      await eventually(async () => expect((await room.sessions.get(id)).agent).toEqual(window(1)));
      return (await room.sessions.get(id)).title;
    };
    expect(await titleAfter(false)).toBe('As it is');
    expect(await titleAfter(true)).toBe('Its own');
  });
});
