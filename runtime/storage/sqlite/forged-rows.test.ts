import type { Database } from 'better-sqlite3';
import { beforeEach, expect, it } from 'vitest';
import { SEQUENCE_BITS } from './migrations.ts';
import { COUNT, document, filledFolder, id, readEverything, recordsIn } from './testing/filled-folder.ts';
import type { StorageFolder } from './testing/storage-folder.ts';

let folder: StorageFolder;
const damaged = () => recordsIn(folder.faults);

beforeEach(async () => {
  folder = await filledFolder();
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
    'two entries in one row',
    (database) => {
      const record = database.prepare('SELECT record FROM entry WHERE key & 255 = ?').pluck();
      const both = `${record.get(9)}10${record.get(10)}`;
      database.prepare('UPDATE entry SET record = ? WHERE key & 255 = 9').run(both);
    },
    ['entry events#9'],
  ],
  [
    'an entry whose end was moved to the one behind it',
    (database) => {
      const record = database.prepare('SELECT record FROM entry WHERE key & 255 = ?').pluck();
      const [nine, ten] = [String(record.get(9)), String(record.get(10))];
      const put = database.prepare('UPDATE entry SET record = ? WHERE key & 255 = ?');
      put.run(nine.slice(0, -1), 9);
      put.run(nine.slice(-1) + ten, 10);
    },
    ['entry events#10', 'entry events#9'],
  ],
  [
    'an entry with a NUL in it',
    (database) =>
      database.exec(
        "UPDATE entry SET record = replace(record, 'entry-9', 'entry' || char(0) || '9') WHERE key & 255 = 9",
      ),
    ['entry events#9'],
  ],
  [
    'an entry whose text is not UTF-8',
    (database) =>
      database.exec(
        "UPDATE entry SET record = CAST(replace(CAST(record AS BLOB), 'entry-9', X'ff') AS TEXT) WHERE key & 255 = 9",
      ),
    ['entry events#9'],
  ],
  [
    'the last entry with another number',
    (database) => database.exec(`UPDATE entry SET key = key + 100 WHERE key & 255 = ${COUNT}`),
    [`entry events#${COUNT + 100}`],
  ],
  ['a log that counts back', (database) => database.exec('UPDATE log SET last_sequence = 3'), ['log events']],
];

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
