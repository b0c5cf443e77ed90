import type { QueryClient, QueryKey } from '@tanstack/react-query';
import type { Agent, Job, LiveEvents, RuntimeEvent, Session, SessionDetail } from '#contract';
import { api } from './api.ts';
import { createCoalescer } from './coalescer.ts';
import { onLiveEvent, onLiveOpened } from './live-events.ts';
import { livePausedAt, onLivePauseChange } from './live-pause.ts';

/** At most four refetches a second of the same query, however many events come. */
const REFETCH_INTERVAL_MS = 250;

const HEARTBEATS_SHOWN = 60;

/** What an event makes out of date: keys of queries, each matched by its beginning. */
export function staleKeys(event: RuntimeEvent): QueryKey[] {
  const { data } = event;
  switch (event.type) {
    case 'session.created':
      return [api.sessions.list.key(), api.status.get.key()];
    case 'session.changed':
      return [api.sessions.list.key()];
    case 'session.deleted':
      return [
        api.sessions.list.key(),
        api.status.get.key(),
        sessionKey((data as LiveEvents['session.deleted']).id),
      ];
    case 'session.turn.changed': {
      const turn = data as LiveEvents['session.turn.changed'];
      // While a turn runs, the page of the session follows its messages; at its end the whole is read once more.
      return turn.state === 'running' ? [] : [sessionKey(turn.sessionId)];
    }
    case 'agent.created':
    case 'agent.deleted':
    case 'agent.state.changed':
    case 'agent.process.started':
    case 'agent.process.exited':
    case 'agent.recovered':
    case 'agent.changed':
    case 'agent.drill.started':
    case 'agent.drill.ended':
    case 'agent.quiet.changed':
      return [...agentKeys(), api.status.get.key()];
    case 'needs_you.asked':
    case 'needs_you.answered':
    case 'needs_you.withdrawn':
      return [api.needsYou.key(), ...agentKeys()];
    case 'budget.notice':
    case 'budget.exhausted':
    case 'budget.changed':
      return [api.budgets.key()];
    case 'job.changed': {
      const job = data as LiveEvents['job.changed'];
      // A job that ended may have made, replaced or removed an archive.
      return job.state === 'running'
        ? [api.jobs.key()]
        : [api.jobs.key(), api.backups.list.key(), api.status.get.key()];
    }
    case 'backup.created':
    case 'backup.deleted':
      return [api.backups.list.key()];
    case 'storage.degraded':
      return [api.status.get.key()];
    case 'storage.conflict.resolved':
      return [api.status.get.key(), api.storageConflicts.key(), api.sessions.key()];
    // What could not be known while it was away can be read again.
    case 'storage.recovered':
    case 'data.generation.switched':
    case 'runtime.started':
      return [[]];
    default:
      return [];
  }
}

/** Writes into the cache what the event itself tells, so that the screen moves before any request. */
export function patchQueries(queries: QueryClient, event: RuntimeEvent): void {
  switch (event.type) {
    case 'session.changed': {
      const session = event.data as Session;
      queries.setQueryData<SessionDetail>(
        api.sessions.get.queryKey({ input: { id: session.id } }),
        (current) => (current && session.version > current.version ? { ...current, ...session } : current),
      );
      return;
    }
    case 'agent.state.changed': {
      const change = event.data as LiveEvents['agent.state.changed'];
      const since = Date.parse(event.time);
      patchAgent(queries, change.id, (agent) => ({
        ...agent,
        state: change.to,
        reason: change.reason,
        generation: change.generation,
        since,
      }));
      return;
    }
    case 'agent.heartbeat': {
      const { id, ...beat } = event.data as LiveEvents['agent.heartbeat'];
      patchAgent(queries, id, (agent) => ({
        ...agent,
        heartbeats: [...agent.heartbeats, beat].slice(-HEARTBEATS_SHOWN),
      }));
      return;
    }
    case 'job.changed':
    case 'job.progress': {
      const job = event.data as Job;
      queries.setQueryData(api.jobs.get.queryKey({ input: { id: job.id } }), job);
      queries.setQueryData<{ items: Job[] }>(
        api.jobs.list.queryKey(),
        (current) => current && { items: withJob(current.items, job) },
      );
      return;
    }
  }
}

/**
 * Connects the cache to the event stream: patches it, refetches what became stale (coalesced), and refetches everything
 * when the stream opens (what happened between the first reading and that was not told) or the data was replaced. While the
 * pages are paused it only notes what became stale. Returns the function that disconnects.
 */
export function connectLiveQueries(queries: QueryClient): () => void {
  const coalescer = createCoalescer({
    intervalMs: REFETCH_INTERVAL_MS,
    schedule(callback, delayMs) {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  });
  let missedWhilePaused = false;

  const refetch = (queryKey: QueryKey): void => {
    coalescer.request(JSON.stringify(queryKey), () => queries.invalidateQueries({ queryKey }));
  };

  const disconnect = [
    onLiveEvent('>', (event) => {
      if (livePausedAt() !== undefined) {
        missedWhilePaused = true;
        return;
      }
      patchQueries(queries, event);
      for (const key of staleKeys(event)) refetch(key);
    }),
    onLiveOpened(() => {
      if (livePausedAt() === undefined) refetch([]);
      else missedWhilePaused = true;
    }),
    onLivePauseChange(() => {
      if (livePausedAt() !== undefined || !missedWhilePaused) return;
      missedWhilePaused = false;
      refetch([]);
    }),
  ];
  return () => {
    for (const each of disconnect) each();
    coalescer.stop();
  };
}

/** What is known of the agents; not which are found on the machine, nor their frames, which no event tells of. */
function agentKeys(): QueryKey[] {
  return [api.agents.list.key(), api.agents.get.key()];
}

function sessionKey(id: string): QueryKey {
  return api.sessions.get.key({ input: { id } });
}

function patchAgent(queries: QueryClient, id: string, change: (agent: Agent) => Agent): void {
  queries.setQueryData<{ items: Agent[] }>(
    api.agents.list.queryKey(),
    (current) =>
      current && { items: current.items.map((agent) => (agent.id === id ? change(agent) : agent)) },
  );
  queries.setQueryData<Agent>(api.agents.get.queryKey({ input: { id } }), (agent) => agent && change(agent));
}

function withJob(jobs: Job[], job: Job): Job[] {
  return jobs.some((each) => each.id === job.id)
    ? jobs.map((each) => (each.id === job.id ? job : each))
    : [job, ...jobs];
}
