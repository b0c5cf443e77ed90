import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LiveTopic, Message, RuntimeEvent, SessionDetail, Turn } from '#contract';
import { foldTranscript, type MessageDelta } from './fold-transcript.ts';

const turn: Turn = {
  id: 't1',
  sessionId: 's1',
  state: 'running',
  startedAt: 1,
  correlationId: 'c1',
};

const prompt: Message = {
  id: 'm1',
  turnId: 't1',
  role: 'user',
  kind: 'text',
  text: 'hello',
  createdAt: 1,
  complete: true,
};

function detail(overrides: Partial<SessionDetail> = {}): SessionDetail {
  return {
    id: 's1',
    title: 'A session',
    agentId: 'echo',
    state: 'active',
    status: 'busy',
    version: 2,
    createdAt: 1,
    updatedAt: 1,
    lastActivityAt: 1,
    messageCount: 1,
    sizeBytes: 5,
    usage: { inputTokens: 0, outputTokens: 0 },
    waitingForYou: 0,
    messages: [prompt],
    turns: [turn],
    ...overrides,
  };
}

let sequence = 0;
function event(type: LiveTopic, data: unknown): RuntimeEvent {
  sequence += 1;
  return {
    specversion: '1.0',
    id: `e${sequence}`,
    source: 'test',
    type,
    time: '2026-01-01T00:00:00Z',
    datacontenttype: 'application/json',
    data,
    sequence: type === 'session.message.delta' ? 0 : sequence,
    priority: 'normal',
    correlationid: 'c1',
  };
}

function delta(offset: number, text: string, overrides: Partial<MessageDelta> = {}): RuntimeEvent {
  return event('session.message.delta', {
    sessionId: 's1',
    turnId: 't1',
    messageId: 'm2',
    role: 'agent',
    kind: 'text',
    offset,
    text,
    ...overrides,
  });
}

function answer(text: string, complete: boolean): Message {
  return { id: 'm2', turnId: 't1', role: 'agent', kind: 'text', text, createdAt: 2, complete };
}

function textOf(result: { detail: SessionDetail }, id = 'm2'): string | undefined {
  return result.detail.messages.find((message) => message.id === id)?.text;
}

describe('deltas', () => {
  test('the first one makes the message, the next ones add to it', () => {
    const result = foldTranscript(detail(), [delta(0, 'one '), delta(4, 'two')]);
    expect(textOf(result)).toBe('one two');
    expect(result.held).toEqual([]);
    expect(result.detail.messages.at(-1)).toMatchObject({ turnId: 't1', role: 'agent', complete: false });
  });

  test('do not change the session that they are folded into', () => {
    const before = detail({ messages: [prompt, answer('one ', false)] });
    foldTranscript(before, [delta(4, 'two')]);
    expect(before.messages[1]?.text).toBe('one ');
  });

  test('a repetition changes nothing at all, a partial one adds what is new', () => {
    const before = detail({ messages: [prompt, answer('one two', false)] });
    expect(foldTranscript(before, [delta(0, 'one '), delta(4, 'two')]).detail).toBe(before);
    expect(textOf(foldTranscript(before, [delta(4, 'two three')]))).toBe('one two three');
  });

  test('a gap is held and never guessed at', () => {
    const result = foldTranscript(detail({ messages: [prompt, answer('one ', false)] }), [delta(8, 'three')]);
    expect(textOf(result)).toBe('one ');
    expect(result.held).toHaveLength(1);
  });

  test('a message whose beginning was missed is not shown from its middle', () => {
    const result = foldTranscript(detail(), [delta(10, 'middle')]);
    expect(textOf(result)).toBeUndefined();
    expect(result.held).toHaveLength(1);
  });

  test('out of order, in one batch and over two', () => {
    const together = foldTranscript(detail(), [delta(8, 'three'), delta(4, 'two '), delta(0, 'one ')]);
    expect(textOf(together)).toBe('one two three');
    expect(together.held).toEqual([]);

    const first = foldTranscript(detail(), [delta(4, 'two')]);
    const second = foldTranscript(first.detail, [delta(0, 'one ')], first.held);
    expect(textOf(second)).toBe('one two');
    expect(second.held).toEqual([]);
  });

  test('a surrogate pair that was cut in two is whole again', () => {
    const rocket = '🚀';
    const result = foldTranscript(detail(), [
      delta(0, `go ${rocket[0]}`),
      delta(4, `${rocket[1]} now`),
      delta(3, rocket),
    ]);
    expect(textOf(result)).toBe('go 🚀 now');
  });

  test('after the message is complete they say nothing new', () => {
    const result = foldTranscript(detail(), [
      delta(0, 'one'),
      event('session.message.completed', { sessionId: 's1', message: answer('one two', true) }),
      delta(3, ' late'),
      delta(99, 'gap'),
    ]);
    expect(textOf(result)).toBe('one two');
    expect(result.held).toEqual([]);
  });

  test('what was held is dropped once the whole message came', () => {
    const first = foldTranscript(detail(), [delta(5, 'x')]);
    const second = foldTranscript(
      first.detail,
      [event('session.message.completed', { sessionId: 's1', message: answer('whole', true) })],
      first.held,
    );
    expect(second.held).toEqual([]);
    expect(textOf(second)).toBe('whole');
  });

  test('of another session are ignored', () => {
    const before = detail();
    expect(foldTranscript(before, [delta(0, 'x', { sessionId: 's2' })]).detail).toBe(before);
  });

  test('any split, order, repetition and batching ends in the same text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
        fc.array(fc.nat(59), { maxLength: 12 }),
        fc.infiniteStream(fc.nat()),
        fc.integer({ min: 1, max: 5 }),
        (text, cuts, randoms, batch) => {
          const borders = [...new Set([0, ...cuts.filter((cut) => cut < text.length), text.length])].sort(
            (a, b) => a - b,
          );
          const parts = borders
            .slice(0, -1)
            .map((start, index) => delta(start, text.slice(start, borders[index + 1])));
          const next = () => randoms.next().value as number;
          const shuffled = [...parts, ...parts.filter(() => next() % 2 === 0)]
            .map((part) => ({ part, key: next() }))
            .sort((a, b) => a.key - b.key)
            .map(({ part }) => part);
          let state = foldTranscript(detail(), []);
          for (let start = 0; start < shuffled.length; start += batch)
            state = foldTranscript(state.detail, shuffled.slice(start, start + batch), state.held);
          expect(textOf(state)).toBe(text);
          expect(state.held).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('durable events', () => {
  test('fold into a newer reading without taking anything back', () => {
    const ended: Turn = { ...turn, state: 'completed', endedAt: 9 };
    const read = detail({
      version: 7,
      title: 'New',
      turns: [ended],
      messages: [prompt, answer('all', true)],
    });
    const result = foldTranscript(read, [
      event('session.turn.changed', turn),
      event('session.changed', { ...read, version: 6, title: 'Old', messages: undefined }),
      event('session.message.changed', { sessionId: 's1', message: answer('al', false) }),
      delta(0, 'al'),
    ]);
    expect(result.detail).toMatchObject({ version: 7, title: 'New' });
    expect(result.detail.turns).toEqual([ended]);
    expect(textOf(result)).toBe('all');
  });

  test('a turn and its prompt appear, and end', () => {
    const next: Turn = { ...turn, id: 't2' };
    const result = foldTranscript(detail(), [
      event('session.turn.changed', next),
      event('session.message.completed', { sessionId: 's1', message: { ...prompt, id: 'm3', turnId: 't2' } }),
      event('session.turn.changed', {
        ...next,
        state: 'failed',
        error: { code: 'agent.crashed', message: 'x' },
      }),
    ]);
    expect(result.detail.turns.map((known) => known.state)).toEqual(['running', 'failed']);
    expect(result.detail.messages.map((message) => message.id)).toEqual(['m1', 'm3']);
  });

  test('a tool call is changed in its place', () => {
    const call = (status: 'pending' | 'completed'): Message => ({
      ...answer('list files', true),
      kind: 'tool_call',
      toolCall: { toolCallId: 'c', title: 'list files', status },
    });
    const before = detail({ messages: [prompt, call('pending'), { ...answer('after', true), id: 'm9' }] });
    const { detail: after } = foldTranscript(before, [
      event('session.message.changed', { sessionId: 's1', message: call('completed') }),
    ]);
    expect(after.messages.map((message) => message.id)).toEqual(['m1', 'm2', 'm9']);
    expect(after.messages[1]?.toolCall?.status).toBe('completed');
    expect(after.messages[2]).toBe(before.messages[2]);
  });
});
