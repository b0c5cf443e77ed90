import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rejection } from '../contract/fixture.ts';
import type { Operation } from '../storage.ts';
import { quickFolder } from '../testing/quick-folder.ts';
import { FileStorage } from './file-storage.ts';
import { setStoreAside } from './store-aside.ts';

const NOW = Date.UTC(2026, 10, 21, 8, 30);
const put = (id: string, value: unknown): Operation => ({ kind: 'put', collection: 'sessions', id, value });

async function closedStore() {
  const folder = await mkdtemp(join(quickFolder(), 'storage-aside-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const open = async (setCorruptAside: boolean) => {
    const storage = new FileStorage({ folder, setCorruptAside, now: () => NOW });
    await storage.open();
    onTestFinished(() => storage.close());
    return storage;
  };
  const storage = await open(false);
  await storage.commit([put('a', 'kept'), { kind: 'append', log: 'messages/a', value: 'kept, too' }]);
  const active = (await storage.generations.list()).find((generation) => generation.active)?.id ?? '';
  await storage.close();
  return { folder, open, active };
}

/** All files below a folder with what they hold. */
async function contents(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('lock'));
  return new Map(
    await Promise.all(
      files.map(async ({ parentPath, name }): Promise<[string, string]> => {
        const path = join(parentPath, name);
        return [path.slice(folder.length + 1), await readFile(path, 'latin1')];
      }),
    ),
  );
}

describe('a store of which it cannot be told what the data is', () => {
  it.each<[string, (folder: string, active: string) => Promise<void>]>([
    ['whose pointer is damaged', (folder) => writeFile(join(folder, 'CURRENT'), '{"format":1,"crc32":')],
    ['whose pointer is gone', (folder) => rm(join(folder, 'CURRENT'))],
    ['whose active generation is gone', (folder, active) => rm(join(folder, active), { recursive: true })],
  ])('is set aside %s, and the storage starts without data', async (_, damage) => {
    const { folder, open, active } = await closedStore();
    await damage(folder, active);
    const before = await contents(folder);
    // Without being asked to it only refuses, and changes nothing.
    expect((await rejection(open(false))).code).toBe('storage.corrupt');
    expect(await contents(folder)).toEqual(before);

    const storage = await open(true);
    const { notices } = await storage.info();
    expect(notices).toEqual([
      { code: 'storage.set_aside', message: expect.stringContaining('Restore a backup') },
    ]);
    const [aside = ''] = await readdir(join(folder, 'damaged'));
    expect(aside).toMatch(/^store 2026-11-21T08-30-00 /);
    expect(notices[0]?.message).toContain(join(folder, 'damaged', aside));
    // Not a byte of the data is lost or left where it was.
    const kept = await contents(join(folder, 'damaged', aside));
    for (const [path, text] of before) {
      if (path.startsWith(active)) expect(kept.get(path)).toBe(text);
    }
    expect((await storage.stats()).documents).toEqual({});
    expect(await storage.read('messages/a')).toEqual([]);
    await storage.commit([put('new', 1)]);
    await storage.close();

    // The next start finds all in order.
    const next = await open(true);
    expect((await next.info()).notices).toEqual([]);
    expect((await next.get('sessions', 'new'))?.value).toBe(1);
    await next.close();
    expect(await readdir(join(folder, 'damaged'))).toEqual([aside]);
  });

  it('is set aside without the generation before, to which one can go back', async () => {
    const { folder, open, active } = await closedStore();
    const storage = await open(false);
    const writer = await storage.generations.create('restore');
    await writer.seal();
    await storage.generations.activate(writer.id);
    await storage.close();
    await rm(join(folder, writer.id), { recursive: true });

    const next = await open(true);
    await next.generations.activate(active);
    expect((await next.get('sessions', 'a'))?.value).toBe('kept');
    await next.close();
  });

  it.each<[string, (folder: string, active: string) => Promise<void>]>([
    ['whose pointer was damaged', (folder) => writeFile(join(folder, 'CURRENT'), 'garbage')],
    ['whose folder was gone', (folder, active) => rename(join(folder, active), join(folder, 'elsewhere'))],
  ])('keeps the data %s when it is put back, and has it again with its pointer', async (_, damage) => {
    const { folder, open, active } = await closedStore();
    const pointer = await readFile(join(folder, 'CURRENT'));
    await damage(folder, active);
    await (await open(true)).close();
    const [name = ''] = await readdir(join(folder, 'damaged'));
    const aside = join(folder, 'damaged', name);
    const kept = (await readdir(folder)).includes('elsewhere')
      ? join(folder, 'elsewhere')
      : join(aside, active);
    await rename(kept, join(folder, active));
    const before = await contents(join(folder, active));

    // Two starts, with work in between that writes the pointer anew.
    for (let i = 0; i < 2; i++) {
      const storage = await open(true);
      expect(await storage.get('sessions', 'a')).toBeUndefined();
      const writer = await storage.generations.create('restore');
      await writer.seal();
      await storage.generations.activate(writer.id);
      await storage.close();
      expect(await contents(join(folder, active))).toEqual(before);
    }

    expect(await readdir(aside)).toContain('CURRENT');
    await writeFile(join(folder, 'CURRENT'), pointer);
    for (const part of ['journal', 'commits']) {
      await rm(join(folder, part), { recursive: true });
      await rename(join(aside, part), join(folder, part));
    }
    const storage = await open(true);
    expect((await storage.info()).notices).toEqual([]);
    expect((await storage.get('sessions', 'a'))?.value).toBe('kept');
    await storage.close();
  });

  it('keeps what was put back of all that was ever set aside, also when a setting aside was cut short', async () => {
    const { folder, open, active } = await closedStore();
    const pointer = join(folder, 'CURRENT');
    // Its folder was moved, and the process killed before the pointer was written.
    await writeFile(pointer, 'garbage');
    const cutShort = join(folder, 'damaged', 'store of a start that was cut short');
    await mkdir(cutShort, { recursive: true });
    await rename(join(folder, active), join(cutShort, active));
    const second = await open(true);
    const [{ id: secondId } = { id: '' }] = await second.generations.list();
    await second.commit([put('b', 'kept')]);
    await second.close();
    await writeFile(pointer, 'garbage once more');
    await (await open(true)).close();

    const stores = await readdir(join(folder, 'damaged'));
    for (const id of [active, secondId]) {
      for (const store of stores) {
        await rename(join(folder, 'damaged', store, id), join(folder, id)).catch(() => undefined);
      }
    }
    await (await open(true)).close();
    expect(await readFile(join(folder, active, 'sessions', 'a', 'session.json'), 'utf8')).toContain('"kept"');
    expect(await readFile(join(folder, secondId, 'sessions', 'b', 'session.json'), 'utf8')).toContain(
      '"kept"',
    );
  });

  it('is left as it is when its pointer cannot be read just now', async () => {
    const { folder, active } = await closedStore();
    await rename(join(folder, 'CURRENT'), join(folder, 'kept'));
    // Stands for a disk that does not answer: it is neither damaged nor gone.
    await mkdir(join(folder, 'CURRENT'));
    await expect(setStoreAside(folder, NOW)).rejects.toMatchObject({ code: 'EISDIR' });
    expect(await readdir(folder)).toEqual(expect.arrayContaining(['CURRENT', active, 'journal', 'commits']));
    expect(await readdir(folder)).not.toContain('damaged');
  });
});
