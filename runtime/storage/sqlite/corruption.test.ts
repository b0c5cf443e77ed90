import { readFile, writeFile } from 'node:fs/promises';
import type { Database } from 'better-sqlite3';
import { beforeEach, describe, expect, it } from 'vitest';
import { recordsOf } from '../contract/fixture.ts';
import type { Operation } from '../storage.ts';
import { SEQUENCE_BITS } from './migrations.ts';
import type { SqliteStorage } from './sqlite-storage.ts';
import { StorageFolder } from './testing/storage-folder.ts';

const COUNT = 40;
const id = (i: number) => `id-${String(i).padStart(2, '0')}`;
/** Long enough to be found in the file, and unlike any other. */
const payload = (kind: string, i: number) => `${kind}-${i}:${'payload'.repeat(20)}:${kind}-${i}`;
const document = (i: number): Operation => ({
  kind: 'put',
  collection: 'sessions',
  id: id(i),
  value: payload('document', i),
  index: { rank: i, title: `Title ${i}` },
});

let folder: StorageFolder;

beforeEach(async () => {
  folder = await StorageFolder.make();
  const storage = await folder.open();
  await storage.commit(
    Array.from({ length: COUNT }, (_, i) => i + 1).flatMap((i) => [
      document(i),
      { kind: 'append', log: 'events', value: payload('entry', i) },
    ]),
  );
  await storage.close();
});

/** All of them: a page that was divided keeps the bytes that moved away. */
function placesOf(bytes: Buffer, text: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at);
  return places;
}

const byRank = { orderBy: { field: 'rank', direction: 'ascending' }, limit: 1000 } as const;
const damaged = () => folder.faults.map(({ record }) => record).sort();

async function readEverything(storage: SqliteStorage) {
  const got: string[] = [];
  for (let i = 1; i <= COUNT; i++) {
    const found = await storage.get<string>('sessions', id(i));
    if (found !== undefined) got.push(found.value);
  }
  const listed = (await storage.list<string>('sessions', byRank)).items.map(({ value }) => value);
  const entries = (await storage.read<string>('events')).map(({ value }) => value);
  const records = await recordsOf(storage);
  return { got, listed, entries, records };
}

describe('flipped bits', () => {
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
    expect(await storage.commit([{ ...document(5), expectVersion: 0 } as Operation])).toEqual([
      { version: 1 },
    ]);
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
});

/** What somebody, or a bug, might do to rows whose values are whole. */
const FORGERIES: [string, (database: Database) => unknown, string[]][] = [
  [
    'values that were swapped',
    (database) => {
      const values = database.prepare('SELECT json, value_crc FROM document WHERE id = ?').raw();
      const put = database.prepare('UPDATE document SET json = ?, value_crc = ? WHERE id = ?');
      const [one, two] = [id(1), id(2)].map((name) => values.get(name) as [string, number]);
      put.run(...(two as [string, number]), id(1));
      put.run(...(one as [string, number]), id(2));
    },
    [`document sessions/${id(1)}`, `document sessions/${id(2)}`],
  ],
  [
    'a document under another id',
    (database) => database.exec(`UPDATE document SET id = 'zz' WHERE id = '${id(3)}'`),
    ['document sessions/zz'],
  ],
  [
    'a document in another collection',
    (database) => database.exec(`UPDATE document SET collection = 'other' WHERE id = '${id(3)}'`),
    ['document other/id-03'],
  ],
  [
    'another version',
    (database) => database.exec(`UPDATE document SET version = 2 WHERE id = '${id(4)}'`),
    [`document sessions/${id(4)}`],
  ],
  [
    'other index fields',
    (database) => database.exec(`UPDATE document SET fields = '{"rank":1}' WHERE id = '${id(5)}'`),
    [`document sessions/${id(5)}`],
  ],
  [
    'another expiry',
    (database) => database.exec(`UPDATE document SET expires_at = 99999999999999 WHERE id = '${id(6)}'`),
    [`document sessions/${id(6)}`],
  ],
  [
    'an entry with another number',
    (database) => database.exec('UPDATE entry SET key = key + 100 WHERE key & 255 = 9'),
    ['entry events#109'],
  ],
  [
    'an entry in another log',
    (database) => {
      database.exec("INSERT INTO log SELECT 77, 'other', 50, 0");
      database.exec(`UPDATE entry SET key = (77 << ${SEQUENCE_BITS}) + 9 WHERE key & 255 = 9`);
    },
    ['entry other#9', 'log other'],
  ],
  [
    'an entry at another time',
    (database) =>
      database.exec("UPDATE entry SET record = ' 1000000000000' || substr(record, 15) WHERE key & 255 = 9"),
    ['entry events#9'],
  ],
  [
    'entries that were swapped',
    (database) => {
      const record = database.prepare('SELECT record FROM entry WHERE key & 255 = ?').pluck();
      const put = database.prepare('UPDATE entry SET record = ? WHERE key & 255 = ?');
      const [nine, ten] = [record.get(9), record.get(10)];
      put.run(ten, 9);
      put.run(nine, 10);
    },
    ['entry events#10', 'entry events#9'],
  ],
  [
    'entries with nothing in them',
    (database) => database.exec("UPDATE entry SET record = '' WHERE key & 255 >= 39"),
    ['entry events#39', 'entry events#40'],
  ],
  [
    'the last entry with another number',
    (database) => database.exec(`UPDATE entry SET key = key + 100 WHERE key & 255 = ${COUNT}`),
    [`entry events#${COUNT + 100}`],
  ],
  ['a log that counts back', (database) => database.exec('UPDATE log SET last_sequence = 3'), ['log events']],
];

describe('forged rows', () => {
  it.each(FORGERIES)('finds %s', async (_name, forge, expected) => {
    await folder.behindItsBack(forge);
    const storage = await folder.open();
    await readEverything(storage);
    if (expected.includes('entry other#9')) expect(await storage.read('other')).toEqual([]);
    expect(damaged()).toEqual(expected);
  });

  it('finds a version that was changed when the document is written to, before it was ever read', async () => {
    await folder.behindItsBack((database) =>
      database.exec(`UPDATE document SET version = 41 WHERE id = '${id(4)}'`),
    );
    const storage = await folder.open();
    expect(await storage.commit([document(4)])).toEqual([{ version: 1 }]);
    expect(damaged()).toEqual([`document sessions/${id(4)}`]);
    const { items } = await storage.list('sessions', { where: [{ field: 'rank', is: 4 }], limit: 10 });
    expect(items).toHaveLength(1);
  });

  it('does not use a number twice when the counter of a log was damaged', async () => {
    for (const forged of [3, 2 ** 40, -1]) {
      await folder.behindItsBack((database) =>
        database.prepare('UPDATE log SET last_sequence = ?').run(forged),
      );
      const storage = await folder.open();
      const before = (await storage.read('events', { reverse: true, limit: 1 }))[0]?.sequence ?? 0;
      expect(await storage.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([
        { sequence: before + 1 },
      ]);
      await storage.close();
    }
    expect(damaged()).toEqual(['log events', 'log events', 'log events']);
  });

  it('does not carry a damaged counter of a log over to the next generation', async () => {
    await folder.behindItsBack((database) =>
      database.prepare('UPDATE log SET last_sequence = ?').run(2 ** SEQUENCE_BITS - 1),
    );
    const storage = await folder.open();
    const writer = await storage.generations.create('test');
    await writer.seal();
    await storage.generations.activate(writer.id);
    expect(await storage.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([
      { sequence: COUNT + 1 },
    ]);
  });

  it('lists the others although the fields of one cannot be read', async () => {
    await folder.behindItsBack((database) =>
      database.exec(`UPDATE document SET fields = '{"rank"x1}' WHERE id = '${id(5)}'`),
    );
    const storage = await folder.open();
    expect((await storage.list('sessions', byRank)).items).toHaveLength(COUNT - 1);
    expect(damaged()).toEqual([`document sessions/${id(5)}`]);
    await storage.commit([document(5)]);
    expect((await storage.list('sessions', byRank)).items).toHaveLength(COUNT);
    expect(folder.faults).toHaveLength(1);
  });

  it.each(['get', 'sweep'])('reports a document whose damage makes it seem expired (%s)', async (way) => {
    await folder.behindItsBack((database) =>
      database.exec(`UPDATE document SET expires_at = 1 WHERE id = '${id(6)}'`),
    );
    const storage = await folder.open();
    if (way === 'get') expect(await storage.get('sessions', id(6))).toBeUndefined();
    // The first commit looks for what has expired.
    else await storage.commit([document(7)]);
    await storage.workerCounts();
    expect(damaged()).toEqual([`document sessions/${id(6)}`]);
    await storage.close();
    const kept = await folder.behindItsBack((database) =>
      database.prepare('SELECT record FROM damaged').pluck().all(),
    );
    expect(kept).toEqual([`document sessions/${id(6)}`]);
  });

  it('writes a document although a stray row is where its index row goes', async () => {
    await folder.behindItsBack((database) =>
      database.exec(`UPDATE document_field SET value = 1000 WHERE field = 'rank' AND value = 8`),
    );
    const storage = await folder.open();
    await storage.commit([{ ...document(8), index: { rank: 1000 } } as Operation]);
    const { items } = await storage.list('sessions', { where: [{ field: 'rank', from: 900 }], limit: 10 });
    expect(items.map((item) => item.id)).toEqual([id(8)]);
  });

  it('does not use a number twice when the last entry of a log was damaged', async () => {
    await folder.behindItsBack((database) =>
      database.prepare(`UPDATE entry SET record = 'torn' WHERE key & 255 = ?`).run(COUNT),
    );
    const storage = await folder.open();
    expect(await storage.read('events')).toHaveLength(COUNT - 1);
    await storage.close();
    const reopened = await folder.open();
    expect(await reopened.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([
      { sequence: COUNT + 1 },
    ]);
    expect(damaged()).toEqual([`entry events#${COUNT}`]);
  });

  it.each<[string, string]>([
    ['its number', 'UPDATE log SET number = number + 64'],
    ['its last number', 'UPDATE log SET last_sequence = last_sequence + 256'],
    ['its name', `UPDATE log SET name = 'dvents'`],
    ['its checksum', 'UPDATE log SET crc = crc + iif(crc & 1, -1, 1)'],
  ])('puts a log right of which one bit was flipped in %s', async (_what, flip) => {
    await folder.behindItsBack((database) => database.exec(`${flip} WHERE name = 'events'`));
    const storage = await folder.open();
    expect(await storage.read('events')).toHaveLength(COUNT);
    expect(damaged()).toEqual(['log events']);
    expect(await storage.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([
      { sequence: COUNT + 1 },
    ]);
    await storage.close();
    await folder.open();
    expect(damaged()).toEqual(['log events']);
  });

  it.each([['sessions'], ['settings']])(
    'lists no document of %s under the name of another, whose index row leads to it',
    async (collection) => {
      const own = { kind: 'put', collection, id: id(4), value: 'other', index: { rank: 3 } } as const;
      const storage = await folder.open();
      await storage.commit([own]);
      await storage.close();
      await folder.behindItsBack((database) =>
        database
          .prepare(
            `UPDATE document_field SET document = (SELECT key FROM document WHERE collection = ? AND id = ?)
             WHERE collection = 'sessions' AND field = 'rank' AND id = ?`,
          )
          .run(collection, id(4), id(3)),
      );
      const again = await folder.open();
      const three = { where: [{ field: 'rank', is: 3 }], limit: 10 };
      const { items } = await again.list('sessions', three);
      for (const item of items) expect(item).toMatchObject({ collection: 'sessions' });
      expect(items.map((item) => item.id)).not.toContain(id(3));
      expect(damaged()).toContain(`index of sessions/${id(3)}`);
      const mended = await again.list('sessions', three);
      expect(mended.items.map((item) => item.id)).toContain(id(3));
      expect(mended.items.find((item) => item.id === id(3))?.value).toBe(payload('document', 3));
    },
  );

  it('does not list a document by an index row that says what the document does not', async () => {
    await folder.behindItsBack((database) =>
      database.exec(`UPDATE document_field SET value = 1000 WHERE field = 'rank' AND value = 8`),
    );
    const storage = await folder.open();
    const { items } = await storage.list('sessions', { where: [{ field: 'rank', from: 900 }], limit: 10 });
    expect(items).toEqual([]);
    expect(damaged()).toEqual([`index of sessions/${id(8)}`]);
    expect((await storage.get('sessions', id(8)))?.value).toBe(payload('document', 8));
    const ranks = await storage.list('sessions', {
      ...byRank,
      where: [{ field: 'rank', from: 7, below: 10 }],
    });
    expect(ranks.items.map((item) => item.id)).toEqual([id(7), id(8), id(9)]);
    expect(folder.faults).toHaveLength(1);
  });
});
