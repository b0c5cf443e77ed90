import { describe, expect, test } from 'vitest';
import type { Turn } from '../contract/index.ts';
import { foldTranscript, historyOf, type StoredMessage, type TranscriptEntry } from './transcript.ts';

const turn = (id: string, state: Turn['state']): Turn => ({
  id,
  sessionId: 's',
  state,
  startedAt: 1,
  correlationId: 'c',
});
const message = (id: string, turnId: string, role: 'user' | 'agent', text: string): StoredMessage => ({
  id,
  turnId,
  role,
  kind: 'text',
  text,
  createdAt: 1,
});
const entryOf = (value: StoredMessage): TranscriptEntry => ({ type: 'message', message: value });

describe('foldTranscript', () => {
  test('parts are joined to their message, in order', () => {
    const { messages } = foldTranscript([
      { type: 'turn', turn: turn('t1', 'running') },
      entryOf(message('m1', 't1', 'user', 'hello')),
      entryOf(message('m2', 't1', 'agent', 'he')),
      { type: 'part', messageId: 'm2', text: 'l' },
      { type: 'part', messageId: 'm2', text: 'lo' },
      { type: 'turn', turn: turn('t1', 'completed') },
    ]);
    expect(messages.map(({ id, text, complete }) => ({ id, text, complete }))).toEqual([
      { id: 'm1', text: 'hello', complete: true },
      { id: 'm2', text: 'hello', complete: true },
    ]);
  });

  test('only the last message of a running turn is incomplete, and an end completes it', () => {
    const entries: TranscriptEntry[] = [
      { type: 'turn', turn: turn('t1', 'running') },
      entryOf(message('m1', 't1', 'user', 'a')),
      entryOf(message('m2', 't1', 'agent', 'b')),
      entryOf(message('m3', 't1', 'agent', 'c')),
    ];
    expect(foldTranscript(entries).messages.map((m) => m.complete)).toEqual([true, true, false]);
    const ended = foldTranscript([...entries, { type: 'turn', turn: turn('t1', 'interrupted') }]);
    expect(ended.messages.map((m) => m.complete)).toEqual([true, true, true]);
    expect(ended.turns).toEqual([turn('t1', 'interrupted')]);
  });

  test('a message that is written again replaces what was there, its place stays', () => {
    const { messages } = foldTranscript([
      entryOf(message('m1', 't1', 'agent', 'first')),
      { type: 'part', messageId: 'm1', text: ' part' },
      entryOf(message('m2', 't1', 'agent', 'second')),
      entryOf(message('m1', 't1', 'agent', 'changed')),
    ]);
    expect(messages.map((m) => m.text)).toEqual(['changed', 'second']);
  });

  test('a turn that has ended does not run again, whatever is written late', () => {
    const used = { ...turn('t1', 'running'), usage: { inputTokens: 1, outputTokens: 0 } };
    const { turns } = foldTranscript([
      { type: 'turn', turn: turn('t1', 'running') },
      { type: 'turn', turn: used },
      { type: 'turn', turn: turn('t1', 'completed') },
      { type: 'turn', turn: used },
    ]);
    expect(turns).toEqual([turn('t1', 'completed')]);
  });

  test('an empty log is an empty transcript', () => {
    expect(foldTranscript([])).toEqual({ messages: [], turns: [] });
  });
});

describe('historyOf', () => {
  const transcript = foldTranscript(
    ['t1', 't2', 't3'].flatMap((id): TranscriptEntry[] => [
      { type: 'turn', turn: turn(id, 'completed') },
      entryOf(message(`${id}u`, id, 'user', `ask ${id}`)),
      entryOf(message(`${id}a`, id, 'agent', `answer ${id}`)),
    ]),
  );

  test('gives the last turns before the one that runs, the oldest first', () => {
    expect(historyOf(transcript, { turns: 1, bytes: 1000, before: 't3' })).toEqual([
      { role: 'user', text: 'ask t2' },
      { role: 'agent', text: 'answer t2' },
    ]);
  });

  test('drops the oldest when there are too many bytes', () => {
    expect(historyOf(transcript, { turns: 10, bytes: 'ask t3answer t3'.length, before: '' })).toEqual([
      { role: 'user', text: 'ask t3' },
      { role: 'agent', text: 'answer t3' },
    ]);
  });
});
