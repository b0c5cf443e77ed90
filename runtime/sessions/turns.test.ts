import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fault } from '../contract/index.ts';
import { context, eventually, type OpenSessions, openSessions } from './sessions.fixture.ts';
import { transcriptLog } from './transcript.ts';

let room: OpenSessions;

beforeEach(async () => {
  room = await openSessions();
});

afterEach(() => room.close());

describe('a turn', () => {
  test('is durable before it is answered, streams, and ends', async () => {
    const { id } = await room.sessions.create({}, context);
    const turn = await room.sessions.prompt({ id, message: 'hello' }, { correlationId: 'c2' });
    expect(turn).toMatchObject({ sessionId: id, state: 'running', correlationId: 'c2' });
    expect(await room.storage.read(transcriptLog(id))).toHaveLength(2);

    const { request, answer } = room.lastPrompt();
    request.onUpdate({ kind: 'text', text: 'hel' });
    request.onUpdate({ kind: 'text', text: 'lo' });
    const during = await room.sessions.get(id);
    expect(during.messages.map(({ role, text, complete }) => ({ role, text, complete }))).toEqual([
      { role: 'user', text: 'hello', complete: true },
      { role: 'agent', text: 'hello', complete: false },
    ]);

    answer({ stopReason: 'end_turn', usage: { inputTokens: 3, outputTokens: 5 } });
    const after = await room.settled(id);
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
    const { id } = await room.sessions.create({ message: 'go' }, { correlationId: 'c7' });
    const { request, answer } = room.lastPrompt();
    request.onUpdate({ kind: 'thought', text: 'hm' });
    request.onUpdate({ kind: 'text', text: 'a😀' });
    request.onUpdate({ kind: 'text', text: 'b' });
    answer({ stopReason: 'end_turn' });
    await room.settled(id);
    const deltas = room.told.filter((event) => event.type === 'session.message.delta');
    expect(deltas.map((event) => event.data)).toMatchObject([
      { kind: 'thought', offset: 0, text: 'hm' },
      { kind: 'text', offset: 0, text: 'a😀' },
      { kind: 'text', offset: 3, text: 'b' },
    ]);
    const durable = room.told.filter((event) => event.sequence > 0);
    expect(durable.map((event) => event.type)).toEqual([
      'session.created',
      'session.turn.changed',
      'session.message.completed',
      'session.message.completed',
      'session.message.completed',
      'session.turn.changed',
      'session.changed',
    ]);
    expect(new Set(room.told.map((event) => event.correlationid))).toEqual(new Set(['c7']));
  });

  test('text is made durable while it streams, in parts', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const { request } = room.lastPrompt();
    const durableText = async () =>
      (
        await room.storage.read<{ type: string; text?: string; message?: { role: string; text: string } }>(
          transcriptLog(id),
        )
      )
        .map(({ value }) =>
          value.type === 'part' ? value.text : value.message?.role === 'agent' ? value.message.text : '',
        )
        .join('');
    for (const text of ['one ', 'two ', 'three']) {
      request.onUpdate({ kind: 'text', text });
      await room.clock.advance(250);
    }
    await eventually(async () => expect(await durableText()).toBe('one two three'));
    expect((await room.storage.read(transcriptLog(id))).length).toBeGreaterThan(3);
  });

  test('tool calls, plans and unknown updates are kept in their places, as they stand last', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const { request, answer } = room.lastPrompt();
    const toolCall = { toolCallId: 'x/1', title: 'Read a file', status: 'pending' as const };
    request.onUpdate({ kind: 'text', text: 'I look.' });
    request.onUpdate({ kind: 'tool_call', toolCall });
    await room.clock.advance(300);
    request.onUpdate({ kind: 'plan', text: '1. look', plan: [{ content: 'look', status: 'pending' }] });
    request.onUpdate({ kind: 'tool_call', toolCall: { ...toolCall, status: 'completed', content: 'ok' } });
    request.onUpdate({ kind: 'raw', raw: { sessionUpdate: 'from_the_future', n: 1 } });
    request.onUpdate({ kind: 'text', text: 'Done.' });
    answer({ stopReason: 'end_turn' });
    const { messages } = await room.settled(id);
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
    const { id } = await room.sessions.create({ message: 'one' }, context);
    const second = await Promise.allSettled(
      [1, 2, 3].map(() => room.sessions.prompt({ id, message: 'two' }, context)),
    );
    expect(second.map((result) => result.status === 'rejected' && result.reason.code)).toEqual(
      Array(3).fill('session.busy'),
    );
    expect((await room.sessions.get(id)).messages).toHaveLength(1);
  });

  test('of several prompts at once exactly one is taken', async () => {
    const { id } = await room.sessions.create({}, context);
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => room.sessions.prompt({ id, message: `p${i}` }, context)),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect(room.agents.pending).toHaveLength(1);
  });

  test.each([
    ['agent.crashed', 'interrupted'],
    ['agent.unresponsive', 'interrupted'],
    ['provider.key_missing', 'failed'],
    ['agent.failed', 'failed'],
  ] as const)('an agent that fails with %s leaves it %s, with what was said so far', async (code, state) => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const { request, fail } = room.lastPrompt();
    request.onUpdate({ kind: 'text', text: 'half' });
    fail(fault(code, 'It went wrong.'));
    const session = await room.settled(id);
    expect(session).toMatchObject({
      status: state,
      lastTurn: { state, error: { code, message: 'It went wrong.' } },
    });
    expect(session.messages.at(-1)).toMatchObject({ text: 'half', complete: true });
    await room.sessions.prompt({ id, message: 'again' }, context);
    expect((await room.sessions.get(id)).status).toBe('busy');
  });

  test('what an agent says after its turn has ended is ignored', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const { request, answer } = room.lastPrompt();
    answer({ stopReason: 'end_turn' });
    await room.settled(id);
    request.onUpdate({ kind: 'text', text: 'too late' });
    expect((await room.sessions.get(id)).messages).toHaveLength(1);
  });

  test('an answer that makes the session too large ends the turn', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const { request, answer } = room.lastPrompt();
    request.onUpdate({ kind: 'text', text: 'x'.repeat(1001) });
    expect(request.signal.aborted).toBe(true);
    answer({ stopReason: 'cancelled' });
    expect((await room.settled(id)).lastTurn).toMatchObject({
      state: 'failed',
      error: { code: 'session.too_large' },
    });
    await expect(room.sessions.prompt({ id, message: 'more' }, context)).rejects.toMatchObject({
      code: 'session.too_large',
    });
  });

  test('the agent is given the turns before as its history', async () => {
    const { id } = await room.sessions.create({ message: 'first' }, context);
    room.lastPrompt().request.onUpdate({ kind: 'text', text: 'answer' });
    room.lastPrompt().answer({ stopReason: 'end_turn' });
    await room.settled(id);
    await room.sessions.prompt({ id, message: 'second' }, context);
    expect(await room.lastPrompt().request.history()).toEqual([
      { role: 'user', text: 'first' },
      { role: 'agent', text: 'answer' },
    ]);
  });
});

test('a turn that the agent cancels unasked was interrupted, and can be sent again', async () => {
  const { id } = await room.sessions.create({ message: 'go' }, context);
  room.lastPrompt().answer({ stopReason: 'cancelled' });
  const session = await room.settled(id);
  expect(session).toMatchObject({
    status: 'interrupted',
    lastTurn: { state: 'interrupted', stopReason: 'cancelled', error: { code: 'agent.stopped' } },
  });
  await room.sessions.resend({ id, turnId: session.lastTurn?.id ?? '' }, context);
});

describe('cancel', () => {
  test('tells the agent, keeps what was said, and ends the turn as cancelled', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const { request, answer } = room.lastPrompt();
    request.onUpdate({ kind: 'text', text: 'half' });
    const cancelling = room.sessions.cancel(id, context);
    expect(request.signal.aborted).toBe(true);
    answer({ stopReason: 'cancelled' });
    expect(await cancelling).toMatchObject({ state: 'cancelled' });
    expect(await room.sessions.get(id)).toMatchObject({ status: 'idle', messages: [{}, { text: 'half' }] });
    await expect(room.sessions.cancel(id, context)).rejects.toMatchObject({ code: 'session.not_running' });
  });

  test('does not wait for ever for an agent that does not react', async () => {
    const { id } = await room.sessions.create({ message: 'go' }, context);
    const cancelling = room.sessions.cancel(id, context);
    await room.clock.advance(5000);
    expect(await cancelling).toMatchObject({ state: 'cancelled' });
  });
});
