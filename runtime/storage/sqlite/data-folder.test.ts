import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, rm, rmdir, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rejection } from '../contract/fixture.ts';
import type { Operation } from '../storage.ts';
import { assertSqliteVersion } from './database.ts';
import { mountSmallDisk } from './testing/small-disk.ts';
import { StorageFolder } from './testing/storage-folder.ts';

const put = (id: string, value: unknown = 1): Operation => ({
  kind: 'put',
  collection: 'sessions',
  id,
  value,
});

/** The names and bytes of all files, but for who has the lock. */
async function contentsOf(folder: StorageFolder): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for (const name of (await readdir(folder.path)).sort()) {
    if (!name.startsWith('lock')) contents.set(name, (await readFile(folder.file(name))).toString('latin1'));
  }
  return contents;
}

async function filled(): Promise<StorageFolder> {
  const folder = await StorageFolder.make();
  const storage = await folder.open();
  await storage.commit([put('a', 'kept')]);
  await storage.close();
  return folder;
}

describe('what lies in the folder', () => {
  it('can be read by nobody else', async () => {
    const folder = await StorageFolder.make();
    const nested = await StorageFolder.make(join(folder.path, 'data', 'storage'));
    const storage = await nested.open();
    await storage.commit([put('a')]);
    const writer = await storage.generations.create('test');
    for (const path of [nested.path, join(folder.path, 'data')]) {
      expect((await stat(path)).mode & 0o777).toBe(0o700);
    }
    const names = await readdir(nested.path);
    expect(names.filter((name) => name.endsWith('.sqlite'))).toHaveLength(2);
    expect(names.some((name) => name.endsWith('-wal'))).toBe(true);
    for (const name of names)
      expect([name, (await stat(nested.file(name))).mode & 0o777]).toEqual([name, 0o600]);
    await writer.discard();
  });

  it('is one file a generation, and a dropped or half-built one leaves nothing', async () => {
    const folder = await StorageFolder.make();
    const storage = await folder.open();
    const [first] = await storage.generations.list();
    const second = await storage.generations.create('second');
    await second.seal();
    await storage.generations.activate(second.id);
    await storage.generations.drop(first?.id ?? '');
    const third = await storage.generations.create('third');
    await third.write([{ kind: 'log', log: 'events', lastSequence: 1 }]);
    await storage.close();
    expect((await readdir(folder.path)).filter((name) => name.endsWith('.sqlite'))).toHaveLength(2);
    await (await folder.open()).close();
    expect((await readdir(folder.path)).sort()).toEqual(
      ['CURRENT', `${second.id}.sqlite`, 'lock', 'lock.owner'].sort(),
    );
  });
});

it('removes what a kill has left of a pointer file that was being replaced', async () => {
  const folder = await filled();
  await writeFile(folder.file('.CURRENT.0b7d.tmp'), '{"format":1');
  await writeFile(folder.file('.CURRENT.kept'), 'not ours');
  const storage = await folder.open();
  expect((await readdir(folder.path)).filter((name) => name.startsWith('.'))).toEqual(['.CURRENT.kept']);
  expect((await storage.get('sessions', 'a'))?.value).toBe('kept');
});

describe('a pointer file that cannot be written', () => {
  /** Puts a folder where the pointer file is to go while `work` is done. */
  async function withoutPointer(folder: StorageFolder, work: () => Promise<void>): Promise<void> {
    await rename(folder.file('CURRENT'), folder.file('kept'));
    await mkdir(folder.file('CURRENT'));
    await work();
    await rmdir(folder.file('CURRENT'));
    await rename(folder.file('kept'), folder.file('CURRENT'));
  }

  it('fails the seal, and discarding then leaves no file behind', async () => {
    const folder = await filled();
    const storage = await folder.open();
    const writer = await storage.generations.create('test');
    await withoutPointer(folder, async () => {
      expect((await rejection(writer.seal())).code).toBe('storage.failed');
    });
    await writer.discard();
    expect((await readdir(folder.path)).some((name) => name.startsWith(writer.id))).toBe(false);
    expect((await storage.get('sessions', 'a'))?.value).toBe('kept');
    expect(await storage.generations.list()).toHaveLength(1);
  });

  it('fails the activation, which works as the very next call once it can be written', async () => {
    const folder = await filled();
    const storage = await folder.open();
    const writer = await storage.generations.create('test');
    await writer.seal();
    await withoutPointer(folder, async () => {
      expect((await rejection(storage.generations.activate(writer.id))).code).toBe('storage.failed');
    });
    await storage.generations.activate(writer.id);
    expect(await storage.get('sessions', 'a')).toBeUndefined();
  });
});

describe('data that is not ours to touch', () => {
  it('refuses what a newer version wrote, and changes nothing', async () => {
    const folder = await filled();
    await folder.behindItsBack((database) => database.pragma('user_version = 99'));
    const before = await contentsOf(folder);
    const error = await rejection(folder.storage().open());
    expect(error).toMatchObject({ code: 'storage.newer_version', data: { found: 99 } });
    expect(await contentsOf(folder)).toEqual(before);
  });

  it.each([1, 2])(
    'refuses what a version before the first release wrote (%i), and changes nothing',
    async (found) => {
      const folder = await filled();
      await folder.behindItsBack((database) => database.pragma(`user_version = ${found}`));
      const before = await contentsOf(folder);
      const error = await rejection(folder.storage().open());
      expect(error).toMatchObject({ code: 'storage.failed', data: { found } });
      expect(error.message).toContain('before the first release');
      expect(await contentsOf(folder)).toEqual(before);
    },
  );

  it('refuses a pointer file of a newer version, and changes nothing', async () => {
    const folder = await filled();
    await writeFile(folder.file('CURRENT'), '{"format":2,"whatever":true}');
    const before = await contentsOf(folder);
    expect((await rejection(folder.storage().open())).code).toBe('storage.newer_version');
    expect(await contentsOf(folder)).toEqual(before);
  });

  it.each<[string, (folder: StorageFolder, file: string) => Promise<unknown>, RegExp]>([
    ['a data file of garbage', (_folder, file) => writeFile(file, 'garbage '.repeat(1000)), /\.sqlite/],
    ['an empty data file', (_folder, file) => truncate(file, 0), /\.sqlite/],
    ['a data file that was cut short', (_folder, file) => truncate(file, 5000), /\.sqlite/],
    ['a data file that is missing', (_folder, file) => rm(file), /\.sqlite is missing/],
    [
      'a data file of somebody else',
      (folder) => folder.behindItsBack((database) => database.pragma('application_id = 1')),
      /not a data file/,
    ],
    ['a garbled pointer', (folder) => writeFile(folder.file('CURRENT'), '{"format":1'), /CURRENT/],
    ['an empty pointer', (folder) => writeFile(folder.file('CURRENT'), ''), /CURRENT/],
    [
      'a pointer with a flipped bit',
      async (folder) => {
        const text = await readFile(folder.file('CURRENT'), 'utf8');
        await writeFile(folder.file('CURRENT'), text.replace('"reason":"first"', '"reason":"fistr"'));
      },
      /CURRENT/,
    ],
    ['data without a pointer', (folder) => rm(folder.file('CURRENT')), /CURRENT is missing/],
  ])('refuses %s, names it, and leaves everything as it was', async (_name, damage, message) => {
    const folder = await filled();
    await damage(folder, await folder.dataFile());
    const before = await contentsOf(folder);
    const error = await rejection(folder.storage().open());
    expect(error.code).toBe('storage.corrupt');
    expect(error.message).toMatch(message);
    const after = await contentsOf(folder);
    for (const [name, content] of before) expect([name, after.get(name) === content]).toEqual([name, true]);
  });

  it('starts over a first start that was cut short before it had any data', async () => {
    const folder = await StorageFolder.make();
    await (await folder.open()).close();
    await rm(folder.file('CURRENT'));
    await writeFile(folder.file('0000.sqlite'), '');
    const storage = await folder.open();
    await storage.commit([put('a')]);
    await storage.close();
    expect(basename(await folder.dataFile())).not.toBe('0000.sqlite');
  });

  it('can be opened once what was in the way is gone', async () => {
    const folder = await filled();
    const file = await folder.dataFile();
    const bytes = await readFile(file);
    await writeFile(file, 'garbage');
    const storage = folder.storage();
    await rejection(storage.open());
    expect((await rejection(storage.get('sessions', 'a'))).code).toBe('storage.closed');
    await writeFile(file, bytes);
    await storage.open();
    expect((await storage.get('sessions', 'a'))?.value).toBe('kept');
  });
});

describe('one owner', () => {
  it('refuses a second storage of the same process, and leaves the first one alone', async () => {
    const folder = await filled();
    const first = await folder.open();
    const error = await rejection(folder.storage().open());
    expect(error).toMatchObject({ code: 'storage.locked', data: { pid: process.pid } });
    await first.commit([put('b')]);
    await first.close();
    await folder.open();
  });

  it('has it even when its pid cannot be noted', async () => {
    const folder = await filled();
    await rm(folder.file('lock.owner'));
    await mkdir(folder.file('lock.owner'));
    const storage = await folder.open();
    expect((await rejection(folder.storage().open())).code).toBe('storage.locked');
    await storage.commit([put('b')]);
  });

  it('lets go of it although a snapshot is ended and a damaged record found after the close', async () => {
    const folder = await filled();
    await folder.behindItsBack((database) => database.exec(`UPDATE document SET json = '"torn"'`));
    const storage = await folder.open();
    const snapshot = storage.snapshot()[Symbol.asyncIterator]();
    const first = snapshot.next();
    const damaged = storage.get('sessions', 'a');
    await Promise.all([storage.close(), damaged, first.catch(() => undefined)]);
    await snapshot.return?.();
    await (await folder.open()).close();
  });

  it('refuses while another process has it, and takes over when that was killed', async () => {
    const folder = await filled();
    const program = join(import.meta.dirname, 'testing', 'hold-storage.ts');
    const holder = spawn(process.execPath, [program, folder.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => {
      holder.kill('SIGKILL');
    });
    await once(holder.stdout, 'data');
    for (let i = 0; i < 2; i++) {
      const error = await rejection(folder.storage().open());
      expect(error).toMatchObject({ code: 'storage.locked', data: { pid: holder.pid } });
      expect(error.message).toContain(String(holder.pid));
    }
    const ended = once(holder, 'exit');
    holder.kill('SIGKILL');
    await ended;
    const storage = await folder.open();
    expect((await storage.get('sessions', 'held'))?.value).toBe('by the other');
  });
});

describe('a disk that does not play along', () => {
  it('says so when a file is where the folder should be', async () => {
    const folder = await StorageFolder.make();
    await writeFile(folder.file('storage'), 'in the way');
    const blocked = await StorageFolder.make(join(folder.path, 'storage'));
    expect(await rejection(blocked.storage().open())).toMatchObject({ code: 'storage.read_only' });
  });

  it('says that the folder is read-only', async ({ skip }) => {
    const disk = await mountSmallDisk(4, skip);
    const folder = await StorageFolder.make(join(disk.path, 'storage'));
    const storage = await folder.open();
    await storage.commit([put('a')]);
    await storage.close();
    await disk.makeReadOnly();
    const error = await rejection(folder.storage().open());
    expect(error.code).toBe('storage.read_only');
    expect(error.message).toContain(folder.path);
    const fresh = await StorageFolder.make(join(disk.path, 'nowhere', 'yet'));
    expect(await rejection(fresh.storage().open())).toMatchObject({ code: 'storage.read_only' });
  });

  it('refuses to write to a full disk, loses nothing, still reads, and goes on once there is space', async ({
    skip,
  }) => {
    const disk = await mountSmallDisk(8, skip);
    const folder = await StorageFolder.make(join(disk.path, 'storage'));
    const ballast = join(disk.path, 'ballast');
    await writeFile(ballast, Buffer.alloc(4 * 1024 * 1024));
    const storage = await folder.open();
    const acknowledged: string[] = [];
    let refused: unknown;
    for (let i = 0; i < 1_000 && refused === undefined; i++) {
      const id = `id-${i}`;
      try {
        await storage.commit([put(id, id.repeat(5_000)), { kind: 'append', log: 'events', value: id }]);
        acknowledged.push(id);
      } catch (error) {
        refused = error;
      }
    }
    expect(refused).toMatchObject({ code: 'storage.full' });
    expect(acknowledged.length).toBeGreaterThan(10);
    for (let i = 0; i < 3; i++) {
      const together = await Promise.allSettled([
        storage.commit([put('x', 'x'.repeat(500_000))]),
        storage.commit([put('y', 'y'.repeat(500_000))]),
      ]);
      for (const one of together) expect(one).toMatchObject({ reason: { code: 'storage.full' } });
    }
    for (const id of acknowledged) {
      expect((await storage.get('sessions', id))?.value).toBe(id.repeat(5_000));
    }
    expect((await storage.workerCounts()).recoveries).toBeGreaterThan(0);

    await rm(ballast);
    expect(await storage.commit([put('after'), { kind: 'append', log: 'events', value: 'after' }])).toEqual([
      { version: 1 },
      { sequence: acknowledged.length + 1 },
    ]);
    await storage.close();
    const reopened = await folder.open();
    for (const id of [...acknowledged, 'after']) expect(await reopened.get('sessions', id)).toBeDefined();
    expect(await reopened.read('events', { limit: 10_000 })).toHaveLength(acknowledged.length + 1);
    expect(folder.faults).toEqual([]);
  });

  it('says that the disk is full when there is no room even to open the data again', async ({ skip }) => {
    const disk = await mountSmallDisk(4, skip);
    const folder = await StorageFolder.make(join(disk.path, 'storage'));
    const storage = await folder.open();
    await storage.commit([put('a', 'kept')]);
    expect((await rejection(storage.commit([put('b', 'x'.repeat(6_000_000))]))).code).toBe('storage.full');
    const ballast = join(disk.path, 'ballast');
    expect(await rejection(writeFile(ballast, Buffer.alloc(8 * 1024 * 1024)))).toMatchObject({
      code: 'ENOSPC',
    });
    expect((await rejection(storage.get('sessions', 'a'))).code).toBe('storage.full');
    await rm(ballast);
    expect((await storage.get('sessions', 'a'))?.value).toBe('kept');
  });

  it('leaves the active data alone when a generation does not fit on the disk', async ({ skip }) => {
    const disk = await mountSmallDisk(4, skip);
    const folder = await StorageFolder.make(join(disk.path, 'storage'));
    const storage = await folder.open();
    await storage.commit([put('a', 'kept')]);
    const writer = await storage.generations.create('too large');
    const large = Array.from({ length: 20 }, (_, i) => ({
      kind: 'document' as const,
      collection: 'sessions',
      id: `id-${i}`,
      version: 1,
      json: JSON.stringify('x'.repeat(500_000)),
      index: {},
    }));
    const error = await rejection(writer.write(large).then(() => writer.seal()));
    expect(error.code).toBe('storage.full');
    expect(error.message).toContain(writer.id);
    expect((await rejection(writer.seal())).code).toBe('storage.failed');
    await writer.discard();
    expect(await storage.workerCounts()).toMatchObject({ recoveries: 0 });
    expect((await storage.get('sessions', 'a'))?.value).toBe('kept');
    await storage.commit([put('b', 'x'.repeat(500_000))]);
    expect(await storage.generations.list()).toHaveLength(1);
  });
});

describe('a worker that ends', () => {
  /** Opens a storage and hands out the worker that it starts. */
  async function openWithWorker(folder: StorageFolder) {
    const workers: Worker[] = [];
    const note = (worker: Worker) => workers.push(worker);
    process.on('worker', note);
    onTestFinished(() => {
      process.off('worker', note);
    });
    return { storage: await folder.open(), workers };
  }

  it('fails what it owed, and the next call is served by a new one', async () => {
    const folder = await filled();
    const { storage, workers } = await openWithWorker(folder);
    const owed = Promise.allSettled([
      storage.commit([put('b')]),
      storage.get('sessions', 'a'),
      ...Array.from({ length: 50 }, () => storage.list('sessions', { limit: 10 })),
    ]);
    await workers[0]?.terminate();
    const outcomes = await owed;
    for (const one of outcomes) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'storage.failed' });
    }
    expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
    expect((await storage.get('sessions', 'a'))?.value).toBe('kept');
    await storage.commit([put('c')]);
    expect(workers).toHaveLength(2);
    await storage.close();
    expect(await (await folder.open()).get('sessions', 'c')).toBeDefined();
  });

  it('ends the snapshots and unsealed generations that it had', async () => {
    const folder = await filled();
    const { storage, workers } = await openWithWorker(folder);
    const log = Array.from(
      { length: 2_000 },
      (_, i): Operation => ({ kind: 'append', log: 'events', value: i }),
    );
    await storage.commit(log);
    const writer = await storage.generations.create('test');
    const snapshot = storage.snapshot()[Symbol.asyncIterator]();
    await snapshot.next();
    await workers[0]?.terminate();
    const rest = (async () => {
      while ((await snapshot.next()).done !== true);
    })();
    expect((await rejection(rest)).code).toBe('storage.failed');
    expect((await rejection(writer.seal())).code).toBe('storage.invalid');
    expect(await storage.generations.list()).toHaveLength(1);
  });

  it('fails the open when it ends together with its answer, and can be opened again', async () => {
    const folder = await filled();
    const storage = folder.storage();
    process.once('worker', (worker: Worker) => {
      // As Node does it when both are waiting: one straight after the other.
      worker.once('message', () => worker.emit('exit', 1));
    });
    expect((await rejection(storage.open())).code).toBe('storage.failed');
    await storage.open();
    expect((await storage.get('sessions', 'a'))?.value).toBe('kept');
  });

  it('is replaced once more although its successors keep ending, and not without a pause', async () => {
    const folder = await filled();
    const { storage, workers } = await openWithWorker(folder);
    for (let i = 0; i < 3; i++) {
      await workers.at(-1)?.terminate();
      expect((await storage.get('sessions', 'a'))?.value).toBe('kept');
      expect(workers).toHaveLength(i + 2);
    }
    await workers.at(-1)?.terminate();
    // Its successor would come after a pause, which nobody has to wait for who closes.
    await storage.close();
    expect(workers).toHaveLength(4);
    await (await folder.open()).close();
  });

  it('can be closed while a new one is on its way', async () => {
    const folder = await filled();
    const { storage, workers } = await openWithWorker(folder);
    await workers[0]?.terminate();
    await storage.close();
    await (await folder.open()).close();
  });
});

describe('the SQLite that is loaded', () => {
  it.each(['3.40.1', '3.51.2', '2.99.99', '3.7.0'])('refuses %s, which can damage data', (version) => {
    expect(() => assertSqliteVersion(version)).toThrow(/3\.51\.3 or later/);
  });

  it.each(['3.51.3', '3.51.10', '3.54.1', '4.0.0'])('takes %s', (version) => {
    expect(() => assertSqliteVersion(version)).not.toThrow();
  });
});
