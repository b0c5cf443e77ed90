import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useRef } from 'react';
import type { Job } from '#contract';
import { api } from '../lib/api.ts';

/** The jobs of the runtime, the newest first. They are there whichever page began them, and live events keep them fresh. */
export function useJobs(): Job[] {
  const { data } = useQuery(api.jobs.list.queryOptions());
  return data?.items ?? [];
}

/**
 * Calls `onEnd` once for each job that was handed to the returned function, when it has ended: what the user just began
 * is answered, what others began is not.
 */
export function useJobEnd(jobs: readonly Job[], onEnd: (job: Job) => void): (job: Job) => void {
  const awaited = useRef(new Set<string>());
  const tell = useRef(onEnd);
  useEffect(() => {
    tell.current = onEnd;
    for (const job of jobs) {
      if (job.state !== 'running' && awaited.current.delete(job.id)) tell.current(job);
    }
  });
  return useCallback((job: Job) => {
    if (job.state === 'running') awaited.current.add(job.id);
    else tell.current(job);
  }, []);
}

/** The newest job that ended, if it did not end well: shown until one ends well. */
export function lastFailure(jobs: readonly Job[]): Job | undefined {
  const newest = jobs
    .filter((job) => job.state !== 'running' && job.state !== 'cancelled')
    .toSorted((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0))[0];
  return newest?.state === 'failed' || newest?.state === 'interrupted' ? newest : undefined;
}
