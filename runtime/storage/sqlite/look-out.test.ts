import { expect, it } from 'vitest';
import { LookOut } from './look-out.ts';

/** A clock that goes on by 10 µs with each look at it. */
function lookOutWith(processors: number) {
  let now = 0;
  const clock = {
    lookOut: new LookOut(() => {
      now += 0.01;
      return now;
    }, processors),
    pass: (ms: number) => {
      now += ms;
    },
  };
  return clock;
}

/** Finds something at the so-manieth look; counts them. */
function foundAt(which: number) {
  const looks = { count: 0, look: () => ++looks.count >= which };
  return looks;
}

const NEVER = Number.POSITIVE_INFINITY;

it('looks once when nothing came soon before', () => {
  const { lookOut, pass } = lookOutWith(2);
  const first = foundAt(NEVER);
  expect(lookOut.finds(first.look)).toBe(false);
  expect(first.count).toBe(1);
  pass(1);
  lookOut.woken();
  const second = foundAt(NEVER);
  expect(lookOut.finds(second.look)).toBe(false);
  expect(second.count).toBe(1);
});

it('looks for a while when the message before came soon, and no more when nothing comes then', () => {
  const { lookOut } = lookOutWith(2);
  lookOut.finds(foundAt(NEVER).look);
  lookOut.woken();
  expect(lookOut.finds(foundAt(3).look)).toBe(true);
  expect(lookOut.finds(foundAt(3).look)).toBe(true);
  const missed = foundAt(NEVER);
  expect(lookOut.finds(missed.look)).toBe(false);
  expect(missed.count).toBeGreaterThan(2);
  expect(missed.count).toBeLessThan(10);
  const after = foundAt(NEVER);
  expect(lookOut.finds(after.look)).toBe(false);
  expect(after.count).toBe(1);
});

it('never looks for a while where there is one processor', () => {
  const { lookOut } = lookOutWith(1);
  lookOut.finds(foundAt(NEVER).look);
  lookOut.woken();
  const looks = foundAt(NEVER);
  expect(lookOut.finds(looks.look)).toBe(false);
  expect(looks.count).toBe(1);
});
