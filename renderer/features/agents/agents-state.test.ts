import { describe, expect, it } from 'vitest';
import type { Agent } from '#contract';
import { agentsShown, parseAgentsState } from './agents-state.ts';
import { latencyOf } from './latency.ts';

const agent = (name: string, change: Partial<Agent> = {}): Agent =>
  ({ id: `id-${name}`, name, description: '', state: 'healthy', since: 0, restarts: 0, ...change }) as Agent;

describe('parseAgentsState', () => {
  it('takes what it knows and leaves out what anybody may have typed', () => {
    expect(parseAgentsState({ agent: 7, tab: 'exits', sort: 'size', state: 'busy', search: '' })).toEqual({
      agent: '7',
      tab: 'exits',
      sort: undefined,
      state: 'busy',
      search: undefined,
    });
    expect(parseAgentsState({ tab: ['exits'], state: {} }).tab).toBeUndefined();
  });
});

describe('agentsShown', () => {
  const all = [
    agent('b'),
    agent('a', { restarts: 2, resources: { at: 0, processes: 1, memoryBytes: 5, cpuPercent: 0 } }),
    agent('c', { state: 'crashed', since: 9, description: 'Coder' }),
  ];
  const shown = (change: Parameters<typeof parseAgentsState>[0]) =>
    agentsShown(all, parseAgentsState(change)).map(({ name }) => name);

  it('stands worst first, then by name', () => expect(shown({})).toEqual(['c', 'a', 'b']));

  it('sorts as asked', () => {
    expect(shown({ sort: 'name' })).toEqual(['a', 'b', 'c']);
    expect(shown({ sort: 'since' })).toEqual(['c', 'a', 'b']);
    expect(shown({ sort: 'restarts' })).toEqual(['a', 'b', 'c']);
    expect(shown({ sort: 'memory' })).toEqual(['a', 'b', 'c']);
    expect(shown({ sort: 'cpu' })).toEqual(['a', 'b', 'c']);
  });

  it('filters by state and by text in name, description or id', () => {
    expect(shown({ state: 'crashed' })).toEqual(['c']);
    expect(shown({ search: 'CODER' })).toEqual(['c']);
    expect(shown({ search: 'id-b' })).toEqual(['b']);
    expect(shown({ search: 'nobody' })).toEqual([]);
  });
});

describe('latencyOf', () => {
  it('counts only what was answered', () => {
    expect(latencyOf([])).toBeUndefined();
    expect(latencyOf([{ at: 1, ok: false }])).toBeUndefined();
    const beats = Array.from({ length: 20 }, (_, index) => ({ at: index, ok: true, latencyMs: 20 - index }));
    expect(latencyOf([...beats, { at: 99, ok: false, latencyMs: 5_000 }])).toEqual({
      last: 1,
      median: 10,
      p95: 19,
    });
  });
});
