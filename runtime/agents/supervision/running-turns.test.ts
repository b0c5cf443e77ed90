import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { QUIET_MS, RunningTurns } from './running-turns.ts';

const MINUTE = 60_000;

let clock: VirtualClock;
let turns: RunningTurns;
let told: (number | undefined)[];

beforeEach(() => {
  clock = new VirtualClock();
  told = [];
  turns = new RunningTurns(clock, (since) => told.push(since));
});

afterEach(() => {
  while (turns.count > 0) turns.end();
  expect(clock.pending, 'no timer is left').toBe(0);
});

describe('a turn without output', () => {
  it('is quiet after five minutes, since it began', async () => {
    const began = clock.now();
    turns.begin();
    await clock.advance(QUIET_MS - 1);
    expect(told).toEqual([]);
    await clock.advance(1);
    expect(told).toEqual([began]);
    expect(turns.quietSince).toBe(began);
    await clock.advance(20 * MINUTE);
    expect(told, 'it is told once').toEqual([began]);
  });

  it('is quiet since its last output', async () => {
    turns.begin();
    await clock.advance(4 * MINUTE);
    turns.output();
    const last = clock.now();
    await clock.advance(4 * MINUTE);
    expect(told).toEqual([]);
    await clock.advance(1 * MINUTE);
    expect(told).toEqual([last]);
  });

  it('is not quiet any more when something comes, and may be quiet again', async () => {
    turns.begin();
    await clock.advance(7 * MINUTE);
    turns.output();
    expect(told.at(-1)).toBeUndefined();
    const last = clock.now();
    // Looked at only every five minutes, so it may take twice as long.
    await clock.advance(2 * QUIET_MS);
    expect(told).toHaveLength(3);
    expect(told.at(-1)).toBe(last);
  });

  it('is not quiet any more when it ends', async () => {
    turns.begin();
    turns.begin();
    await clock.advance(QUIET_MS);
    turns.end();
    expect(turns.quietSince).toBeDefined();
    turns.end();
    expect(told.at(-1)).toBeUndefined();
    expect(turns.quietSince).toBeUndefined();
  });

  it('is not quiet while it waits for the user', async () => {
    turns.begin();
    turns.setWaiting(1);
    await clock.advance(30 * MINUTE);
    expect(told).toEqual([]);
    turns.setWaiting(0);
    await clock.advance(QUIET_MS - 1);
    expect(told).toEqual([]);
    await clock.advance(QUIET_MS);
    expect(told).toHaveLength(1);
  });
});
