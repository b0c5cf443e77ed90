import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fault } from '../contract/index.ts';
import { context, type OpenSessions, openSessions } from './sessions.fixture.ts';

let room: OpenSessions;

beforeEach(async () => {
  room = await openSessions();
});

afterEach(() => room.close());

const file = (name: string, text: string) => ({
  name,
  mimeType: 'text/plain',
  data: Buffer.from(text).toString('base64'),
});
const count = async () => (await room.storage.stats()).documents.attachments ?? 0;

test('goes to the agent, is told in the transcript, counts, and can be read again', async () => {
  const { id } = await room.sessions.create({}, context);
  await room.sessions.prompt(
    { id, message: 'look', attachments: [file('a.txt', 'hello'), file('b.txt', 'ä')] },
    context,
  );
  const { request, answer } = room.lastPrompt();
  expect(request.attachments.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()])).toEqual([
    ['a.txt', 'hello'],
    ['b.txt', 'ä'],
  ]);
  answer({ stopReason: 'end_turn' });
  const session = await room.settled(id);
  expect(session.sizeBytes).toBe('look'.length + 5 + 2);
  const [prompt] = session.messages;
  expect(prompt?.attachments).toEqual([
    { id: `${id}.1`, name: 'a.txt', mimeType: 'text/plain', sizeBytes: 5 },
    { id: `${id}.2`, name: 'b.txt', mimeType: 'text/plain', sizeBytes: 2 },
  ]);
  const read = await room.make().sessions.attachment(id, `${id}.2`);
  expect(Buffer.from(read.bytes).toString()).toBe('ä');
  await room.sessions.prompt({ id, message: 'more', attachments: [file('c.txt', 'c')] }, context);
  expect((await room.sessions.attachment(id, `${id}.3`)).name).toBe('c.txt');
});

test('is durable before the agent is asked, in the commit of the prompt', async () => {
  const { id } = await room.sessions.create({}, context);
  vi.spyOn(room.storage, 'commit').mockRejectedValueOnce(fault('storage.full', 'Full.'));
  const prompt = { id, message: 'look', attachments: [file('a.txt', 'hello')] };
  await expect(room.sessions.prompt(prompt, context)).rejects.toMatchObject({ code: 'storage.full' });
  expect(room.agents.pending).toEqual([]);
  expect(await count()).toBe(0);
  await room.sessions.prompt(prompt, context);
  expect(await count()).toBe(1);
});

test('what is not there, and what is of another session, is not found', async () => {
  const { id } = await room.sessions.create({}, context);
  const other = await room.sessions.create({}, context);
  await room.sessions.prompt({ id, message: 'look', attachments: [file('a.txt', 'hello')] }, context);
  for (const [session, attachment] of [
    [id, `${id}.2`],
    [other.id, `${id}.1`],
  ] as const) {
    await expect(room.sessions.attachment(session, attachment)).rejects.toMatchObject({
      code: 'session.attachment_not_found',
    });
  }
  await expect(room.sessions.attachment('nothing', 'x')).rejects.toMatchObject({ code: 'session.not_found' });
});

test.each([
  ['one of more than 8 MiB', [file('big', 'x'.repeat(8 * 1024 * 1024 + 1))], 'request.too_large'],
  ['more than 20', Array.from({ length: 21 }, (_, i) => file(`${i}`, 'x')), 'request.too_large'],
  ['more than the session may hold', [file('a', 'x'.repeat(1000))], 'session.too_large'],
])('%s is refused, and nothing of it is kept', async (_, attachments, code) => {
  const { id } = await room.sessions.create({}, context);
  await expect(room.sessions.prompt({ id, message: 'look', attachments }, context)).rejects.toMatchObject({
    code,
  });
  expect(await room.sessions.get(id)).toMatchObject({ status: 'idle', messages: [], sizeBytes: 0 });
  expect(await count()).toBe(0);
});

test('is deleted with its session', async () => {
  const { id } = await room.sessions.create({}, context);
  await room.sessions.prompt({ id, message: 'look', attachments: [file('a', 'a'), file('b', 'b')] }, context);
  room.lastPrompt().answer({ stopReason: 'end_turn' });
  await room.settled(id);
  expect(await count()).toBe(2);
  await room.sessions.delete(id, context);
  expect(await count()).toBe(0);
});

test('one whose bytes have changed is not served', async () => {
  const { id } = await room.sessions.create({}, context);
  await room.sessions.prompt({ id, message: 'look', attachments: [file('a', 'a')] }, context);
  const document = await room.storage.get<object>('attachments', `${id}.1`);
  await room.storage.commit([
    {
      kind: 'put',
      collection: 'attachments',
      id: `${id}.1`,
      value: { ...document?.value, data: file('a', 'b').data },
    },
  ]);
  await expect(room.sessions.attachment(id, `${id}.1`)).rejects.toMatchObject({
    code: 'storage.corrupt_record',
  });
});
