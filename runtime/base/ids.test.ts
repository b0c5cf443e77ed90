import { expect, test } from 'vitest';
import { randomId, timeOrderedId } from './ids.ts';

test('a random id has the length that was asked for, and no two are the same', () => {
  const ids = Array.from({ length: 1000 }, () => randomId(32));
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{32}$/);
});

test('time-ordered ids sort by time', () => {
  const times = [
    0,
    1,
    31,
    32,
    1_000_000,
    Date.UTC(2026, 0, 1),
    Date.UTC(2026, 0, 1) + 1,
    Date.UTC(2999, 0, 1),
  ];
  const ids = times.map((time) => timeOrderedId(time));
  expect(ids.toSorted()).toEqual(ids);
  for (const id of ids) expect(id).toHaveLength(20);
});
