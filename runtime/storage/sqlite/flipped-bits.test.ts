import { readFile, writeFile } from 'node:fs/promises';
import { beforeEach, expect, it } from 'vitest';
import { recordsOf } from '../contract/fixture.ts';
import type { Operation } from '../storage.ts';
import {
  byRank,
  COUNT,
  document,
  filledFolder,
  id,
  payload,
  placesOf,
  readEverything,
  recordsIn,
} from './testing/filled-folder.ts';
import type { StorageFolder } from './testing/storage-folder.ts';

let folder: StorageFolder;
const damaged = () => recordsIn(folder.faults);

beforeEach(async () => {
  folder = await filledFolder();
});

it.each([0, 3, 7])(
  'bit %i: finds each record that was hit, by whichever way it is read, and no other',
  async (bit) => {
    const file = await folder.dataFile();
    const bytes = await readFile(file);
    const hit = Array.from({ length: 10 }, (_, i) => i * 4 + 1);
    for (const i of hit) {
      for (const kind of ['document', 'entry']) {
        const places = placesOf(bytes, payload(kind, i));
        expect(places.length).toBeGreaterThan(0);
        for (const at of places) {
          const byte = at + 20 + ((i * 7) % 100);
          bytes[byte] = (bytes[byte] ?? 0) ^ (1 << bit);
        }
      }
    }
    await writeFile(file, bytes);

    // A snapshot first, then lists and reads, then single documents: each must notice by itself.
    for (const first of ['snapshot', 'list', 'get'] as const) {
      await writeFile(file, bytes);
      folder.faults.length = 0;
      const storage = await folder.open();
      if (first === 'snapshot') await recordsOf(storage);
      if (first === 'list') {
        await Promise.all([storage.list('sessions', byRank), storage.list('sessions', { limit: 1000 })]);
        await storage.read('events', { reverse: true });
      }
      const { got, listed, entries, records } = await readEverything(storage);
      const whole = Array.from({ length: COUNT }, (_, i) => i + 1).filter((i) => !hit.includes(i));
      expect(got).toEqual(whole.map((i) => payload('document', i)));
      expect(listed).toEqual(got);
      expect(entries).toEqual(whole.map((i) => payload('entry', i)));
      expect(records.filter((record) => record.kind !== 'log')).toHaveLength(2 * whole.length);
      expect(damaged()).toEqual(
        hit.flatMap((i) => [`document sessions/${id(i)}`, `entry events#${i}`]).sort(),
      );
      expect((await storage.stats()).documents).toEqual({ sessions: whole.length });
      await storage.close();
    }
  },
);

it("sets a damaged record aside: it is reported once, kept as it was found, and in nobody's way", async () => {
  await folder.behindItsBack((database) =>
    database
      .prepare("UPDATE document SET json = replace(json, 'payload', 'forgery') WHERE id = ?")
      .run(id(5)),
  );
  const storage = await folder.open();
  expect(await Promise.all([storage.get('sessions', id(5)), storage.get('sessions', id(5))])).toEqual([
    undefined,
    undefined,
  ]);
  expect(await storage.commit([{ ...document(5), expectVersion: 0 } as Operation])).toEqual([{ version: 1 }]);
  expect((await storage.get('sessions', id(5)))?.value).toBe(payload('document', 5));
  await storage.close();
  await readEverything(await folder.open());
  expect(folder.faults).toEqual([
    {
      code: 'storage.corrupt_record',
      record: `document sessions/${id(5)}`,
      message: expect.stringContaining(id(5)),
    },
  ]);
});

it('counts the documents right after some were set aside, and after a commit that failed half-way', async () => {
  const storage = await folder.open();
  const stats = async () => (await storage.stats()).documents;
  expect(await stats()).toEqual({ sessions: COUNT });
  await storage.commit([{ kind: 'delete', collection: 'sessions', id: id(1) }, document(50)]);
  await storage.commit([{ ...document(51), collection: 'others' } as Operation]);
  expect(await stats()).toEqual({ others: 1, sessions: COUNT });
  await storage.commit([{ kind: 'delete', collection: 'others', id: id(51) }]);
  await expect(
    storage.commit([document(52), { ...document(53), expectVersion: 9 } as Operation]),
  ).rejects.toMatchObject({ code: 'storage.version_conflict' });
  expect(await stats()).toEqual({ sessions: COUNT });
  await storage.close();
  await folder.behindItsBack((database) =>
    database.prepare('UPDATE document SET version = 7 WHERE id IN (?, ?)').run(id(5), id(6)),
  );
  const reopened = await folder.open();
  expect((await reopened.stats()).documents).toEqual({ sessions: COUNT });
  expect(await reopened.get('sessions', id(5))).toBeUndefined();
  await reopened.commit([document(6)]);
  expect((await reopened.stats()).documents).toEqual({ sessions: COUNT - 1 });
});

it('reads an entry again whose text was turned into bytes by a flipped bit in the head of its row', async () => {
  const file = await folder.dataFile();
  const bytes = await readFile(file);
  for (const at of placesOf(bytes, payload('entry', 7))) {
    // The last byte of the type is before the text, which begins with a blank, the time, a blank and a quote.
    const type = at - ' 1234567890123 "'.length - 1;
    bytes[type] = (bytes[type] ?? 0) ^ 1;
  }
  await writeFile(file, bytes);
  const storage = await folder.open();
  expect((await storage.read('events')).map(({ value }) => value)).toEqual(
    Array.from({ length: COUNT }, (_, i) => payload('entry', i + 1)),
  );
  expect(damaged()).toEqual(['type of an entry']);
  await storage.close();
  await readEverything(await folder.open());
  expect(folder.faults).toHaveLength(1);
});

it('keeps the bytes of what it set aside', async () => {
  await folder.behindItsBack((database) =>
    database.prepare("UPDATE entry SET record = 'torn' WHERE key & 255 = 7").run(),
  );
  const storage = await folder.open();
  expect(await storage.read('events')).toHaveLength(COUNT - 1);
  await storage.close();
  const kept = await folder.behindItsBack((database) =>
    database.prepare('SELECT record, CAST(json AS TEXT) AS json FROM damaged').all(),
  );
  expect(kept).toEqual([{ record: 'entry events#7', json: 'torn' }]);
});
