import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isCoded } from '../../base/errors.ts';
import { rejection } from '../contract/fixture.ts';
import { mountSmallDisk } from '../sqlite/testing/small-disk.ts';
import type { Operation, Storage } from '../storage.ts';
import { type FaultRig, openRig } from './rig-storage.ts';

const MEGABYTES = 24;
const FILLER_BYTES = 8 * 1024 * 1024;

const commitOf = (number: number): Operation[] => [
  {
    kind: 'put',
    collection: 'documents',
    id: `document-${number}`,
    value: { number, text: 'x'.repeat(60_000) },
  },
  { kind: 'put', collection: 'documents', id: 'shared', value: number },
  { kind: 'append', log: 'numbers', value: { number, text: 'y'.repeat(5_000) } },
];

/** A disk that is full, and one that only may be read, under a storage that keeps files. */
export function describeSmallDisks(name: string, rig: FaultRig): void {
  describe(`${name}: a full disk`, () => {
    it('says so, keeps what it has, and goes on when there is room again', { timeout: 120_000 }, async ({
      skip,
    }) => {
      const { path } = await mountSmallDisk(MEGABYTES, skip);
      const filler = join(path, 'filler');
      await writeFile(filler, Buffer.alloc(FILLER_BYTES));
      const storage = await openHere(rig, path);
      const acknowledged: number[] = [];
      let refused = 0;
      // Not one after the other only: those that share a sync are refused together.
      for (let number = 1; refused < 12; number += 4) {
        const four = [number, number + 1, number + 2, number + 3];
        const answers = await Promise.allSettled(four.map((one) => storage.commit(commitOf(one))));
        for (const [i, answer] of answers.entries()) {
          if (answer.status === 'fulfilled') acknowledged.push(four[i] as number);
          else {
            expect(isCoded(answer.reason, 'storage.full'), String(answer.reason)).toBe(true);
            refused += 1;
          }
        }
      }
      expect(acknowledged.length).toBeGreaterThan(20);
      const attempted = (acknowledged.at(-1) ?? 0) + refused + 4;
      await expectWhole(storage, acknowledged, attempted);

      await rm(filler);
      await commitAtLast(storage, attempted + 1);
      await expectWhole(storage, [...acknowledged, attempted + 1], attempted + 1);
      await storage.close();
      const again = await openHere(rig, path);
      await expectWhole(again, [...acknowledged, attempted + 1], attempted + 1);
      await again.close();
    });
  });

  describe(`${name}: a disk that only may be read`, () => {
    it('is told as such and is left as it is', { timeout: 60_000 }, async ({ skip }) => {
      const { path, makeReadOnly, makeWritable } = await mountSmallDisk(MEGABYTES, skip);
      const storage = await openHere(rig, path);
      for (let number = 1; number <= 5; number++) await storage.commit(commitOf(number));
      await storage.close();
      await makeReadOnly();
      const refusal = await rejection(openHere(rig, path));
      await makeWritable();
      expect(refusal.code).toBe('storage.read_only');
      const again = await openHere(rig, path);
      await expectWhole(again, [1, 2, 3, 4, 5], 5);
      await again.close();
    });
  });
}

/** Closed in any case when the test is over: an open file would keep the disk from being taken away. */
async function openHere(rig: FaultRig, path: string): Promise<Storage> {
  const storage = await openRig(rig, path);
  onTestFinished(() => storage.close());
  return storage;
}

/** The first commit after a full disk may still be what finds out that there is room again. */
async function commitAtLast(storage: Storage, number: number): Promise<void> {
  try {
    await storage.commit(commitOf(number));
  } catch (error) {
    expect(isCoded(error, 'storage.full'), String(error)).toBe(true);
    await storage.commit(commitOf(number));
  }
}

/** What was acknowledged is there; what was refused is there whole or not at all. */
async function expectWhole(storage: Storage, acknowledged: number[], attempted: number): Promise<void> {
  const entries = (await storage.read<{ number: number }>('numbers')).map(({ value }) => value.number);
  const { items } = await storage.list<{ number: number } | number>('documents', { limit: 1000 });
  const own = items.flatMap(({ id, value }) =>
    id === 'shared' ? [] : [(value as { number: number }).number],
  );
  expect(new Set(entries).size).toBe(entries.length);
  expect(entries).toEqual(expect.arrayContaining(acknowledged));
  expect(Math.max(...entries)).toBeLessThanOrEqual(attempted);
  expect(own.sort((a, b) => a - b)).toEqual([...entries].sort((a, b) => a - b));
  expect((await storage.get('documents', 'shared'))?.value).toBe(entries.at(-1));
}
