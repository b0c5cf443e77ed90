import { expect, it } from 'vitest';
import type { PendingEntry } from './data-index.ts';
import { ValueReader } from './value-reader.ts';

const WAITING = 100_000;
const CARRIED = 500;

/** A log of which a lot waits, and how many entries were looked at. */
function waitingLog() {
  let looked = 0;
  const pending = Array.from(
    { length: WAITING },
    (_, i): PendingEntry => ({
      get sequence() {
        looked += 1;
        return CARRIED + 1 + i;
      },
      at: 1,
      json: String(CARRIED + 1 + i),
    }),
  );
  const last = CARRIED + WAITING;
  const log = { log: 'events', after: CARRIED, last, carried: CARRIED, size: 0, pending };
  const lookedAt = () => {
    const before = looked;
    looked = 0;
    return before;
  };
  return { log, last, lookedAt };
}

const damaged = () => expect.unreachable();

it('reads the end of a log without looking at all that waits before it', () => {
  const { log, last, lookedAt } = waitingLog();
  const reader = new ValueReader();
  const numbers = (entries: { value: unknown }[]) => entries.map(({ value }) => value);
  expect(numbers(reader.entries('', log, last - 3, last + 1, 10, damaged))).toEqual([
    last - 2,
    last - 1,
    last,
  ]);
  expect(lookedAt()).toBeLessThan(100);
  expect(numbers(reader.entriesBackward('', log, 0, last + 1, 2, damaged))).toEqual([last, last - 1]);
  expect(lookedAt()).toBeLessThan(100);
  expect(numbers(reader.entries('', log, 0, last + 1, 2, damaged))).toEqual([CARRIED + 1, CARRIED + 2]);
  expect(lookedAt()).toBeLessThan(100);
  expect(reader.entries('', log, last, last + 1, 2, damaged)).toEqual([]);
});
