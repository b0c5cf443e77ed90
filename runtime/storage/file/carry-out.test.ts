import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CarryOut } from './carry-out.ts';
import { JournalWriter } from './journal-writer.ts';

const MEGABYTE = 1024 * 1024;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A journal to which commits are written in thought, and when they were carried out, in ms from the start. */
function journalWithCarryOut() {
  const journal = new JournalWriter('');
  const begun = performance.now();
  const times: number[] = [];
  const carryOut = new CarryOut(
    () => journal,
    async (work) => {
      times.push(performance.now() - begun);
      journal.done(work);
    },
  );
  const commit = (bytes: number) => {
    journal.advance(bytes);
    carryOut.schedule();
  };
  return { carryOut, commit, times };
}

it('carries out when nothing more was committed for a while', async () => {
  const { commit, times } = journalWithCarryOut();
  commit(100);
  await vi.advanceTimersByTimeAsync(200);
  commit(100);
  await vi.advanceTimersByTimeAsync(200);
  expect(times).toEqual([]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(times).toEqual([450]);
});

it('carries out every five seconds while commits stream in', async () => {
  const { commit, times } = journalWithCarryOut();
  for (let i = 0; i < 120; i++) {
    commit(100);
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(times).toEqual([5_000, 10_000]);
});

it('carries out at once when much waits', async () => {
  const { commit, times } = journalWithCarryOut();
  commit(7 * MEGABYTE);
  await vi.advanceTimersByTimeAsync(100);
  commit(MEGABYTE);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(times).toEqual([100]);
});

it('begins nothing while it is stopped', async () => {
  const { carryOut, commit, times } = journalWithCarryOut();
  commit(100);
  carryOut.stop();
  commit(9 * MEGABYTE);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(times).toEqual([]);
  carryOut.resume();
  commit(100);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(times).toEqual([10_000]);
});
