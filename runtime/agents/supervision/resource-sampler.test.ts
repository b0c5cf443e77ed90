import { expect, it } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { ResourceSampler } from './resource-sampler.ts';

it('samples every 5 s, one round at a time, until it is stopped', async () => {
  const clock = new VirtualClock();
  const rounds: PromiseWithResolvers<void>[] = [];
  const sampler = new ResourceSampler(clock, () => {
    const round = Promise.withResolvers<void>();
    rounds.push(round);
    return round.promise;
  });
  sampler.start();
  sampler.start();
  await clock.advance(4999);
  expect(rounds).toHaveLength(0);
  await clock.advance(1);
  expect(rounds).toHaveLength(1);
  await clock.advance(20_000);
  expect(rounds, 'the first is not over').toHaveLength(1);
  rounds[0]?.resolve();
  await clock.advance(0);
  await clock.advance(5000);
  expect(rounds).toHaveLength(2);
  sampler.stop();
  await clock.advance(60_000);
  expect(rounds).toHaveLength(2);
  expect(clock.pending).toBe(0);
});
