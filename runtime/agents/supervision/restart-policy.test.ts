import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import {
  BREAKER_WINDOW_MS,
  HALF_OPEN_MS,
  LONGEST_HALF_OPEN_MS,
  RestartPolicy,
  TRIAL_MS,
} from './restart-policy.ts';

let clock: VirtualClock;
let policy: RestartPolicy;

/** The longest jitter: the delays are then the documented ones, times (0.5 + 1/2). */
const noJitter = () => 1;

beforeEach(() => {
  clock = new VirtualClock();
  policy = new RestartPolicy({ clock, random: noJitter });
});

/** Failures with so many milliseconds in between; the last decision. */
async function failures(count: number, ms = 0) {
  let decision = policy.failed();
  for (let i = 1; i < count; i++) {
    await clock.advance(ms);
    decision = policy.failed();
  }
  return decision;
}

describe('the restart policy', () => {
  it('restarts quickly after an isolated failure, then ever more slowly, then gives up', () => {
    expect([1, 2, 3, 4, 5].map(() => policy.failed())).toEqual([
      { kind: 'restart', attempt: 1, delayMs: 50 },
      { kind: 'restart', attempt: 2, delayMs: 500 },
      { kind: 'restart', attempt: 3, delayMs: 1000 },
      { kind: 'restart', attempt: 4, delayMs: 2000 },
      { kind: 'give-up', attempt: 5, halfOpenMs: HALF_OPEN_MS },
    ]);
  });

  it.each([2, 61, 120])('trips for an agent that always dies after %d s', async (seconds) => {
    expect(await failures(4, seconds * 1000)).toMatchObject({ kind: 'restart' });
    await clock.advance(seconds * 1000);
    expect(policy.failed()).toMatchObject({ kind: 'give-up' });
  });

  it('forgets failures that have left the window', async () => {
    await failures(4, 1);
    expect(policy.failures).toHaveLength(4);
    await clock.advance(BREAKER_WINDOW_MS);
    expect(policy.failures).toEqual([]);
    expect(policy.failed()).toEqual({ kind: 'restart', attempt: 1, delayMs: 50 });
  });

  it('is closed by a reset', async () => {
    await failures(5);
    policy.reset();
    expect(policy.failed()).toMatchObject({ kind: 'restart', attempt: 1 });
  });

  it('spreads the restarts over the upper half of the delay', () => {
    expect(new RestartPolicy({ clock, random: () => 0 }).failed()).toMatchObject({ delayMs: 25 });
    expect(new RestartPolicy({ clock, random: () => 0.5 }).failed()).toMatchObject({ delayMs: 38 });
  });

  it('takes other delays', () => {
    const none = { firstMs: 0, baseMs: 0, longestMs: 0 };
    const hasty = new RestartPolicy({ clock, random: noJitter, backOff: none });
    expect([hasty.failed(), hasty.failed()]).toMatchObject([{ delayMs: 0 }, { delayMs: 0 }]);
  });
});

describe('the half-open try', () => {
  it('opens the breaker again when it fails, for twice as long, and never for more than half an hour', async () => {
    await failures(5);
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      await clock.advance(LONGEST_HALF_OPEN_MS);
      policy.halfOpen();
      const decision = policy.failed();
      if (decision.kind === 'give-up') waits.push(decision.halfOpenMs);
    }
    expect(waits.map((ms) => ms / HALF_OPEN_MS)).toEqual([2, 4, 6, 6, 6]);
  });

  it('is lost by a process that served for a minute only', async () => {
    await failures(5);
    await clock.advance(HALF_OPEN_MS);
    policy.halfOpen();
    policy.served();
    await clock.advance(61_000);
    expect(policy.failed()).toMatchObject({ kind: 'give-up', halfOpenMs: 2 * HALF_OPEN_MS });
  });

  it('closes the breaker by a process that served long enough', async () => {
    await failures(5);
    policy.halfOpen();
    policy.served();
    await clock.advance(TRIAL_MS);
    expect(policy.failed()).toEqual({ kind: 'restart', attempt: 1, delayMs: 50 });
    expect(await failures(4)).toMatchObject({ kind: 'give-up', halfOpenMs: HALF_OPEN_MS });
  });
});

describe('a policy that takes over from an earlier app', () => {
  it('knows the failures that are still in the window, and how long the breaker was open', async () => {
    const now = clock.now();
    policy.restore({ failures: [now - BREAKER_WINDOW_MS - 1, now - 1000, now - 500, now - 1], openings: 2 });
    expect(policy.failures).toEqual([now - 1000, now - 500, now - 1]);
    expect(policy.failed()).toMatchObject({ kind: 'restart', attempt: 4 });
    expect(policy.failed()).toMatchObject({ kind: 'give-up', halfOpenMs: 4 * HALF_OPEN_MS });
    expect(policy.history.openings).toBe(3);
  });

  it('takes failures of the future for some of now', async () => {
    policy.restore({ failures: [clock.now() + 3_600_000], openings: 0 });
    expect(policy.failures).toHaveLength(1);
    await clock.advance(BREAKER_WINDOW_MS);
    expect(policy.failures).toEqual([]);
  });
});
