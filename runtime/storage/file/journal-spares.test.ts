import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Operation, StorageFault } from '../storage.ts';
import { quickFolder } from '../testing/quick-folder.ts';
import { Disk } from './disk.ts';
import { FileKeeper } from './file-keeper.ts';
import { FileStorage } from './file-storage.ts';
import { JournalFolder } from './journal-folder.ts';
import { FrameBuffer, type JournalCommit } from './journal-frames.ts';
import { KeeperDispatch } from './keeper-dispatch.ts';

const SECTOR = 512;
const SPARE_BYTES = 64 * 1024;

async function folderFor(): Promise<string> {
  const folder = await mkdtemp(join(quickFolder(), 'storage-spares-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function framesOf(serials: number[]): { bytes: Buffer; ends: number[]; commits: JournalCommit[] } {
  const frames = new FrameBuffer();
  const ends: number[] = [];
  const commits = serials.map((serial): JournalCommit => {
    const json = JSON.stringify('x'.repeat(serial * 60));
    return { serial, changes: [{ kind: 'append', log: 'events', sequence: serial, at: 3, json }] };
  });
  for (const commit of commits) {
    frames.add(commit);
    ends.push(frames.length);
  }
  return { bytes: Buffer.from(frames.bytes), ends, commits };
}

/** Reads a segment that began as a spare and of which so much was written. */
async function readerOfSpares() {
  const path = await folderFor();
  const journal = new JournalFolder(path, new Disk());
  return async (written: Buffer, next?: number) => {
    const [spare] = journal.makeSpares(1, SPARE_BYTES) as [string];
    const bytes = await readFile(spare);
    expect(bytes.length).toBe(SPARE_BYTES);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    written.copy(bytes);
    await rm(spare);
    await writeFile(JournalFolder.segmentPath(path, 1), bytes);
    return journal.read(1, next).content;
  };
}

it('gives back the whole commits before any byte at which what was written on zeros ends', async () => {
  const read = await readerOfSpares();
  const { bytes, ends, commits } = framesOf([1, 2, 3]);
  for (let length = 0; length <= bytes.length; length++) {
    const whole = ends.filter((end) => end <= length).length;
    const content = await read(bytes.subarray(0, length));
    expect(content.commits, `cut at ${length}`).toEqual(commits.slice(0, whole));
    expect(content.damaged).toEqual([]);
    expect(content.tornBytes > 0).toBe(length > (ends[whole - 1] ?? 0));
  }
});

it('finds every flipped byte of what was written on zeros, in the last segment and in one before', async () => {
  const read = await readerOfSpares();
  const { bytes, commits } = framesOf([1, 2, 3]);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] as number) ^ (1 << (at & 7));
    const content = await read(flipped, at % 2 === 0 ? undefined : 4);
    expect(content.damaged.length + content.tornBytes).toBeGreaterThan(0);
    expect(content.commits.length).toBeGreaterThanOrEqual(2);
    for (const commit of content.commits) expect(commits).toContainEqual(commit);
  }
});

it('leaves out of a last group all that is behind what never reached the disk, whichever sectors did', async () => {
  const read = await readerOfSpares();
  const first = framesOf([1, 2, 3, 4]);
  const second = framesOf([5, 6, 7, 8, 9, 10]);
  const commits = [...first.commits, ...second.commits];
  const synced = first.bytes.length;
  const bytes = Buffer.concat([first.bytes, second.bytes]);
  const sectors = Math.ceil(bytes.length / SECTOR) - Math.floor(synced / SECTOR);
  expect(sectors).toBeGreaterThan(4);
  for (let reached = 0; reached < 2 ** sectors; reached++) {
    const left = Buffer.from(bytes);
    let hole = bytes.length;
    for (let i = sectors - 1; i >= 0; i--) {
      if (reached & (1 << i)) continue;
      const from = Math.max(synced, (Math.floor(synced / SECTOR) + i) * SECTOR);
      left.fill(0, from, Math.min((Math.floor(synced / SECTOR) + i + 1) * SECTOR, bytes.length));
      hole = from;
    }
    const content = await read(left);
    const ends = [...first.ends, ...second.ends.map((end) => synced + end)];
    expect(content.commits).toEqual(commits.slice(0, content.commits.length));
    expect(content.commits.length).toBeGreaterThanOrEqual(ends.filter((end) => end <= hole).length);
    // The end mark alone may be missing of a commit that is whole.
    expect(content.commits.length).toBeLessThanOrEqual(ends.filter((end) => end - 4 <= hole).length);
    expect(content.damaged).toEqual([]);
  }
});

it('tells of every end that a file of zeros lost which another one follows, wherever it was cut', async () => {
  const read = await readerOfSpares();
  const { bytes, ends, commits } = framesOf([1, 2, 3]);
  for (let length = 0; length < bytes.length; length++) {
    const whole = ends.filter((end) => end <= length).length;
    const content = await read(bytes.subarray(0, length), 4);
    expect(content.commits, `cut at ${length}`).toEqual(commits.slice(0, whole));
    expect(content.damaged.map(({ offset }) => offset)).toEqual([ends[whole - 1] ?? 0]);
    expect(content.tornBytes).toBe(0);
  }
  expect(await read(bytes, 4)).toEqual({ commits, damaged: [], tornBytes: 0 });
});

it('tells of acknowledged commits that the end of a file held which is lost, and of none as unconfirmed', async () => {
  for (const lost of ['whole commits', 'half of one']) {
    const folder = await folderFor();
    const start = (path: string, onFault?: (fault: StorageFault) => void) =>
      new FileStorage({
        folder: path,
        ...(onFault && { onFault }),
        startKeeper: (own) => new KeeperDispatch(new FileKeeper(own)),
      });
    const storage = start(folder);
    onTestFinished(() => storage.close());
    await storage.open();
    await storage.commit([put('large', LARGE)]);
    const [active] = await storage.generations.list();
    await storage.generations.activate(active?.id ?? '');
    const left = join(await folderFor(), 'left');
    const journal = join(left, 'journal');
    const segments = async (path: string) =>
      (await readdir(path)).filter((name) => name.endsWith('.journal')).sort();
    let committed = 0;
    while ((await segments(join(folder, 'journal'))).length < 2) {
      committed += 1;
      await storage.commit([put(`document-${committed}`, LARGE)]);
    }
    await cp(folder, left, { recursive: true, filter: (path) => !path.endsWith('lock') });

    const [first = ''] = await segments(journal);
    const bytes = await readFile(join(journal, first));
    bytes.fill(0, bytes.lastIndexOf('STJ2') + (lost === 'half of one' ? LARGE.length / 2 : 0));
    await writeFile(join(journal, first), bytes);
    const faults: StorageFault[] = [];
    const again = start(left, (fault) => faults.push(fault));
    onTestFinished(() => again.close());
    await again.open();
    expect(faults, lost).toMatchObject([{ record: expect.stringContaining('journal ') }]);
    expect((await again.info()).notices, lost).toEqual([]);
    // All but the one that was lost.
    expect(await again.get('documents', `document-${committed}`)).not.toBeNull();
    expect((await again.list('documents', { limit: 1000 })).items).toHaveLength(committed);
  }
});

it('does without spares where the disk does not take them, and leaves no part of one', async () => {
  const path = await folderFor();
  let writes = 0;
  const full = new Disk((step) => {
    if (step === 'write') writes += 1;
    if (writes > 3) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  });
  const journal = new JournalFolder(path, full);
  expect(journal.makeSpares(2, 1024 * 1024)).toEqual([]);
  expect(await readdir(path)).toEqual([]);
});

const LARGE = 'x'.repeat(300_000);
const put = (id: string, value: unknown): Operation => ({ kind: 'put', collection: 'documents', id, value });

it('goes on in files of zeros after a burst, survives a kill there, and leaves none of them behind', async () => {
  const folder = await folderFor();
  const faults: StorageFault[] = [];
  const at = (path: string) =>
    new FileStorage({
      folder: path,
      onFault: (fault) => faults.push(fault),
      startKeeper: (own) => new KeeperDispatch(new FileKeeper(own)),
    });
  const storage = at(folder);
  onTestFinished(() => storage.close());
  await storage.open();
  const journal = join(folder, 'journal');
  const sizes = async (ending: string) => {
    const names = (await readdir(journal)).filter((name) => name.endsWith(ending));
    return Promise.all(names.map(async (name) => (await stat(join(journal, name))).size));
  };
  await storage.commit([put('a', LARGE)]);
  const [active] = await storage.generations.list();
  // Has everything carried out, and switches to nothing else.
  await storage.generations.activate(active?.id ?? '');
  // Two were made, and the activation went on in one of them.
  const [spareBytes = 0, ...others] = await sizes('.spare');
  expect(spareBytes).toBeGreaterThan(1024 * 1024);
  expect(others).toEqual([]);
  for (const value of [1, 2, 3]) await storage.commit([put('b', value), put(`c${value}`, value)]);
  expect(await sizes('.journal')).toEqual([spareBytes]);

  const left = join(await folderFor(), 'left');
  await mkdir(left);
  await cp(folder, left, { recursive: true, filter: (path) => !path.endsWith('lock') });
  const again = at(left);
  onTestFinished(() => again.close());
  await again.open();
  expect((await again.info()).notices).toEqual([]);
  expect((await again.get('documents', 'a'))?.value).toBe(LARGE);
  expect(await again.get('documents', 'b')).toMatchObject({ version: 3, value: 3 });
  expect((await readdir(join(left, 'journal'))).filter((name) => name.endsWith('.spare'))).toEqual([]);
  expect(faults).toEqual([]);

  await storage.close();
  expect(await readdir(journal)).toEqual(['carried-out']);
});

it('goes on in the next file when one of zeros is full', async () => {
  const folder = await folderFor();
  const storage = new FileStorage({
    folder,
    startKeeper: (own) => new KeeperDispatch(new FileKeeper(own)),
  });
  onTestFinished(() => storage.close());
  await storage.open();
  await storage.commit([put('large', LARGE)]);
  const [active] = await storage.generations.list();
  await storage.generations.activate(active?.id ?? '');
  // More than three files hold: the last of them begins empty, as there are two of zeros.
  for (let i = 0; i < 60; i++) await storage.commit([put('large', LARGE), put(`small-${i}`, i)]);
  await storage.close();
  await storage.open();
  for (let i = 0; i < 60; i++) expect((await storage.get('documents', `small-${i}`))?.value).toBe(i);
  expect(await storage.get('documents', 'large')).toMatchObject({ version: 61 });
});
