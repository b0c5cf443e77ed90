import fs, { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { fault } from '../contract/index.ts';
import { takeArchive } from './archive-folder.ts';
import { archivePath, createRigs, fill, type Rig, type Rigs, streamOf, topicsOf } from './backup.fixture.ts';

const never = new AbortController().signal;
let rigs: Rigs;
let rig: Rig;

beforeEach(async () => {
  rigs = await createRigs();
  rig = await rigs.open('memory');
  await fill(rig.storage, 20);
});
afterEach(() => rigs.remove());

describe('an import', () => {
  it('takes no more than the limit, and looks whether there is room', async () => {
    const bytes = await readFile(archivePath(rig, await rig.backUp()));
    const other = await rigs.open('memory', 'other');
    const follower = { signal: never, phase: () => undefined, progress: () => undefined };
    const take = (limit?: number) =>
      takeArchive(
        { folder: other.folder, id: 'import-test', clock: systemClock },
        streamOf(bytes),
        follower,
        async () => 'taken.stbackup',
        limit,
      );
    await expect(take(bytes.byteLength - 1)).rejects.toMatchObject({ code: 'backup.archive_too_large' });
    const { statfs } = fs;
    vi.spyOn(fs, 'statfs').mockImplementation(async (path) => ({ ...(await statfs(path)), bavail: 1 }));
    await expect(take()).rejects.toMatchObject({ code: 'storage.full' });
    vi.restoreAllMocks();
    expect(await readdir(other.folder)).toEqual([]);
    await take(bytes.byteLength);
    expect(await readdir(other.folder)).toEqual(['taken.stbackup']);
  });

  it('is taken into the folder as the very bytes, under a name that says where it came from', async () => {
    const bytes = await readFile(archivePath(rig, await rig.backUp()));
    const other = await rigs.open('memory', 'other');
    const taken = await other.backups.import(streamOf(bytes), never);
    expect(taken.id).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-imported-[0-9a-f]{12}$/);
    const original = (await rig.backups.list()).items[0];
    expect(taken).toMatchObject({ createdAt: original?.createdAt, state: 'checked', trigger: 'imported' });
    expect((await readFile(archivePath(other, taken.id))).equals(bytes)).toBe(true);
    expect((await stat(archivePath(other, taken.id))).mode & 0o777).toBe(0o600);
    expect((await topicsOf(other))[0]).toBe('backup.created');
  });

  it('of the same archive twice is one entry, and heals a copy that was damaged since', async () => {
    const id = await rig.backUp();
    const bytes = await readFile(archivePath(rig, id));
    const damaged = Buffer.from(bytes);
    damaged[600] = (damaged[600] as number) ^ 1;
    await writeFile(archivePath(rig, id), damaged);
    const taken = await rig.backups.import(streamOf(bytes), never);
    expect(taken.id).toBe(id);
    expect(await readdir(rig.folder)).toEqual([`${id}.stbackup`]);
    expect((await rig.backups.preview(id)).sessions.archived).toBe(20);
  });

  it('of what is no archive, or is damaged, leaves nothing behind', async () => {
    const id = await rig.backUp();
    const bytes = await readFile(archivePath(rig, id));
    const flipped = Buffer.from(bytes);
    flipped[600] = (flipped[600] as number) ^ 1;
    for (const [content, code] of [
      [Buffer.alloc(0), 'backup.archive_foreign'],
      [Buffer.from('hello'), 'backup.archive_foreign'],
      [bytes.subarray(0, -600), 'backup.archive_damaged'],
      [flipped, 'backup.archive_damaged'],
    ] as const) {
      await expect(rig.backups.import(streamOf(content), never)).rejects.toMatchObject({ code });
      expect(await readdir(rig.folder)).toEqual([`${id}.stbackup`]);
    }
  });

  it('that is aborted, or breaks off, leaves nothing behind', async () => {
    const bytes = await readFile(archivePath(rig, await rig.backUp()));
    const other = await rigs.open('memory', 'other');
    const controller = new AbortController();
    const stalled = new ReadableStream<Uint8Array>({
      pull(sink) {
        sink.enqueue(bytes.subarray(0, 1000));
        controller.abort(fault('request.cancelled', 'The caller went away.'));
      },
    });
    await expect(other.backups.import(stalled, controller.signal)).rejects.toMatchObject({
      code: 'request.cancelled',
    });
    const broken = new ReadableStream<Uint8Array>({
      start: (sink) => sink.error(new Error('connection reset')),
    });
    await expect(other.backups.import(broken, never)).rejects.toThrow('connection reset');
    expect(await readdir(other.folder)).toEqual([]);
  });
});
