import { readdir, rename, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { rejection } from '../contract/fixture.ts';
import type { Operation } from '../storage.ts';
import { createDatabase } from './database.ts';
import { DirectReader } from './direct-reader.ts';
import { StorageFolder } from './testing/storage-folder.ts';

const put = (id: string, value: unknown = 1): Operation => ({
  kind: 'put',
  collection: 'sessions',
  id,
  value,
});

/** A data file with the document `sessions/a`, whose columns hold no more than what a reader passes on. */
async function dataFile(folder: StorageFolder, name: string, json: string): Promise<string> {
  const file = folder.file(name);
  const database = await createDatabase(file, 'durable');
  database.prepare("INSERT INTO document VALUES (1, 'sessions', 'a', 1, '', NULL, 0, 0, ?)").run(json);
  database.close();
  return file;
}

/** The JSON of `sessions/a`; undefined when it has to be asked for elsewhere, null when there is no such document. */
const readBy = (reader: DirectReader) =>
  reader.attempt((records) => records.get('sessions', 'a', 0)?.[8] ?? null);

it('reads nothing before it was told where, and nothing after it let go', async () => {
  const folder = await StorageFolder.make();
  const reader = new DirectReader();
  expect(readBy(reader)).toBeUndefined();
  reader.use(await dataFile(folder, 'one.sqlite', '"one"'));
  expect(readBy(reader)).toBe('"one"');
  reader.use(await dataFile(folder, 'two.sqlite', '"two"'));
  expect(readBy(reader)).toBe('"two"');
  reader.close();
  expect(readBy(reader)).toBeUndefined();
});

it('reads no more after an error, until it is told that the file can be read', async () => {
  const folder = await StorageFolder.make();
  const file = await dataFile(folder, 'one.sqlite', '"one"');
  const reader = new DirectReader();
  await rename(file, `${file}.away`);
  reader.use(file);
  expect(readBy(reader)).toBeUndefined();
  await rename(`${file}.away`, file);
  expect(readBy(reader)).toBeUndefined();
  reader.resume();
  expect(readBy(reader)).toBe('"one"');
  reader.close();
});

it('leaves nothing beside the data file when the storage is closed', async () => {
  const folder = await StorageFolder.make();
  const storage = await folder.open();
  await storage.commit([put('a')]);
  expect((await storage.get('sessions', 'a'))?.value).toBe(1);
  const writer = await storage.generations.create('test');
  await writer.seal();
  await storage.generations.activate(writer.id);
  expect(await storage.get('sessions', 'a')).toBeUndefined();
  await storage.close();
  const names = await readdir(folder.path);
  expect(names.filter((name) => /-(wal|shm)$/.test(name))).toEqual([]);
});

it('is at the right generation again after an activation that was refused', async () => {
  const folder = await StorageFolder.make();
  const storage = await folder.open();
  await storage.commit([put('a')]);
  const [active] = await storage.generations.list();
  expect((await rejection(storage.generations.activate('nowhere'))).code).toBe('storage.invalid');
  expect((await storage.get('sessions', 'a'))?.value).toBe(1);
  await storage.generations.activate(active?.id ?? '');
  expect((await storage.get('sessions', 'a'))?.value).toBe(1);
});

it('does not give up the active file because the one to be activated cannot be opened', async () => {
  const folder = await StorageFolder.make();
  const storage = await folder.open();
  await storage.commit([put('a')]);
  const writer = await storage.generations.create('test');
  await writer.seal();
  await writeFile(folder.file(`${writer.id}.sqlite`), 'garbage');
  const error = await rejection(storage.generations.activate(writer.id));
  expect(error.code).toBe('storage.corrupt');
  expect(error.message).toContain(writer.id);
  await storage.commit([put('b')]);
  expect((await storage.get('sessions', 'b'))?.value).toBe(1);
  expect(await storage.workerCounts()).toMatchObject({ recoveries: 0 });
});
