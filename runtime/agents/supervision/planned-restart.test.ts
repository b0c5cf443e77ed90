import { expect, it } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { PlannedRestart } from './planned-restart.ts';

it('is due when its timer is, also after the time of day was changed', async () => {
  const real = new VirtualClock(1_000_000);
  let jumpMs = 0;
  const clock = {
    now: () => real.now() + jumpMs,
    monotonic: () => real.monotonic(),
    after: real.after.bind(real),
    every: real.every.bind(real),
  };
  const planned = new PlannedRestart(clock);
  let runs = 0;
  planned.plan(60_000, () => {
    runs += 1;
  });
  expect(planned.at).toBe(1_060_000);
  jumpMs = 3_600_000;
  await real.advance(59_999);
  expect({ runs, inMs: (planned.at ?? 0) - clock.now() }).toEqual({ runs: 0, inMs: 1 });
  await real.advance(1);
  expect({ runs, at: planned.at }).toEqual({ runs: 1, at: undefined });
});
