import { describe, expect, it } from 'vitest';
import type { Sample } from '#contract';
import { downsample } from './downsample.ts';

const sample = (at: number, value: number): Sample => ({
  at,
  eventsPerSecond: value,
  propagationP95Ms: value,
  storageP95Ms: value,
  memoryBytes: value,
  activeSessions: value,
});

describe('downsample', () => {
  it('leaves few samples as they are', () => {
    const samples = [sample(1, 1), sample(2, 2)];
    expect(downsample(samples, 2)).toEqual(samples);
    expect(downsample([], 10)).toEqual([]);
  });

  it('takes the mean of rates and the worst of latencies, and keeps the newest time', () => {
    const result = downsample([sample(1, 0), sample(2, 10), sample(3, 2), sample(4, 4), sample(5, 7)], 3);
    expect(
      result.map(({ at, eventsPerSecond, storageP95Ms }) => [at, eventsPerSecond, storageP95Ms]),
    ).toEqual([
      [2, 5, 10],
      [4, 3, 4],
      [5, 7, 7],
    ]);
  });

  it('never gives more than was asked for, and never loses a peak', () => {
    const samples = Array.from({ length: 17_280 }, (_, at) => sample(at, at === 9_001 ? 500 : 1));
    const result = downsample(samples, 180);
    expect(result.length).toBeLessThanOrEqual(180);
    expect(Math.max(...result.map(({ propagationP95Ms }) => propagationP95Ms))).toBe(500);
  });
});
