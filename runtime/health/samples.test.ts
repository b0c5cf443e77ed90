import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { DurationWindow } from './duration-window.ts';
import { createSamples } from './samples.ts';

describe('createSamples', () => {
  it('takes a sample every 5 s while it runs, and leaves no timer behind', async () => {
    const clock = new VirtualClock();
    let active = 2;
    const samples = createSamples({
      clock,
      activeSessions: () => active,
      memoryBytes: () => 1000,
    });
    await samples.start();
    for (let i = 0; i < 10; i++) samples.eventPublished();
    for (let i = 1; i <= 100; i++) {
      samples.storageOperation(i / 1000);
      samples.eventPropagation(i / 10_000);
    }
    await clock.advance(5000);
    active = 3;
    await clock.advance(5000);
    const [first, second] = samples.list(15);
    expect(first).toMatchObject({
      at: clock.now() - 5000,
      eventsPerSecond: 2,
      memoryBytes: 1000,
      activeSessions: 2,
    });
    expect(first?.storageP95Ms).toBeGreaterThan(95);
    expect(first?.storageP95Ms).toBeLessThan(95 * 1.08);
    expect(first?.propagationP95Ms).toBeGreaterThan(9.5);
    expect(second).toMatchObject({ at: clock.now(), eventsPerSecond: 0, activeSessions: 3 });
    expect(second?.storageP95Ms).toBe(first?.storageP95Ms);
    await clock.advance(60_000);
    expect(samples.list(15).at(-1)).toMatchObject({ storageP95Ms: 0, propagationP95Ms: 0 });
    await samples.stop();
    expect(clock.pending).toBe(0);
  });

  it('keeps 24 h and answers for the time asked for', async () => {
    const clock = new VirtualClock();
    const samples = createSamples({
      clock,
      activeSessions: () => 0,
      memoryBytes: () => 1,
    });
    await samples.start();
    await clock.advance(24.5 * 3_600_000);
    const day = samples.list(1440);
    expect(day).toHaveLength(17_280);
    expect(day[0]?.at).toBe(clock.now() - 17_279 * 5000);
    expect(day.at(-1)?.at).toBe(clock.now());
    expect(samples.list(1)).toHaveLength(13);
    await samples.stop();
  });
});

describe('DurationWindow', () => {
  it('is never off by more than its buckets are wide', () => {
    const seconds = fc.double({ min: 2e-6, max: 90, noNaN: true });
    fc.assert(
      fc.property(fc.array(seconds, { minLength: 1, maxLength: 200 }), (durations) => {
        const window = new DurationWindow(3);
        for (const duration of durations) window.record(duration);
        const exact = durations.sort((a, b) => a - b)[Math.ceil(durations.length * 0.95) - 1] ?? 0;
        expect(window.percentile(0.95)).toBeGreaterThanOrEqual(exact * 0.999_999);
        expect(window.percentile(0.95)).toBeLessThanOrEqual(exact * 1.081);
      }),
    );
  });

  it('takes what is shorter or longer than it can tell apart', () => {
    const window = new DurationWindow(2);
    window.record(0);
    expect(window.percentile(0.5)).toBeCloseTo(1e-6, 9);
    window.advance();
    window.record(1e6);
    expect(window.percentile(1)).toBeGreaterThan(99);
    window.advance();
    window.advance();
    expect(window.percentile(1)).toBe(0);
  });
});
