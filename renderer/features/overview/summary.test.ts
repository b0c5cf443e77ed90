import { describe, expect, it } from 'vitest';
import type { Agent, AgentState, Backup, Health, NeedsYouItem, Session } from '#contract';
import { lastKnown, sentenceOf, tilesOf, todosOf } from './summary.ts';

const agents = (...states: AgentState[]): Agent[] =>
  states.map((state, index) => ({ id: `a${index}`, name: `agent ${index}`, state, reason: '' }) as Agent);

const health = (change: Partial<Health['components']> = {}): Health =>
  ({ components: { storage: { status: 'healthy' }, ...change } }) as Health;

describe('the sentence', () => {
  it.each<[AgentState[], string, AgentState]>([
    [[], 'No agents yet', 'unknown'],
    [['healthy'], 'Your agent is healthy', 'healthy'],
    [['healthy', 'busy', 'healthy'], 'All 3 agents healthy', 'healthy'],
    [['healthy', 'stopped'], '1 agent healthy, 1 not running', 'healthy'],
    [['stopped', 'unknown'], '2 agents not running', 'stopped'],
    [['healthy', 'unresponsive', 'needs-you'], '1 needs you, 1 unresponsive', 'needs-you'],
    [['needs-you', 'needs-you'], '2 need you', 'needs-you'],
    [
      ['crashed', 'degraded', 'degraded', 'restarting', 'unresponsive', 'healthy'],
      '1 crashed, 1 unresponsive, 2 degraded and 1 more',
      'crashed',
    ],
    [['crashed', 'crash-loop', 'stopped'], '1 crash loop, 1 crashed', 'crash-loop'],
  ])('of %j is “%s”', (states, text, state) => {
    expect(sentenceOf(agents(...states), health())).toEqual({ text, state });
  });

  it('counts what waits for the user by item, also when its agent is healthy again', () => {
    const items = [{ id: 'i1' }, { id: 'i2' }] as NeedsYouItem[];
    expect(sentenceOf(agents('healthy'), health(), items.slice(1)).text).toBe('1 needs you');
    expect(sentenceOf(agents('needs-you', 'degraded'), health(), items)).toEqual({
      text: '2 need you, 1 degraded',
      state: 'needs-you',
    });
  });

  it('tells first that a part of the runtime is down', () => {
    const storage = { status: 'unhealthy', message: 'The disk is full' } as Health['components']['storage'];
    expect(sentenceOf(agents('healthy'), health({ storage })).text).toBe('The disk is full');
  });
});

describe('the tiles', () => {
  it('stand worst first, always the seven, and others only while they count', () => {
    expect(tilesOf(agents()).map(({ state }) => state)).toEqual([
      'needs-you',
      'crash-loop',
      'unresponsive',
      'degraded',
      'busy',
      'healthy',
      'stopped',
    ]);
    expect(tilesOf(agents('crashed', 'healthy', 'healthy'))).toEqual(
      expect.arrayContaining([
        { state: 'crashed', count: 1 },
        { state: 'healthy', count: 2 },
      ]),
    );
  });
});

it('what was last known is not told as how things are', () => {
  const known = lastKnown(sentenceOf(agents('healthy', 'healthy'), undefined));
  expect(known).toEqual({ text: 'Not connected. Last known: All 2 agents healthy', state: 'unknown' });
});

describe('what there is to act on', () => {
  const nothing = {
    agents: [],
    items: [],
    budgets: [],
    sessions: [],
    backups: [],
    hasSessions: false,
    warnings: [],
  };

  it('is nothing for a fresh store', () => {
    expect(todosOf(nothing)).toEqual({ shown: [], more: 0 });
  });

  it('is the missing backup once there are sessions', () => {
    expect(todosOf({ ...nothing, hasSessions: true }).shown).toMatchObject([{ kind: 'backup' }]);
    expect(todosOf({ ...nothing, hasSessions: true, backups: undefined }).shown).toEqual([]);
  });

  it('is the most urgent five, with the number of the others', () => {
    const { shown, more } = todosOf({
      ...nothing,
      agents: agents('healthy', 'degraded', 'crashed', 'needs-you'),
      items: [{ id: 'i1', title: 'Write the file?' }] as NeedsYouItem[],
      budgets: [
        { scope: 'day', subject: '2026-11-21', unit: 'money', used: 9, limit: 10 },
        { scope: 'turn', subject: 't1', unit: 'tokens', used: 9, limit: 10 },
      ],
      sessions: [{ id: 's1', status: 'interrupted' }] as Session[],
      backups: [{ id: 'b1', state: 'damaged', problem: 'checksum' }] as Backup[],
      warnings: [{ code: 'listen.port_taken', message: 'Port 3001 is taken' }],
    });
    expect(shown.map(({ key }) => key)).toEqual(['item i1', 'agent a2', 'agent a1', 'damaged', 'session s1']);
    expect(more).toBe(2);
  });

  it('does not ask about a damaged archive that has a sound one after it', () => {
    const backups = [{ state: 'checked' }, { state: 'damaged' }] as Backup[];
    expect(todosOf({ ...nothing, backups }).shown).toEqual([]);
  });
});
