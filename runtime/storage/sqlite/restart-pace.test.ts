import { expect, it } from 'vitest';
import { RestartPace } from './restart-pace.ts';

it('restarts at once a worker that ended, and waits longer and longer for one that keeps ending', () => {
  let time = 0;
  const pace = new RestartPace(() => time);
  const pauses = Array.from({ length: 10 }, () => {
    pace.started();
    time += 50;
    pace.ended();
    return pace.pauseMs;
  });
  expect(pauses).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
});

it('forgets the short lives once a worker was well for a while', () => {
  let time = 0;
  const pace = new RestartPace(() => time);
  for (const lived of [10, 10, 10, 20_000]) {
    pace.started();
    time += lived;
    pace.ended();
  }
  expect(pace.pauseMs).toBe(0);
  pace.started();
  pace.ended();
  expect(pace.pauseMs).toBe(0);
});
