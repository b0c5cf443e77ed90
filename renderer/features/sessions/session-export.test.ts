import { expect, test } from 'vitest';
import type { Message, SessionDetail } from '#contract';
import { exportSession } from './session-export.ts';

function message(id: string, overrides: Partial<Message>): Message {
  return {
    id,
    turnId: 't1',
    role: 'agent',
    kind: 'text',
    text: '',
    createdAt: 1,
    complete: true,
    ...overrides,
  };
}

const session: SessionDetail = {
  id: 'abcdefghijkl',
  title: 'Größe: "a/b" & c',
  agentId: 'echo',
  state: 'active',
  status: 'failed',
  version: 3,
  createdAt: 0,
  updatedAt: 0,
  lastActivityAt: 0,
  messageCount: 4,
  sizeBytes: 10,
  usage: { inputTokens: 12, outputTokens: 34 },
  waitingForYou: 0,
  turns: [
    {
      id: 't1',
      sessionId: 'abcdefghijkl',
      state: 'failed',
      startedAt: 0,
      correlationId: 'c',
      error: { code: 'agent.crashed', message: 'exit code 1' },
    },
  ],
  messages: [
    message('m1', { role: 'user', text: 'List\nfiles' }),
    message('m2', { kind: 'thought', text: 'first\nsecond' }),
    message('m3', {
      kind: 'tool_call',
      text: 'ls',
      toolCall: { toolCallId: 'x', title: 'ls', status: 'completed', content: 'a\n```\nb' },
    }),
    message('m4', { text: 'Two files.' }),
  ],
};

test('JSON is the session, to the letter', () => {
  const file = exportSession(session, 'json');
  expect(JSON.parse(file.text)).toEqual(session);
  expect(file.fileName).toBe('größe-a-b-c-abcdefgh.json');
});

test('NDJSON has one message a line', () => {
  const { text } = exportSession(session, 'ndjson');
  expect(text.endsWith('\n')).toBe(true);
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual(session.messages);
});

test('Markdown can be read, says how the turn ended, and no output breaks out of its fence', () => {
  const { text, fileName } = exportSession(session, 'markdown');
  expect(fileName.endsWith('.md')).toBe(true);
  expect(text).toContain('## You\n\nList\nfiles');
  expect(text).toContain('> first\n> second');
  expect(text).toContain('**Tool call: ls** (completed)\n\n````\na\n```\nb\n````');
  expect(text).toContain('Two files.');
  expect(text.trimEnd().endsWith('*failed: exit code 1 (agent.crashed)*')).toBe(true);
});

test('a title without letters still makes a file name', () => {
  expect(exportSession({ ...session, title: '???' }, 'json').fileName).toBe('session-abcdefgh.json');
});
