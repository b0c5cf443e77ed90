import type { Agent } from '#contract';

/** How fast the probes were answered, in ms; undefined where none was. */
export function latencyOf(
  heartbeats: Agent['heartbeats'],
): { readonly last: number; readonly median: number; readonly p95: number } | undefined {
  const measured = heartbeats.flatMap((beat) =>
    beat.ok && beat.latencyMs !== undefined ? [beat.latencyMs] : [],
  );
  const last = measured.at(-1);
  if (last === undefined) return undefined;
  const sorted = measured.toSorted((a, b) => a - b);
  return { last, median: nearestRank(sorted, 0.5), p95: nearestRank(sorted, 0.95) };
}

/** The smallest value that at least `share` of all do not exceed. */
function nearestRank(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
