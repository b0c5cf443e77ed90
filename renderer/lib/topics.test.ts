import { describe, expect, it } from 'vitest';
import { topicMatches } from './topics.ts';

describe('topicMatches', () => {
  it.each([
    ['session.created', 'session.created', true],
    ['session.created', 'session.changed', false],
    ['session.created', 'session.created.twice', false],
    ['session.*', 'session.created', true],
    ['session.*', 'session.turn.changed', false],
    ['*.turn.*', 'session.turn.changed', true],
    ['session.>', 'session.turn.changed', true],
    ['session.>', 'session', false],
    ['session.>', 'agent.created', false],
    ['>', 'anything.at.all', true],
    ['session.created.*', 'session.created', false],
  ])('%s covers %s: %s', (pattern, topic, covered) => expect(topicMatches(pattern, topic)).toBe(covered));
});
