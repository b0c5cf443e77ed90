import { expect, it } from 'vitest';
import { GroupPace } from './group-pace.ts';

function paceWithSyncOf(ms: number) {
  let time = 0;
  const pace = new GroupPace(() => time);
  const pass = (passed: number) => {
    time += passed;
  };
  const fillable = () => {
    pace.begin();
    for (let filled = 0; filled < 10_000; filled++) {
      if (pace.full) return filled;
      pass(1);
    }
    return Number.POSITIVE_INFINITY;
  };
  const sync = (took = ms, wrote = true) => pace.measure(() => pass(took), wrote);
  return { fillable, sync };
}

it('takes everything until it knows what a sync costs', () => {
  expect(paceWithSyncOf(1).fillable()).toBe(Number.POSITIVE_INFINITY);
});

it('lets a transaction fill for eight times as long as its sync takes', () => {
  for (const ms of [1, 10, 100]) {
    const { fillable, sync } = paceWithSyncOf(ms);
    sync();
    expect(fillable()).toBe(8 * ms + 1);
  }
});

it('follows a disk that becomes slower, and is not thrown by a single slow sync', () => {
  const { fillable, sync } = paceWithSyncOf(1);
  sync();
  sync(10);
  expect(fillable()).toBeLessThan(20);
  for (let i = 0; i < 100; i++) sync(10);
  expect(fillable()).toBeGreaterThan(75);
});

it('learns nothing from a transaction that had nothing to sync', () => {
  const { fillable, sync } = paceWithSyncOf(10);
  sync(0, false);
  expect(fillable()).toBe(Number.POSITIVE_INFINITY);
  sync();
  for (let i = 0; i < 100; i++) sync(0, false);
  expect(fillable()).toBe(81);
});
