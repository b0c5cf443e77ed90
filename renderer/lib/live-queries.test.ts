import { QueryClient } from '@tanstack/react-query';
import { describe, expect, it } from 'vitest';
import type { Agent, Job, RuntimeEvent, SessionDetail } from '#contract';
import { api } from './api.ts';
import { patchQueries, staleKeys } from './live-queries.ts';

function event(type: string, data: unknown): RuntimeEvent {
  return {
    specversion: '1.0',
    id: 'e1',
    source: 'smalltalk',
    type,
    time: '2026-11-21T14:03:07.000Z',
    datacontenttype: 'application/json',
    data,
    sequence: 1,
    priority: 'normal',
    correlationid: 'c1',
  };
}

/** Marks in a cache what an event makes stale and says which of these queries it was. */
async function staleAfter(happened: RuntimeEvent): Promise<string[]> {
  const queries = new QueryClient();
  const known = {
    sessions: api.sessions.list.queryKey({ input: { limit: 10 } }),
    session: api.sessions.get.queryKey({ input: { id: 's1' } }),
    otherSession: api.sessions.get.queryKey({ input: { id: 's2' } }),
    agents: api.agents.list.queryKey(),
    agent: api.agents.get.queryKey({ input: { id: 'a1' } }),
    frames: api.agents.frames.queryKey({ input: { id: 'a1' } }),
    needsYou: api.needsYou.list.queryKey({ input: {} }),
    jobs: api.jobs.list.queryKey(),
    backups: api.backups.list.queryKey(),
    preview: api.backups.preview.queryKey({ input: { id: 'b1' } }),
    status: api.status.get.queryKey(),
    settings: api.settings.list.queryKey(),
  };
  for (const key of Object.values(known)) queries.setQueryData(key, {} as never);
  for (const queryKey of staleKeys(happened)) await queries.invalidateQueries({ queryKey });
  return Object.entries(known)
    .filter(([, key]) => queries.getQueryState(key)?.isInvalidated)
    .map(([name]) => name);
}

describe('what an event makes stale', () => {
  it.each([
    ['session.created', { id: 's1' }, ['sessions', 'status']],
    ['session.changed', { id: 's1' }, ['sessions']],
    ['session.deleted', { id: 's1' }, ['sessions', 'session', 'status']],
    ['session.turn.changed', { sessionId: 's1', state: 'running' }, []],
    ['session.turn.changed', { sessionId: 's1', state: 'completed' }, ['session']],
    ['agent.state.changed', { id: 'a1' }, ['agents', 'agent', 'status']],
    ['agent.recovered', { id: 'a1' }, ['agents', 'agent', 'status']],
    ['agent.drill.ended', { id: 'a1' }, ['agents', 'agent', 'status']],
    ['agent.changed', { id: 'a1' }, ['agents', 'agent', 'status']],
    ['needs_you.asked', { id: 'n1' }, ['agents', 'agent', 'needsYou']],
    ['agent.heartbeat', { id: 'a1' }, []],
    ['job.changed', { id: 'j1', state: 'running' }, ['jobs']],
    ['job.changed', { id: 'j1', state: 'succeeded' }, ['jobs', 'backups', 'status']],
    ['job.progress', { id: 'j1', state: 'running' }, []],
    ['backup.created', { id: 'b1' }, ['backups']],
    ['somebody.elses', {}, []],
  ])('%s %j: %j', async (type, data, stale) => {
    expect((await staleAfter(event(type, data))).sort()).toEqual([...stale].sort());
  });

  it('is everything when the data was replaced', async () => {
    expect(
      await staleAfter(event('data.generation.switched', { generation: '2', reason: 'restore' })),
    ).toHaveLength(12);
  });
});

describe('what an event writes into the cache', () => {
  const agent = { id: 'a1', state: 'healthy', reason: '', since: 0, generation: 1, heartbeats: [] };

  it('puts a heartbeat at the end and keeps sixty', () => {
    const queries = new QueryClient();
    const key = api.agents.list.queryKey();
    queries.setQueryData(key, {
      items: [agent as unknown as Agent, { ...agent, id: 'a2' } as unknown as Agent],
    });
    for (let at = 1; at <= 65; at += 1) {
      patchQueries(queries, event('agent.heartbeat', { id: 'a1', at, ok: at !== 65, latencyMs: 2 }));
    }
    const [first, second] = queries.getQueryData(key)?.items ?? [];
    expect(first?.heartbeats).toHaveLength(60);
    expect(first?.heartbeats.at(-1)).toEqual({ at: 65, ok: false, latencyMs: 2 });
    expect(second?.heartbeats).toEqual([]);
  });

  it('shows the new state of an agent at once, in the list and on its page', () => {
    const queries = new QueryClient();
    const one = api.agents.get.queryKey({ input: { id: 'a1' } });
    queries.setQueryData(one, agent as unknown as Agent);
    patchQueries(
      queries,
      event('agent.state.changed', {
        id: 'a1',
        from: 'healthy',
        to: 'crashed',
        reason: 'exit 1',
        generation: 2,
      }),
    );
    expect(queries.getQueryData(one)).toMatchObject({
      state: 'crashed',
      reason: 'exit 1',
      generation: 2,
      since: Date.parse('2026-11-21T14:03:07.000Z'),
    });
  });

  it('takes over a newer session, keeps the transcript, and ignores an older one', () => {
    const queries = new QueryClient();
    const key = api.sessions.get.queryKey({ input: { id: 's1' } });
    queries.setQueryData(key, {
      id: 's1',
      version: 3,
      title: 'now',
      messages: [{ id: 'm1' }],
      turns: [],
    } as unknown as SessionDetail);
    patchQueries(queries, event('session.changed', { id: 's1', version: 2, title: 'before' }));
    expect(queries.getQueryData(key)?.title).toBe('now');
    patchQueries(queries, event('session.changed', { id: 's1', version: 4, title: 'after' }));
    expect(queries.getQueryData(key)).toMatchObject({ title: 'after', messages: [{ id: 'm1' }] });
  });

  it('moves a job along, and puts a new one first', () => {
    const queries = new QueryClient();
    const key = api.jobs.list.queryKey();
    queries.setQueryData(key, { items: [{ id: 'j1', done: 1 } as Job] });
    patchQueries(queries, event('job.progress', { id: 'j1', done: 2 }));
    patchQueries(queries, event('job.changed', { id: 'j2', done: 0 }));
    expect(queries.getQueryData(key)?.items.map(({ id, done }) => [id, done])).toEqual([
      ['j2', 0],
      ['j1', 2],
    ]);
  });

  it('invents nothing where nothing was loaded', () => {
    const queries = new QueryClient();
    patchQueries(queries, event('agent.heartbeat', { id: 'a1', at: 1, ok: true }));
    patchQueries(queries, event('session.changed', { id: 's1', version: 4 }));
    expect(queries.getQueryData(api.agents.list.queryKey())).toBeUndefined();
    expect(queries.getQueryData(api.sessions.get.queryKey({ input: { id: 's1' } }))).toBeUndefined();
  });
});
