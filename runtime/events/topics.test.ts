import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileTopics } from './topics.ts';

const matches = (pattern: string, topic: string) => compileTopics([pattern])(topic);

describe('topic patterns', () => {
  test.each([
    ['agent.state.changed', 'agent.state.changed', true],
    ['agent.state.changed', 'agent.state', false],
    ['agent.*.changed', 'agent.state.changed', true],
    ['agent.*.changed', 'agent.changed', false],
    ['agent.*', 'agent.state.changed', false],
    ['*', 'agent', true],
    ['*', 'agent.state', false],
    ['agent.>', 'agent.state', true],
    ['agent.>', 'agent.state.changed', true],
    ['agent.>', 'agent', false],
    ['*.state.>', 'agent.state.changed', true],
    ['>', 'a.b.c.d', true],
  ])('%s against %s: %s', (pattern, topic, expected) => {
    expect(matches(pattern, topic)).toBe(expected);
  });

  test.each(['', 'a..b', '.a', 'a.', 'a.>.b', '>.a', 'A.b', 'a b', 'a.**', '*a'])(
    '"%s" is refused',
    (pattern) => {
      expect(() => compileTopics([pattern])).toThrowError(
        expect.objectContaining({ code: 'event.invalid_topic', data: { pattern } }),
      );
    },
  );

  test('one of several patterns is enough', () => {
    const either = compileTopics(['agent.>', 'session.created']);
    expect([either('agent.recovered'), either('session.created'), either('session.deleted')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('a topic matches itself, and itself with any token starred', () => {
    const token = fc.stringMatching(/^[a-z0-9_-]{1,8}$/);
    fc.assert(
      fc.property(fc.array(token, { minLength: 1, maxLength: 8 }), fc.nat(), (tokens, at) => {
        const starred = tokens.map((part, index) => (index === at % tokens.length ? '*' : part));
        expect(matches(tokens.join('.'), tokens.join('.'))).toBe(true);
        expect(matches(starred.join('.'), tokens.join('.'))).toBe(true);
        expect(matches(starred.join('.'), [...tokens, 'more'].join('.'))).toBe(false);
      }),
    );
  });
});
