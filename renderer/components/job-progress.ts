import type { Job } from '#contract';
import { formatBytes, formatCount, formatDuration, formatNumber } from '../lib/format.ts';

/** An estimate made in the first moments of a job is a guess. */
const ETA_AFTER_MS = 3000;

export interface JobProgress {
  /** 0 to 100; undefined while the total is not known. */
  percent: number | undefined;
  /** `1,200 of 4,800 records`. */
  amount: string;
  /** `about 12 s left`; undefined when nobody can tell yet. */
  remaining: string | undefined;
}

/** How far a job is, in words. `now` in ms since the epoch. */
export function jobProgress(job: Job, now: number): JobProgress {
  const known = job.total !== undefined && job.total > 0;
  return {
    percent: known ? Math.min(100, Math.floor((job.done / (job.total ?? 1)) * 100)) : undefined,
    amount: amountOf(job),
    remaining:
      job.state === 'running' && job.etaMs !== undefined && now - job.startedAt >= ETA_AFTER_MS
        ? `about ${formatDuration(Math.max(1000, job.etaMs))} left`
        : undefined,
  };
}

function amountOf(job: Job): string {
  const { done, total, unit } = job;
  if (unit === 'bytes')
    return total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`;
  const singular = unit.slice(0, -1);
  return total === undefined
    ? formatCount(done, singular)
    : `${formatNumber(done)} of ${formatCount(total, singular)}`;
}
