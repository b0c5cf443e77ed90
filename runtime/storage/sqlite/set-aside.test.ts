import { randomBytes } from 'node:crypto';
import { access, open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { rejection } from '../contract/fixture.ts';
import type { Operation } from '../storage.ts';
import { SqliteStorage } from './sqlite-storage.ts';
import { StorageFolder } from './testing/storage-folder.ts';

const ROWS: Operation[] = Array.from({ length: 500 }, (_, i) => ({
  kind: 'put',
  collection: 'sessions',
  id: `id-${i}`,
  value: 'x'.repeat(500),
}));

async function zero(file: string, from: number, length: number): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(Buffer.alloc(length), 0, length, from);
  await handle.close();
}

/** A closed storage with data in it, and what a start on it makes of damage. */
async function damaged(damage: (file: string, size: number) => Promise<void>) {
  const folder = await StorageFolder.make();
  const first = await folder.open();
  await first.commit(ROWS);
  await first.close();
  const file = await folder.dataFile();
  await damage(file, (await stat(file)).size);
  const bytes = await readFile(file).catch(() => undefined);
  return { folder, file, bytes };
}

describe('a data file that cannot be used', () => {
  it.each<[string, (file: string, size: number) => Promise<void>]>([
    ['garbage', (file) => writeFile(file, randomBytes(100_000))],
    ['text', (file) => writeFile(file, 'This is not a database. '.repeat(1000))],
    ['empty', (file) => truncate(file, 0)],
    ['cut in its header', (file) => truncate(file, 60)],
    ['cut in the middle', (file, size) => truncate(file, Math.floor(size / 2))],
    ['cut by one page', (file, size) => truncate(file, size - 4096)],
    ['zeroed', (file, size) => zero(file, 0, size)],
    ['zeroed behind its first page', (file, size) => zero(file, 4096, size - 4096)],
    ['missing', (file) => rm(file)],
  ])('is set aside when it is %s, and the storage starts without data', async (name, damage) => {
    const { folder, file, bytes } = await damaged(damage);
    // Without being asked to it only refuses, and changes nothing.
    expect((await rejection(folder.open())).code).toBe('storage.corrupt');
    if (bytes !== undefined) expect(await readFile(file)).toEqual(bytes);

    const storage = new SqliteStorage({ folder: folder.path, setCorruptAside: true });
    await storage.open();
    const { notices } = await storage.info();
    expect(notices).toEqual([{ code: 'storage.set_aside', message: expect.stringContaining(file) }]);
    if (name !== 'missing') {
      expect(await readFile(`${file}.damaged`)).toEqual(bytes);
      expect(notices[0]?.message).toContain(`${file}.damaged`);
    }
    expect((await storage.stats()).documents).toEqual({});
    expect(await storage.generations.list()).toMatchObject([{ reason: 'set aside', active: true }]);
    await storage.commit([{ kind: 'put', collection: 'sessions', id: 'new', value: 1 }]);
    await storage.close();

    // The next start finds all in order, and still has what was set aside.
    const next = new SqliteStorage({ folder: folder.path, setCorruptAside: true });
    await next.open();
    expect((await next.info()).notices).toEqual([]);
    expect((await next.get('sessions', 'new'))?.value).toBe(1);
    await next.close();
    if (name !== 'missing') await access(`${file}.damaged`);
  });

  it('keeps a data file that was gone and is put back, however often the pointer is written', async () => {
    const { folder, file } = await damaged(async (path) => rename(path, `${path}.elsewhere`));
    const start = async () => {
      const storage = new SqliteStorage({ folder: folder.path, setCorruptAside: true });
      await storage.open();
      return storage;
    };
    await (await start()).close();
    await rename(`${file}.elsewhere`, file);
    const bytes = await readFile(file);
    for (let i = 0; i < 2; i++) {
      const storage = await start();
      expect((await storage.stats()).documents).toEqual({});
      const writer = await storage.generations.create('restore');
      await writer.seal();
      await storage.generations.activate(writer.id);
      await storage.close();
      expect(await readFile(file)).toEqual(bytes);
    }
  });

  it('leaves a folder alone whose pointer is damaged', async () => {
    const { folder } = await damaged(async () => undefined);
    await writeFile(folder.file('CURRENT'), 'garbage');
    const before = (await readdir(folder.path)).sort();
    const storage = new SqliteStorage({ folder: folder.path, setCorruptAside: true });
    expect((await rejection(storage.open())).code).toBe('storage.corrupt');
    expect((await readdir(folder.path)).sort()).toEqual(before);
  });

  it('keeps the generation before, to which one can go back', async () => {
    const folder = await StorageFolder.make();
    const first = await folder.open();
    await first.commit(ROWS);
    const writer = await first.generations.create('restore');
    await writer.seal();
    await first.generations.activate(writer.id);
    const file = folder.file(`${writer.id}.sqlite`);
    await first.close();
    await writeFile(file, 'garbage');
    const storage = new SqliteStorage({ folder: folder.path, setCorruptAside: true });
    await storage.open();
    const before = (await storage.generations.list()).find(({ reason }) => reason === 'first');
    await storage.generations.activate(before?.id ?? '');
    expect((await storage.stats()).documents).toEqual({ sessions: 500 });
    await storage.close();
  });
});
