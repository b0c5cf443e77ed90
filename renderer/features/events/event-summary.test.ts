import { expect, test } from 'vitest';
import type { RuntimeEvent } from '#contract';
import { eventSummary, jsonStart } from './event-summary.ts';

function event(type: string, data: unknown): RuntimeEvent {
  return {
    specversion: '1.0',
    id: 'e',
    source: 'test',
    type,
    time: '2026-01-01T00:00:00Z',
    datacontenttype: 'application/json',
    data,
    sequence: 1,
    priority: 'normal',
    correlationid: 'c',
  };
}

test('known topics are told in words', () => {
  expect(
    eventSummary(event('agent.state.changed', { from: 'healthy', to: 'crashed', reason: 'exit code 1' })),
  ).toBe('healthy → crashed: exit code 1');
  expect(
    eventSummary(
      event('session.message.completed', { message: { role: 'agent', kind: 'text', text: 'two\n lines' } }),
    ),
  ).toBe('agent text: two lines');
  expect(
    eventSummary(event('session.turn.changed', { state: 'completed', startedAt: 1000, endedAt: 2500 })),
  ).toBe('turn completed after 1.5 s');
});

test('the end of a process is told as far as it is known', () => {
  const exited = (exit: object) =>
    eventSummary(event('agent.process.exited', { exit: { generation: 3, ...exit } }));
  expect(exited({ code: 1, signal: null, intended: false })).toBe('generation 3, exit code 1');
  expect(exited({ code: null, signal: 'SIGKILL', intended: true })).toBe(
    'generation 3, signal SIGKILL, as asked',
  );
  expect(exited({ code: null, signal: null, intended: true })).toBe('generation 3, end not seen');
});

test('an unknown topic, or a known one with another shape, is shown as JSON', () => {
  expect(eventSummary(event('other.thing', { a: [1, null, true], b: 'x' }))).toBe(
    '{"a":[1,null,true],"b":"x"}',
  );
  expect(eventSummary(event('agent.process.exited', { strange: 1 }))).toBe('{"strange":1}');
  expect(eventSummary(event('agent.created', null))).toBe('null');
});

test('the life of the runtime is told in words', () => {
  expect(eventSummary(event('runtime.started', { version: '1.2.3', mode: 'headless' }))).toBe(
    'version 1.2.3, headless',
  );
  expect(eventSummary(event('runtime.stopping', { reason: 'asked to stop' }))).toBe('asked to stop');
});

test('a long one is cut', () => {
  expect(jsonStart({ text: 'x'.repeat(1000) }, 20)).toBe('{"text":"xxxxxxxxxxx…');
  expect(jsonStart({ ok: 1 }, 8)).toBe('{"ok":1}');
});

test('only what is shown is looked at', () => {
  const visited: number[] = [];
  const wide = Array.from({ length: 1000 }, (_, index) =>
    Object.defineProperty({}, 'value', {
      enumerable: true,
      get: () => {
        visited.push(index);
        return index;
      },
    }),
  );
  jsonStart(wide, 60);
  expect(visited.length).toBeLessThan(10);
});
