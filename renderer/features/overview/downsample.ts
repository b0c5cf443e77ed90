import type { Sample } from '#contract';

/**
 * At most `points` samples that stand for all of them: rates and memory as the mean of their neighbours, latencies as the
 * worst of them, so that a peak never disappears.
 */
export function downsample(samples: readonly Sample[], points: number): Sample[] {
  const size = Math.ceil(samples.length / points);
  if (size <= 1) return [...samples];
  const result: Sample[] = [];
  for (let from = 0; from < samples.length; from += size) {
    const bucket = samples.slice(from, from + size);
    const last = bucket.at(-1);
    if (last === undefined) continue;
    result.push({
      at: last.at,
      eventsPerSecond: mean(bucket.map((sample) => sample.eventsPerSecond)),
      propagationP95Ms: Math.max(...bucket.map((sample) => sample.propagationP95Ms)),
      storageP95Ms: Math.max(...bucket.map((sample) => sample.storageP95Ms)),
      memoryBytes: mean(bucket.map((sample) => sample.memoryBytes)),
      activeSessions: Math.max(...bucket.map((sample) => sample.activeSessions)),
    });
  }
  return result;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
