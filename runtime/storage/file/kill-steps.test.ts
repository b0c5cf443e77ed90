import { cp, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Operation, Storage, StorageFault } from '../storage.ts';
import { quickFolder } from '../testing/quick-folder.ts';
import { Disk } from './disk.ts';
import { FileKeeper } from './file-keeper.ts';
import { FileStorage } from './file-storage.ts';
import { KeeperDispatch } from './keeper-dispatch.ts';

/** The process is gone: nothing that it would do afterwards is done. */
class Killed extends Error {}

/** A storage whose process ends before a step of its work on the disk, and one that looks at what it left. */
class KilledProcess {
  readonly steps: string[] = [];
  readonly storage: FileStorage;
  #keeper: FileKeeper | undefined;
  #killAt: number;
  dead = false;

  constructor(folder: string, killAt: number) {
    this.#killAt = killAt;
    const onStep = (step: string) => {
      if (this.dead || this.steps.length === this.#killAt) {
        this.dead = true;
        throw new Killed(step);
      }
      this.steps.push(step);
    };
    this.storage = new FileStorage({
      folder,
      onStep,
      startKeeper: (path) => {
        this.#keeper = new FileKeeper(path, new Disk(onStep));
        return new KeeperDispatch(this.#keeper);
      },
    });
  }

  /** What the kernel does when a process ends. */
  bury(): void {
    this.#keeper?.close();
  }
}

async function open(folder: string): Promise<{ storage: FileStorage; faults: StorageFault[] }> {
  const faults: StorageFault[] = [];
  const storage = new FileStorage({
    folder,
    onFault: (fault) => faults.push(fault),
    startKeeper: (path) => new KeeperDispatch(new FileKeeper(path)),
  });
  await storage.open();
  return { storage, faults };
}

const put = (id: string, value: unknown): Operation => ({ kind: 'put', collection: 'sessions', id, value });
const say = (id: string, value: unknown): Operation => ({ kind: 'append', log: `messages/${id}`, value });

const CHANGES: Operation[][] = [
  [put('a', 1), say('a', 1), say('a', 2)],
  [put('a', 2), put('b', 1), say('b', 1)],
  [say('a', 3), { kind: 'trim', log: 'messages/a', through: 1 }, put('c', 'x'.repeat(5_000))],
  [
    { kind: 'delete', collection: 'sessions', id: 'b' },
    { kind: 'trim', log: 'messages/b', through: 9 },
  ],
  [put('b', 2), say('b', 2), { kind: 'append', log: 'events', value: 'end' }],
];
/** Each of these must be there as a whole or not at all; `through` counts them in a document of its own. */
const COMMITS = CHANGES.map((operations, i) => [...operations, put('through', i + 1)]);

/** Everything, after each number of commits. */
async function states(): Promise<unknown[]> {
  const folder = await folderFor();
  const { storage } = await open(folder);
  const all = [await everything(storage)];
  for (const commit of COMMITS) {
    await storage.commit(commit);
    all.push(await everything(storage));
  }
  await storage.close();
  return all;
}

/** All but the times of the entries. */
async function everything(storage: Storage): Promise<unknown> {
  const records: unknown[] = [];
  for await (const batch of storage.snapshot())
    records.push(...batch.map((record) => ({ ...record, at: 0 })));
  return records;
}

async function folderFor(): Promise<string> {
  const folder = await mkdtemp(join(quickFolder(), 'storage-steps-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Commits, closes (and so carries out) and answers how many commits were acknowledged. */
async function work(process: KilledProcess, between?: (storage: Storage) => Promise<void>): Promise<number> {
  let acknowledged = 0;
  try {
    await process.storage.open();
    for (const commit of COMMITS) {
      await process.storage.commit(commit);
      acknowledged += 1;
      if (acknowledged === 1) await between?.(process.storage);
    }
    await process.storage.close();
  } catch (error) {
    if (!process.dead) throw error;
  }
  await process.storage.close().catch(() => undefined);
  process.bury();
  return acknowledged;
}

it('keeps every acknowledged commit, and none in part, over a kill before any step', {
  timeout: 120_000,
}, async () => {
  const expected = (await states()).map((state) => JSON.stringify(state));
  const whole = new KilledProcess(await folderFor(), Number.POSITIVE_INFINITY);
  expect(await work(whole)).toBe(COMMITS.length);
  expect(new Set(whole.steps).size).toBeGreaterThan(10);

  for (let step = 0; step < whole.steps.length; step++) {
    const folder = await folderFor();
    const acknowledged = await work(new KilledProcess(folder, step));
    const { storage, faults } = await open(folder);
    const commits = expected.indexOf(JSON.stringify(await everything(storage)));
    expect(commits, `killed before step ${step} (${whole.steps[step]})`).toBeGreaterThanOrEqual(acknowledged);
    expect(faults).toEqual([]);
    await storage.commit([put('through', 'more'), say('a', 'more')]);
    await storage.close();
  }
});

it('keeps them over a second kill while it brings in order what the first left', {
  timeout: 120_000,
}, async () => {
  const expected = (await states()).map((state) => JSON.stringify(state));
  const left = await folderFor();
  // Everything is durable, and nothing in the files yet.
  const first = new KilledProcess(left, Number.POSITIVE_INFINITY);
  await first.storage.open();
  for (const commit of COMMITS) await first.storage.commit(commit);
  first.dead = true;
  await first.storage.close().catch(() => undefined);
  first.bury();

  for (let step = 0, ended = false; !ended; step++) {
    const folder = join(await folderFor(), 'copy');
    await cp(left, folder, { recursive: true });
    const second = new KilledProcess(folder, step);
    await second.storage.open().catch(() => undefined);
    ended = !second.dead;
    second.dead = true;
    await second.storage.close().catch(() => undefined);
    second.bury();
    const { storage, faults } = await open(folder);
    expect(JSON.stringify(await everything(storage)), `killed before step ${step}`).toBe(expected.at(-1));
    expect(faults).toEqual([]);
    await storage.close();
  }
});

it('keeps them over a kill while the journal goes on in files of zeros that were made for it', {
  timeout: 120_000,
}, async () => {
  const large = put('large', 'y'.repeat(300_000));
  const burst = async (storage: Storage) => {
    await storage.commit([large]);
    const [active] = await storage.generations.list();
    // Has everything carried out, and spares made after so much of it.
    await storage.generations.activate(active?.id ?? '');
  };
  const expected = (await states()).map((state) => JSON.stringify(state));
  const whole = new KilledProcess(await folderFor(), Number.POSITIVE_INFINITY);
  expect(await work(whole, burst)).toBe(COMMITS.length);
  // The spares are written in parts, and the second segment begins as one of them.
  expect(whole.steps.filter((step) => step === 'create segment')).toHaveLength(2);
  expect(whole.steps.filter((step) => step === 'write').length).toBeGreaterThan(32);

  for (let step = 0; step < whole.steps.length; step++) {
    const folder = await folderFor();
    const acknowledged = await work(new KilledProcess(folder, step), burst);
    const { storage, faults } = await open(folder);
    await storage.commit([{ kind: 'delete', collection: 'sessions', id: 'large' }]);
    const commits = expected.indexOf(JSON.stringify(await everything(storage)));
    expect(commits, `killed before step ${step} (${whole.steps[step]})`).toBeGreaterThanOrEqual(acknowledged);
    expect(faults).toEqual([]);
    await storage.close();
    await rm(folder, { recursive: true });
  }
});
