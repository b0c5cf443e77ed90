import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Operation } from '../storage.ts';
import { quickFolder } from '../testing/quick-folder.ts';
import { FileKeeper } from './file-keeper.ts';
import { FileStorage } from './file-storage.ts';
import { KeeperDispatch } from './keeper-dispatch.ts';

type Done = (error: NodeJS.ErrnoException | null) => void;

/** A disk that is told when a sync of the journal is over, and how it ended. */
class SlowDisk {
  readonly #waiting: (() => void)[] = [];
  #begun = Promise.withResolvers<void>();

  constructor() {
    const sync = fs.fdatasync;
    const slow = (fd: number, done: Done) => {
      this.#waiting.push(() => sync(fd, done));
      this.#fail = () => done(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
      this.#begun.resolve();
    };
    const spy = vi.spyOn(fs, 'fdatasync').mockImplementation(slow as typeof fs.fdatasync);
    onTestFinished(() => spy.mockRestore());
  }

  #fail: () => void = () => undefined;

  /** Resolves when a sync waits for its end. */
  async syncing(): Promise<void> {
    await this.#begun.promise;
  }

  /** Ends the sync that is waiting. */
  finish(): void {
    this.#begun = Promise.withResolvers();
    this.#waiting.shift()?.();
  }

  fail(): void {
    this.#begun = Promise.withResolvers();
    this.#waiting.shift();
    this.#fail();
  }
}

async function open(now = { ms: 1_000 }) {
  const folder = await mkdtemp(join(quickFolder(), 'storage-groups-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const storage = new FileStorage({
    folder,
    now: () => now.ms,
    startKeeper: (path) => new KeeperDispatch(new FileKeeper(path)),
  });
  await storage.open();
  const disk = new SlowDisk();
  onTestFinished(() => storage.close());
  return { storage, disk, folder };
}

const put = (
  id: string,
  value: unknown,
  more: Partial<Extract<Operation, { kind: 'put' }>> = {},
): Operation => ({
  kind: 'put',
  collection: 'documents',
  id,
  value,
  ...more,
});
const say = (value: unknown): Operation => ({ kind: 'append', log: 'events', value });

it('shows and answers commits that come while others are being written when they are durable, in their order', async () => {
  const { storage, disk } = await open();
  const order: string[] = [];
  const note = (name: string) => (results: unknown) => {
    order.push(name);
    return results;
  };
  const first = storage.commit([put('a', 1), say('one')], { writer: 'w', number: 1 }).then(note('first'));
  await disk.syncing();
  const second = storage.commit([put('a', 2, { expectVersion: 1 }), say('two')]).then(note('second'));
  const again = storage.commit([put('a', 1), say('one')], { writer: 'w', number: 1 }).then(note('again'));
  const conflict = expect(storage.commit([put('a', 3, { expectVersion: 1 })])).rejects.toMatchObject({
    code: 'storage.version_conflict',
  });
  expect(await storage.get('documents', 'a')).toBeUndefined();
  expect(order).toEqual([]);

  disk.finish();
  expect(await first).toEqual([{ version: 1 }, { sequence: 1 }]);
  await disk.syncing();
  expect(await storage.get('documents', 'a')).toMatchObject({ version: 1, value: 1 });
  expect((await storage.read('events')).map(({ value }) => value)).toEqual(['one']);

  disk.finish();
  await conflict;
  expect(await second).toEqual([{ version: 2 }, { sequence: 2 }]);
  expect(await again).toEqual([{ version: 1 }, { sequence: 1 }]);
  expect(order).toEqual(['first', 'second', 'again']);
  expect(await storage.get('documents', 'a')).toMatchObject({ version: 2, value: 2 });
  expect((await storage.read('events')).map(({ value }) => value)).toEqual(['one', 'two']);
});

it('refuses those whose write failed, and works out who came behind them upon what is durable', async () => {
  const { storage, disk } = await open();
  const before = storage.commit([put('a', 1), say('before')]);
  await disk.syncing();
  disk.finish();
  await before;

  const failing = storage.commit([put('a', 2), say('lost')], { writer: 'w', number: 1 });
  const refused = expect(failing).rejects.toMatchObject({ code: 'storage.failed' });
  await disk.syncing();
  const upon = storage.commit([put('a', 3), put('b', 'ä'), say('behind')]);
  const sentAgain = storage.commit([put('a', 2), say('not lost')], { writer: 'w', number: 1 });
  disk.fail();
  await refused;
  await disk.syncing();
  disk.finish();
  expect(await upon).toEqual([{ version: 2 }, { version: 1 }, { sequence: 2 }]);
  expect(await sentAgain).toEqual([{ version: 3 }, { sequence: 3 }]);
  expect((await storage.read('events')).map(({ value }) => value)).toEqual(['before', 'behind', 'not lost']);
  expect((await storage.get('documents', 'b'))?.value).toBe('ä');
});

it('does not remove a document as expired that is being put again', async () => {
  const now = { ms: 1_000 };
  const { storage, disk } = await open(now);
  const expiring = storage.commit([put('a', 1, { expiresAt: 2_000 })]);
  await disk.syncing();
  disk.finish();
  await expiring;

  // It is time to look for what has expired, but for the group that is being written, not for this document.
  now.ms += 3_600_000;
  const again = storage.commit([put('a', 2)]);
  await disk.syncing();
  now.ms += 3_600_000;
  const behind = storage.commit([put('b', 1)]);
  disk.finish();
  expect(await again).toEqual([{ version: 1 }]);
  await disk.syncing();
  disk.finish();
  await behind;
  expect((await storage.get('documents', 'a'))?.value).toBe(2);
});

it('lets a switch of the generation wait for what is being written, and what comes behind wait for the switch', async () => {
  const { storage, disk } = await open();
  const writer = await storage.generations.create('test');
  await writer.seal();
  const first = storage.commit([put('a', 1), say('old')]);
  await disk.syncing();
  const second = storage.commit([put('a', 2)]);
  const activated = storage.generations.activate(writer.id);
  const third = storage.commit([put('a', 3), say('new')]);
  disk.finish();
  expect(await first).toEqual([{ version: 1 }, { sequence: 1 }]);
  await disk.syncing();
  disk.finish();
  expect(await second).toEqual([{ version: 2 }]);
  await activated;
  await disk.syncing();
  disk.finish();
  // In the new generation the document is new, and the log goes on counting.
  expect(await third).toEqual([{ version: 1 }, { sequence: 2 }]);
});
