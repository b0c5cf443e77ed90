/** Each bucket reaches this much further than the one before: a percentile is off by at most that factor. */
const GROWTH = 1.08;
const SHORTEST_SECONDS = 1e-6;
/** From 1 µs up to about 100 s; what is longer counts as that. */
const BUCKETS = Math.ceil(Math.log(100 / SHORTEST_SECONDS) / Math.log(GROWTH)) + 1;

/**
 * Durations of the last few intervals, for percentiles over a sliding window: recording is one logarithm and one
 * increment, memory is fixed (`intervals` × about 240 counters), and moving on by an interval drops the oldest.
 */
export class DurationWindow {
  readonly #intervals: Uint32Array[];
  #current = 0;

  constructor(intervals: number) {
    this.#intervals = Array.from({ length: intervals }, () => new Uint32Array(BUCKETS));
  }

  record(seconds: number): void {
    const bucket = Math.ceil(
      Math.log(Math.max(seconds, SHORTEST_SECONDS) / SHORTEST_SECONDS) / Math.log(GROWTH),
    );
    const counts = this.#intervals[this.#current];
    const index = Math.min(bucket, BUCKETS - 1);
    if (counts !== undefined) counts[index] = (counts[index] ?? 0) + 1;
  }

  /** Begins the next interval. */
  advance(): void {
    this.#current = (this.#current + 1) % this.#intervals.length;
    this.#intervals[this.#current]?.fill(0);
  }

  /** The duration in seconds that the given share (0–1) does not exceed; 0 when nothing was recorded. */
  percentile(share: number): number {
    let total = 0;
    for (const counts of this.#intervals) for (const count of counts) total += count;
    if (total === 0) return 0;
    let left = Math.ceil(total * share);
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (const counts of this.#intervals) left -= counts[bucket] ?? 0;
      if (left <= 0) return SHORTEST_SECONDS * GROWTH ** bucket;
    }
    return SHORTEST_SECONDS * GROWTH ** (BUCKETS - 1);
  }
}
