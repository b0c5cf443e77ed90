import { expect, it } from 'vitest';
import { SNAPSHOT_BATCH_BYTES, SNAPSHOT_BATCH_RECORDS, SnapshotBatch } from './snapshot-batch.ts';
import type { SnapshotRecord } from './storage.ts';

const entry = (sequence: number, length: number): SnapshotRecord => ({
  kind: 'entry',
  log: 'events',
  sequence,
  at: 0,
  json: 'x'.repeat(length),
});

function batchesOf(records: SnapshotRecord[]): SnapshotRecord[][] {
  const batch = new SnapshotBatch();
  return [...records.flatMap((record) => batch.add(record)), ...batch.rest()];
}

const sizesOf = (batches: SnapshotRecord[][]) =>
  batches.map((batch) =>
    batch.reduce((sum, record) => sum + (record.kind === 'log' ? 0 : record.json.length), 0),
  );

it('keeps batches within the size, whatever the sizes of the records', () => {
  const records = Array.from({ length: 2_000 }, (_, i) => entry(i + 1, (i * 7_919) % 3_000));
  const batches = batchesOf(records);
  expect(batches.flat()).toEqual(records);
  expect(Math.max(...sizesOf(batches))).toBeLessThanOrEqual(SNAPSHOT_BATCH_BYTES);
});

it('fills batches to the last byte', () => {
  const half = SNAPSHOT_BATCH_BYTES / 2;
  expect(sizesOf(batchesOf([entry(1, half), entry(2, half), entry(3, 1)]))).toEqual([2 * half, 1]);
});

it('lets a larger record through, alone', () => {
  const huge = 10 * SNAPSHOT_BATCH_BYTES;
  expect(sizesOf(batchesOf([entry(1, 5), entry(2, huge), entry(3, 7)]))).toEqual([5, huge, 7]);
});

it('hands out a batch as soon as it is full', () => {
  const batch = new SnapshotBatch();
  expect(batch.add(entry(1, 1))).toEqual([]);
  expect(batch.add(entry(2, SNAPSHOT_BATCH_BYTES))).toEqual([
    [entry(1, 1)],
    [entry(2, SNAPSHOT_BATCH_BYTES)],
  ]);
  expect(batch.rest()).toEqual([]);
});

it('counts records that have no value', () => {
  const logs = Array.from(
    { length: 2 * SNAPSHOT_BATCH_RECORDS + 1 },
    (_, i): SnapshotRecord => ({ kind: 'log', log: `log ${i}`, lastSequence: i }),
  );
  expect(batchesOf(logs).map(({ length }) => length)).toEqual([
    SNAPSHOT_BATCH_RECORDS,
    SNAPSHOT_BATCH_RECORDS,
    1,
  ]);
});

it('has nothing left when everything was taken', () => {
  const batch = new SnapshotBatch();
  batch.add(entry(1, 1));
  expect(batch.rest()).toEqual([[entry(1, 1)]]);
  expect(batch.rest()).toEqual([]);
});
