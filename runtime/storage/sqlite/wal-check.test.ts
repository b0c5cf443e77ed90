import { copyFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { beforeEach, expect, it } from 'vitest';
import { StorageFolder } from './testing/storage-folder.ts';
import { checkWal } from './wal-check.ts';

const HEADER = 32;
const FRAME = 24 + 4096;

let file: string;
/** The log as SQLite wrote it. */
let whole: Buffer;

/** A data file with a log of some transactions, as a process leaves it that is killed. */
beforeEach(async () => {
  const folder = (await StorageFolder.make()).path;
  file = join(folder, 'a.sqlite');
  const source = join(folder, 'source.sqlite');
  const database = new Sqlite(source);
  database.pragma('journal_mode = WAL');
  database.exec('CREATE TABLE row (key INTEGER PRIMARY KEY, text TEXT)');
  const insert = database.prepare('INSERT INTO row (text) VALUES (?)');
  for (let i = 1; i <= 12; i++) insert.run(`row ${i} `.repeat(300));
  for (const suffix of ['', '-wal']) await copyFile(source + suffix, file + suffix);
  database.close();
  whole = await readFile(`${file}-wal`);
});

const flipped = (at: number, bit: number) => {
  const bytes = Buffer.from(whole);
  bytes[at] = (bytes[at] as number) ^ (1 << bit);
  return bytes;
};

/** The rows that SQLite finds. */
function rows(): number {
  const database = new Sqlite(file);
  const count = Number(database.prepare('SELECT count(*) FROM row').pluck().get());
  database.close();
  return count;
}

it('leaves a log alone that is whole', async () => {
  expect(await checkWal(file)).toEqual([]);
  expect(await readFile(`${file}-wal`)).toEqual(whole);
  expect(rows()).toBe(12);
});

it('needs no log', async () => {
  expect(await checkWal(join(file, '..', 'missing.sqlite'))).toEqual([]);
});

it('misses no flipped bit, and puts most right', { timeout: 60_000 }, async () => {
  const frames = (whole.length - HEADER) / FRAME;
  const last = HEADER + (frames - 1) * FRAME;
  const header = Array.from({ length: HEADER }, (_, at) => at);
  const places = [
    ...header,
    ...[HEADER, HEADER + FRAME, last].flatMap((frame) => Array.from({ length: 40 }, (_, i) => frame + i)),
    ...Array.from({ length: 400 }, (_, i) => HEADER + ((i * 1009) % (whole.length - HEADER))),
  ];
  let mended = 0;
  for (const [i, at] of places.entries()) {
    const bytes = flipped(at, i % 8);
    await writeFile(`${file}-wal`, bytes);
    const [notice, ...others] = await checkWal(file);
    expect([notice?.record, others], `byte ${at}`).toEqual(['journal a.sqlite-wal', []]);
    const left = await readFile(`${file}-wal`);
    if (left.equals(whole)) mended += 1;
    else if (left.equals(bytes)) expect(notice?.message, `byte ${at}`).toContain('is damaged');
    // Only in the last frame a page and its checksum can stand for each other, and then the record's own CRC decides.
    else expect(at, `byte ${at}`).toBeGreaterThanOrEqual(last);
    if (at < HEADER) expect(mended, `byte ${at}`).toBe(i + 1);
  }
  expect(mended / places.length).toBeGreaterThan(0.6);
});

it('tells what it cannot put right, keeps it aside, and leaves the last good commit', async () => {
  const bytes = flipped(HEADER + 4 * FRAME + 100, 1);
  bytes[HEADER + 4 * FRAME + 900] = 0x55;
  await writeFile(`${file}-wal`, bytes);
  expect(await checkWal(file)).toEqual([
    { record: 'journal a.sqlite-wal', message: expect.stringContaining('is damaged') },
  ]);
  expect((await readFile(`${file}-wal.damaged`)).equals(bytes)).toBe(true);
  const found = rows();
  expect(found).toBeGreaterThan(0);
  expect(found).toBeLessThan(12);
});

it.each([
  ['its last frame', 0, '. A kill or a power cut in the middle'],
  ['a frame before others', 3, '. A power cut in the middle'],
])(
  'tells of %s what may have left it so, when its page is that of an older log',
  async (_name, behind, told) => {
    const bytes = Buffer.from(whole);
    const frames = (whole.length - HEADER) / FRAME;
    const torn = HEADER + (frames - 1 - behind) * FRAME;
    bytes.fill('older', torn + 24, torn + FRAME);
    await writeFile(`${file}-wal`, bytes);
    const [notice] = await checkWal(file);
    expect(notice?.message).toContain(told);
    expect(notice?.message.includes('A kill')).toBe(behind === 0);
  },
);

it('says nothing of a log that was cut short between two commits, and of one from before', async () => {
  const { size } = await stat(`${file}-wal`);
  await truncate(`${file}-wal`, size - FRAME / 2);
  expect(await checkWal(file)).toEqual([]);
  // Frames of an older log behind the end of this one: their salts are others.
  const bytes = Buffer.from(whole);
  for (let at = HEADER + 8 * FRAME; at < bytes.length; at += FRAME) bytes.writeUInt32BE(1, at + 8);
  for (let at = HEADER + 8 * FRAME; at < bytes.length; at += FRAME) bytes.writeUInt32BE(2, at + 20);
  await writeFile(`${file}-wal`, bytes);
  expect(await checkWal(file)).toEqual([]);
  // A log that was begun anew, and nothing written to it: no frame is of it.
  const anew = Buffer.from(whole);
  for (let at = HEADER; at < anew.length; at += FRAME) anew.writeUInt32BE(1, at + 8);
  for (let at = HEADER; at < anew.length; at += FRAME) anew.writeUInt32BE(2, at + 20);
  await writeFile(`${file}-wal`, anew);
  expect(await checkWal(file)).toEqual([]);
});
