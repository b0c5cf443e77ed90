import type { Turn } from '#contract';

/**
 * How long a turn ran, in ms; undefined while it runs, and where nobody knows: one that the end of the app cut off gets
 * its end only at the next start, however long after that is.
 */
export function turnDuration(turn: Pick<Turn, 'startedAt' | 'endedAt' | 'error'>): number | undefined {
  if (turn.endedAt === undefined || turn.error?.code === 'runtime.stopped') return undefined;
  return turn.endedAt - turn.startedAt;
}
