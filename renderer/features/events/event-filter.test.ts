import { describe, expect, test } from 'vitest';
import type { RuntimeEvent } from '#contract';
import {
  activeFilters,
  eventListQueryOf,
  eventMatcher,
  filterFromSearch,
  NO_FILTER,
  searchFromFilter,
  topicMatcher,
  topicProblem,
} from './event-filter.ts';

function event(overrides: Partial<RuntimeEvent> = {}): RuntimeEvent {
  return {
    specversion: '1.0',
    id: 'e1',
    source: 'smalltalk',
    type: 'agent.state.changed',
    subject: 'echo',
    time: '2026-01-01T00:00:00Z',
    datacontenttype: 'application/json',
    data: { reason: 'The Probe answered' },
    sequence: 1,
    priority: 'normal',
    correlationid: 'c1',
    ...overrides,
  };
}

describe('topic patterns', () => {
  test.each([
    ['agent.state.changed', 'agent.state.changed', true],
    ['agent.*.changed', 'agent.state.changed', true],
    ['agent.*', 'agent.state.changed', false],
    ['agent.*', 'agent', false],
    ['*', 'agent', true],
    ['agent.>', 'agent.state.changed', true],
    ['agent.>', 'agent.created', true],
    ['agent.>', 'agent', false],
    ['*.state.>', 'agent.state.changed', true],
    ['*.state.>', 'agent.state', false],
    ['>', 'agent', true],
    ['agent', 'agents', false],
    ['agent.state', 'agentxstate', false],
  ])('%s on %s: %s', (pattern, topic, expected) => {
    expect(topicMatcher([pattern])(topic)).toBe(expected);
  });

  test('one of several is enough, none at all means every topic', () => {
    expect(topicMatcher(['session.>', 'agent.created'])('agent.created')).toBe(true);
    expect(topicMatcher(['session.>', 'agent.created'])('agent.deleted')).toBe(false);
    expect(topicMatcher([])('anything')).toBe(true);
  });

  test.each(['agent.state.changed', '*', '>', 'agent.*.>', 'a-b_c.1'])('%s is accepted', (pattern) => {
    expect(topicProblem(pattern)).toBeUndefined();
  });

  test.each([
    ['Agent.State', 'lower case'],
    ['agent.>.changed', 'must come last'],
    ['agent..changed', 'beside a dot'],
    ['agent.', 'beside a dot'],
    ['agent state', 'not a topic pattern'],
  ])('%s is refused: %s', (pattern, problem) => {
    expect(topicProblem(pattern)).toContain(problem);
  });
});

describe('filter', () => {
  test('search looks anywhere in the event, without regard to case', () => {
    const matches = eventMatcher({ ...NO_FILTER, search: 'pROBE' });
    expect(matches(event())).toBe(true);
    expect(matches(event({ data: {} }))).toBe(false);
    expect(eventMatcher({ ...NO_FILTER, search: 'state.ch' })(event({ data: {} }))).toBe(true);
  });

  test('subject and correlation id must be equal, and all parts must hold', () => {
    expect(eventMatcher({ ...NO_FILTER, subject: 'ech' })(event())).toBe(false);
    const matches = eventMatcher({ ...NO_FILTER, subject: 'echo', correlationId: 'c1', topics: ['agent.>'] });
    expect(matches(event())).toBe(true);
    expect(matches(event({ correlationid: 'c2' }))).toBe(false);
    expect(matches(event({ type: 'session.created' }))).toBe(false);
  });

  test('events that are only told live are hidden unless asked for', () => {
    expect(eventMatcher(NO_FILTER)(event({ sequence: 0 }))).toBe(false);
    expect(eventMatcher({ ...NO_FILTER, liveOnly: true })(event({ sequence: 0 }))).toBe(true);
  });

  test('survives the address of the page', () => {
    const filter = {
      topics: ['agent.*', 'session.>'],
      search: 'a b',
      subject: 's1',
      correlationId: 'c1',
      liveOnly: true,
    };
    expect(filterFromSearch({ ...searchFromFilter(filter) })).toEqual(filter);
    expect(Object.values(searchFromFilter(NO_FILTER)).every((value) => value === undefined)).toBe(true);
    expect(eventListQueryOf(filter)).toEqual({
      topics: 'agent.*,session.>',
      search: 'a b',
      subject: 's1',
      correlationId: 'c1',
    });
    expect(eventListQueryOf(NO_FILTER)).toEqual({});
    expect(activeFilters(filter)).toBe(4);
    expect(activeFilters(NO_FILTER)).toBe(0);
  });

  test('what makes no sense in the address is left out', () => {
    expect(filterFromSearch({ topics: 'agent.*,NOT VALID,', search: 42, subject: {}, live: 'no' })).toEqual({
      ...NO_FILTER,
      topics: ['agent.*'],
      search: '42',
    });
  });
});
