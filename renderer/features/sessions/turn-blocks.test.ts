import { expect, test } from 'vitest';
import type { Message, Turn } from '#contract';
import { answerOf, isResendable, promptOf, reuseBlocks, turnBlocks } from './turn-blocks.ts';

function message(id: string, turnId: string, overrides: Partial<Message> = {}): Message {
  return { id, turnId, role: 'agent', kind: 'text', text: id, createdAt: 1, complete: true, ...overrides };
}

function turn(id: string, state: Turn['state'] = 'completed'): Turn {
  return { id, sessionId: 's1', state, startedAt: 1, correlationId: 'c' };
}

const prompt = message('p1', 't1', { role: 'user', text: 'hello' });
const thought = message('a1', 't1', { kind: 'thought' });
const answer = message('a2', 't1');

test('messages go to their turn in order, prompts apart from the answer', () => {
  const blocks = turnBlocks({
    messages: [prompt, thought, answer, message('p2', 't2', { role: 'user' }), message('a3', 't1')],
    turns: [turn('t1'), turn('t2', 'running')],
  });
  expect(blocks.map((block) => [block.id, block.turn?.state])).toEqual([
    ['t1', 'completed'],
    ['t2', 'running'],
  ]);
  expect(blocks[0]?.entries.map((entry) => entry.id)).toEqual(['a1', 'a2', 'a3']);
  expect(promptOf(blocks[0] as (typeof blocks)[0])).toBe('hello');
  expect(answerOf(blocks[0] as (typeof blocks)[0])).toBe('a2\n\na3');
});

test('a turn without messages and messages without a turn are shown too', () => {
  const blocks = turnBlocks({ messages: [message('a', 'early')], turns: [turn('t1', 'interrupted')] });
  expect(blocks.map((block) => [block.id, block.turn?.state, block.entries.length])).toEqual([
    ['early', undefined, 1],
    ['t1', 'interrupted', 0],
  ]);
});

test('only the block that changed is a new one', () => {
  const turns = [turn('t1'), turn('t2')];
  const before = turnBlocks({ messages: [prompt, message('b', 't2')], turns });
  const after = reuseBlocks(
    before,
    turnBlocks({ messages: [prompt, message('b', 't2', { text: 'more' })], turns }),
  );
  expect(after[0]).toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
  expect(after[1]?.entries[0]?.text).toBe('more');
});

test.each<[Turn['state'], string | undefined, boolean]>([
  ['interrupted', undefined, true],
  ['failed', 'agent.crashed', true],
  ['cancelled', 'budget.exhausted', true],
  ['cancelled', undefined, false],
  ['completed', undefined, false],
  ['running', undefined, false],
])('a turn that is %s (%s) can be sent again by the runtime: %s', (state, code, expected) => {
  const error = code === undefined ? {} : { error: { code, message: '' } };
  expect(isResendable({ ...turn('t1', state), ...error })).toBe(expected);
});
