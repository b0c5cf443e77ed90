import {
  appendFile,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from '../contract/index.ts';
import {
  archivePath,
  cancelIn,
  change,
  contentHash,
  createRigs,
  fill,
  type Rig,
  type Rigs,
  topicsOf,
} from './backup.fixture.ts';

let rigs: Rigs;
let rig: Rig;

beforeEach(async () => {
  rigs = await createRigs();
  rig = await rigs.open('memory');
  await fill(rig.storage, 20);
});
afterEach(() => rigs.remove());

describe('a backup', () => {
  it('is an archive in the folder that only the user can read, with a name that says when and why', async () => {
    const id = await rig.backUp();
    expect(id).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-manual-[0-9a-z]{6}$/);
    expect(await readdir(rig.folder)).toEqual([`${id}.stbackup`]);
    const { mode, size } = await stat(archivePath(rig, id));
    expect(mode & 0o777).toBe(0o600);
    expect((await stat(rig.folder)).mode & 0o777).toBe(0o700);
    const { items, folder, undo } = await rig.backups.list();
    expect(folder).toBe(rig.folder);
    expect(undo).toBeUndefined();
    expect(items).toEqual([
      {
        id,
        fileName: `${id}.stbackup`,
        createdAt: expect.any(Number),
        trigger: 'manual',
        sizeBytes: size,
        sessions: 20,
        records: expect.any(Number),
        adapter: 'memory',
        productVersion: '0.0.0-test',
        state: 'checked',
      },
    ]);
    expect(await topicsOf(rig)).toContain('backup.created');
  });

  it('is listed, the newest first', async () => {
    const ids = [await rig.backUp(), await rig.backUp(), await rig.backUp()];
    const listed = (await rig.backups.list()).items;
    expect(listed.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(listed.map(({ createdAt }) => createdAt)).toEqual(
      listed.map(({ createdAt }) => createdAt).toSorted((a, b) => b - a),
    );
  });

  it('tells its phases', async () => {
    const phases: string[] = [];
    rig.bus.subscribe({ name: 'test', topics: ['job.progress'] }, ({ data }) => {
      phases.push((data as Job).phase);
    });
    const { id } = await rig.backups.create(rig.context);
    await rig.jobs.finished(id);
    expect(phases[0]).toBe('Reading');
    expect(await rig.jobs.get(id)).toMatchObject({ phase: 'Checking', unit: 'bytes', state: 'succeeded' });
  });

  it('that did not read back as it was written is no backup', async () => {
    const { snapshot } = rig.storage;
    rig.storage.snapshot = async function* (options) {
      yield* snapshot.call(rig.storage, options);
      // What an adapter with a fault could do; a reader would refuse it later, when it is too late.
      yield [{ kind: 'document', collection: 'agents', id: 'again', version: 1, json: '{}', index: {} }];
    };
    await expect(rig.backUp()).rejects.toThrow('backup.archive_damaged');
    expect(await readdir(rig.folder)).toEqual([]);
  });

  it('that cannot be written says why, and leaves nothing', async () => {
    await rm(rig.folder, { recursive: true });
    await writeFile(rig.folder, 'in the way');
    await expect(rig.backUp()).rejects.toThrow('storage.read_only');
    expect(await readFile(rig.folder, 'utf8')).toBe('in the way');
  });

  it('makes its folder when somebody has removed it', async () => {
    await rm(rig.folder, { recursive: true });
    expect((await rig.backups.list()).items).toEqual([]);
    const id = await rig.backUp();
    expect((await rig.backups.list()).items[0]?.id).toBe(id);
  });

  it('that is cancelled leaves nothing, in each of its phases', async () => {
    const before = await contentHash(rig.storage);
    await fill(rig.storage, 3000);
    for (const phase of ['Reading', 'Checking']) {
      expect((await cancelIn(rig, phase, () => rig.backups.create(rig.context))).state).toBe('cancelled');
      expect(await readdir(rig.folder)).toEqual([]);
    }
    expect(before).not.toBe(await contentHash(rig.storage));
    expect(await topicsOf(rig)).not.toContain('backup.created');
  });

  it('keeps another one, a restore and an undo out', async () => {
    const id = await rig.backUp();
    const { id: job } = await rig.backups.create(rig.context);
    await expect(rig.backups.create(rig.context)).rejects.toMatchObject({ code: 'job.conflict' });
    await expect(rig.backups.restore(id, rig.context)).rejects.toMatchObject({ code: 'job.conflict' });
    await rig.jobs.finished(job);
  });

  it('is downloaded byte for byte', async () => {
    const id = await rig.backUp();
    const { fileName, sizeBytes, stream } = await rig.backups.open(id);
    const bytes = await buffer(stream);
    expect(fileName).toBe(`${id}.stbackup`);
    expect(bytes.byteLength).toBe(sizeBytes);
    expect(bytes.equals(await readFile(archivePath(rig, id)))).toBe(true);
  });

  it('is deleted, and told to be', async () => {
    const id = await rig.backUp();
    await rig.backups.delete(id);
    expect(await readdir(rig.folder)).toEqual([]);
    expect((await rig.backups.list()).items).toEqual([]);
    expect((await topicsOf(rig))[0]).toBe('backup.deleted');
  });

  it('is not found under an id that is none, nor outside of the folder', async () => {
    const outside = join(rigs.path, 'data', 'outside.stbackup');
    await copyFile(archivePath(rig, await rig.backUp()), outside);
    for (const id of ['nothing', '..', '../outside', '', '.', 'outside/../x']) {
      const notFound = { code: 'backup.not_found' };
      await expect(rig.backups.open(id)).rejects.toMatchObject(notFound);
      await expect(rig.backups.delete(id)).rejects.toMatchObject(notFound);
      await expect(rig.backups.preview(id)).rejects.toMatchObject(notFound);
      await expect(rig.backups.restore(id, rig.context)).rejects.toMatchObject(notFound);
    }
    expect((await stat(outside)).size).toBeGreaterThan(0);
  });
});

describe('the folder', () => {
  it('is cleared at the start of what a killed process left unfinished, and of nothing else', async () => {
    const id = await rig.backUp();
    await writeFile(join(rig.folder, '.2026-11-21T14-03-07Z-manual-7k2m9q.partial'), 'half');
    await writeFile(join(rig.folder, '.import-abc.partial'), 'half');
    await writeFile(join(rig.folder, 'notes.txt'), 'mine');
    expect((await rig.backups.list()).items.map((one) => one.id)).toEqual([id]);
    await rigs.open('memory');
    expect((await readdir(rig.folder)).toSorted()).toEqual([`${id}.stbackup`, 'notes.txt'].toSorted());
  });

  it('lists what is damaged or foreign as that, with the problem in words', async () => {
    const id = await rig.backUp();
    const bytes = await readFile(archivePath(rig, id));
    await writeFile(join(rig.folder, 'cut.stbackup'), bytes.subarray(0, 700));
    await writeFile(join(rig.folder, 'text.stbackup'), 'hello');
    await mkdir(join(rig.folder, 'folder.stbackup'));
    await symlink('/etc/passwd', join(rig.folder, 'link.stbackup'));
    const { items } = await rig.backups.list();
    const problems = Object.fromEntries(items.map((one) => [one.fileName, one.problem]));
    expect(problems).toEqual({
      [`${id}.stbackup`]: undefined,
      'cut.stbackup': expect.stringContaining('damaged'),
      'text.stbackup': expect.stringContaining('not an archive'),
      'folder.stbackup': expect.stringContaining('not a plain file'),
      'link.stbackup': expect.stringContaining('link'),
    });
    for (const item of items) expect(item.state).toBe(item.problem === undefined ? 'checked' : 'damaged');
    await expect(rig.backups.open('link')).rejects.toMatchObject({ code: 'backup.archive_foreign' });
    for (const name of ['cut', 'text', 'link']) await rig.backups.delete(name);
    expect((await stat('/etc/passwd')).size).toBeGreaterThan(0);
    expect((await readdir(rig.folder)).toSorted()).toEqual([`${id}.stbackup`, 'folder.stbackup'].toSorted());
  });

  it('takes an archive that was put in by hand, whatever its name', async () => {
    const id = await rig.backUp();
    await copyFile(archivePath(rig, id), join(rig.folder, 'März 2026 (Büro).stbackup'));
    const added = (await rig.backups.list()).items.find((one) => one.id !== id);
    expect(added).toMatchObject({
      state: 'checked',
      trigger: 'imported',
      fileName: 'März 2026 (Büro).stbackup',
    });
    expect(added?.id).toMatch(/^file-[0-9a-f]{16}$/);
    expect((await rig.backups.preview(added?.id ?? '')).sessions.archived).toBe(20);
  });

  it('sees at once what changes in it', async () => {
    const id = await rig.backUp();
    await rig.backups.list();
    await appendFile(archivePath(rig, id), 'x');
    expect((await rig.backups.list()).items).toMatchObject([{ id, state: 'damaged' }]);
    await rm(archivePath(rig, id));
    expect((await rig.backups.list()).items).toEqual([]);
  });

  it('lists an archive as damaged once a whole check has found it to be', async () => {
    const id = await rig.backUp();
    const bytes = await readFile(archivePath(rig, id));
    bytes[600] = (bytes[600] as number) ^ 1;
    await writeFile(archivePath(rig, id), bytes);
    expect((await rig.backups.list()).items).toMatchObject([{ state: 'checked' }]);
    await expect(rig.backups.preview(id)).rejects.toMatchObject({ code: 'backup.archive_damaged' });
    expect((await rig.backups.list()).items).toMatchObject([
      { state: 'damaged', problem: expect.stringContaining('changed') },
    ]);
  });
});

describe('a preview', () => {
  it('tells what would come back, change and go', async () => {
    const id = await rig.backUp();
    await change(rig);
    const preview = await rig.backups.preview(id);
    expect(preview).toMatchObject({
      backup: { id },
      sessions: { archived: 20, current: 19, added: 2, changed: 1, removed: 1 },
      agents: { archived: 1, current: 1 },
      runningTurns: 0,
    });
  });

  it('of what is there now has nothing to do', async () => {
    const id = await rig.backUp();
    const { sessions } = await rig.backups.preview(id);
    expect(sessions).toEqual({ archived: 20, current: 20, added: 0, changed: 0, removed: 0 });
  });

  it('works into an empty store and of an empty archive', async () => {
    const empty = await rigs.open('memory', 'empty');
    const emptyId = await empty.backUp();
    await copyFile(archivePath(empty, emptyId), join(rig.folder, 'empty.stbackup'));
    expect((await rig.backups.preview('empty')).sessions).toEqual({
      archived: 0,
      current: 20,
      added: 0,
      changed: 0,
      removed: 20,
    });
    await copyFile(archivePath(rig, await rig.backUp()), join(empty.folder, 'full.stbackup'));
    expect((await empty.backups.preview('full')).sessions).toMatchObject({
      archived: 20,
      current: 0,
      added: 20,
    });
  });
});
