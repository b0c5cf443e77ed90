import { afterEach, beforeEach, expect, test } from 'vitest';
import { fault } from '../contract/index.ts';
import { context, type OpenSessions, openSessions } from './sessions.fixture.ts';

let room: OpenSessions;

beforeEach(async () => {
  room = await openSessions();
});

afterEach(() => room.close());

async function failed(code: 'agent.crashed' | 'agent.failed') {
  const { id } = await room.sessions.create({}, context);
  const { id: turnId } = await room.sessions.prompt(
    {
      id,
      message: 'look',
      attachments: [{ name: 'a', mimeType: 'text/plain', data: Buffer.from('bytes').toString('base64') }],
    },
    context,
  );
  room.lastPrompt().request.onUpdate({ kind: 'text', text: 'half' });
  room.lastPrompt().fail(fault(code, 'It went wrong.'));
  await room.settled(id);
  return { id, turnId };
}

test.each(['agent.crashed', 'agent.failed'] as const)(
  'after %s the same prompt goes out again with its files, and the old turn stays',
  async (code) => {
    const { id, turnId } = await failed(code);
    const { sizeBytes } = await room.sessions.get(id);
    const turn = await room.sessions.resend({ id, turnId }, { correlationId: 'again' });
    expect(turn).toMatchObject({ state: 'running', resentFrom: turnId, correlationId: 'again' });
    const { request, answer } = room.lastPrompt();
    expect(request).toMatchObject({ text: 'look', turnId: turn.id });
    expect(request.attachments.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['bytes']);
    answer({ stopReason: 'end_turn' });
    const session = await room.settled(id);
    expect(session.turns.map(({ state, resentFrom }) => [state, resentFrom])).toEqual([
      [code === 'agent.crashed' ? 'interrupted' : 'failed', undefined],
      ['completed', turnId],
    ]);
    expect(session.messages.map(({ text }) => text)).toEqual(['look', 'half', 'look']);
    expect(session.sizeBytes, 'the files are there once').toBe(sizeBytes + 'look'.length);
    expect((await room.storage.stats()).documents.attachments).toBe(1);
  },
);

test('of several clicks one sends, and none does later', async () => {
  const { id, turnId } = await failed('agent.crashed');
  const clicks = await Promise.allSettled([1, 2, 3].map(() => room.sessions.resend({ id, turnId }, context)));
  expect(clicks.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(room.agents.pending).toHaveLength(2);
  room.lastPrompt().fail(fault('agent.crashed', 'Again.'));
  await room.settled(id);
  await expect(room.sessions.resend({ id, turnId }, context)).rejects.toMatchObject({
    code: 'session.nothing_to_resend',
  });
});

test('what ended well, or was cancelled by the user, is not sent again', async () => {
  const { id, lastTurn } = await room.sessions.create({ message: 'one' }, context);
  const turnId = lastTurn?.id ?? '';
  await expect(room.sessions.resend({ id, turnId }, context)).rejects.toMatchObject({
    code: 'session.nothing_to_resend',
  });
  room.lastPrompt().answer({ stopReason: 'end_turn' });
  await room.settled(id);
  await expect(room.sessions.resend({ id, turnId }, context)).rejects.toMatchObject({
    code: 'session.nothing_to_resend',
  });
  const second = await room.sessions.prompt({ id, message: 'two' }, context);
  const cancelled = room.sessions.cancel(id, context);
  room.lastPrompt().answer({ stopReason: 'cancelled' });
  await cancelled;
  await expect(room.sessions.resend({ id, turnId: second.id }, context)).rejects.toMatchObject({
    code: 'session.nothing_to_resend',
  });
  await expect(room.sessions.resend({ id: 'nothing', turnId }, context)).rejects.toMatchObject({
    code: 'session.not_found',
  });
});

test('what a kill interrupted can be sent again after the next start, and is not unasked', async () => {
  const { id, lastTurn } = await room.sessions.create({ message: 'one' }, context);
  const next = room.make();
  await next.sessions.start();
  expect(room.agents.pending).toHaveLength(1);
  await next.sessions.resend({ id, turnId: lastTurn?.id ?? '' }, context);
  expect(room.lastPrompt().request.text).toBe('one');
  room.lastPrompt().answer({ stopReason: 'end_turn' });
  await next.sessions.stop();
});
