import { describe, expect, it } from 'vitest';
import { BREAKER_WINDOW_MS, RestartPolicy } from './restart-policy.ts';

/** The longest jitter: the delays are then the documented ones, times (0.5 + 1/2). */
const noJitter = () => 1;

function failures(policy: RestartPolicy, ...times: number[]) {
  return times.map((at) => policy.failed(at));
}

describe('the restart policy', () => {
  it('restarts quickly after an isolated failure, then ever more slowly, then gives up', () => {
    expect(failures(new RestartPolicy(noJitter), 0, 2000, 4000, 6000, 8000)).toEqual([
      { kind: 'restart', attempt: 1, delayMs: 50 },
      { kind: 'restart', attempt: 2, delayMs: 500 },
      { kind: 'restart', attempt: 3, delayMs: 1000 },
      { kind: 'restart', attempt: 4, delayMs: 2000 },
      { kind: 'give-up', attempt: 5 },
    ]);
  });

  it('trips for an agent that always lives for 61 s, too', () => {
    const last = failures(new RestartPolicy(noJitter), 0, 61_000, 122_000, 183_000, 244_000).at(-1);
    expect(last?.kind).toBe('give-up');
  });

  it('forgets failures that have left the window', () => {
    const policy = new RestartPolicy(noJitter);
    failures(policy, 0, 1, 2, 3);
    expect(policy.failed(BREAKER_WINDOW_MS + 3)).toEqual({ kind: 'restart', attempt: 1, delayMs: 50 });
  });

  it('is closed by a reset', () => {
    const policy = new RestartPolicy(noJitter);
    failures(policy, 0, 1, 2, 3, 4);
    policy.reset();
    expect(policy.failed(5)).toMatchObject({ kind: 'restart', attempt: 1 });
  });

  it('spreads the restarts over the upper half of the delay', () => {
    expect(new RestartPolicy(() => 0).failed(0)).toMatchObject({ delayMs: 25 });
    expect(new RestartPolicy(() => 0.5).failed(0)).toMatchObject({ delayMs: 38 });
  });
});
