import fs, {
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
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { fault, type Job } from '../contract/index.ts';
import { takeArchive } from './archive-folder.ts';
import { openArchive } from './archive-reader.ts';
import { contentHash, contentOf, createRig, fill, type Rig, temporaryFolder } from './backup.fixture.ts';

let temporary: { path: string; remove: () => Promise<void> };
let rig: Rig;
const opened: Rig[] = [];

async function open(type: 'memory' | 'sqlite', name = 'data'): Promise<Rig> {
  const made = await createRig({ type, dataDir: join(temporary.path, name) });
  opened.push(made);
  return made;
}

beforeEach(async () => {
  temporary = await temporaryFolder();
  rig = await open('memory');
  await fill(rig.storage, 20);
});

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await temporary.remove();
});

const archivePath = (id: string, of = rig) => join(of.folder, `${id}.stbackup`);
const read = (id: string, of = rig) => readFile(archivePath(id, of));
const streamOf = (bytes: Uint8Array): ReadableStream<Uint8Array> =>
  new Blob([new Uint8Array(bytes)]).stream();
const never = new AbortController().signal;
const topics = async (of = rig) => (await of.bus.read({ limit: 100 })).items.map(({ type }) => type);

/** Changes some, adds some, removes some; what a restore has to take back. */
async function change(of: Rig): Promise<void> {
  await of.storage.commit([
    { kind: 'delete', collection: 'sessions', id: 'session-000003' },
    { kind: 'delete', collection: 'sessions', id: 'session-000004' },
    { kind: 'put', collection: 'sessions', id: 'session-000005', value: { title: 'renamed' } },
    { kind: 'put', collection: 'sessions', id: 'zzz', value: { title: 'new' } },
    { kind: 'append', log: 'messages/session-000001', value: 'more' },
  ]);
}

describe('a backup', () => {
  it('is an archive in the folder that only the user can read, with a name that says when and why', async () => {
    const id = await rig.backUp();
    expect(id).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-manual-[0-9a-z]{6}$/);
    expect(await readdir(rig.folder)).toEqual([`${id}.stbackup`]);
    const { mode, size } = await stat(archivePath(id));
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
    expect(await topics()).toContain('backup.created');
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
      expect((await cancelIn(phase, () => rig.backups.create(rig.context))).state).toBe('cancelled');
      expect(await readdir(rig.folder)).toEqual([]);
    }
    expect(before).not.toBe(await contentHash(rig.storage));
    expect(await topics()).not.toContain('backup.created');
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
    expect(bytes.equals(await read(id))).toBe(true);
  });

  it('is deleted, and told to be', async () => {
    const id = await rig.backUp();
    await rig.backups.delete(id);
    expect(await readdir(rig.folder)).toEqual([]);
    expect((await rig.backups.list()).items).toEqual([]);
    expect((await topics())[0]).toBe('backup.deleted');
  });

  it('is not found under an id that is none, nor outside of the folder', async () => {
    const outside = join(temporary.path, 'data', 'outside.stbackup');
    await copyFile(archivePath(await rig.backUp()), outside);
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
    await open('memory');
    expect((await readdir(rig.folder)).toSorted()).toEqual([`${id}.stbackup`, 'notes.txt'].toSorted());
  });

  it('lists what is damaged or foreign as that, with the problem in words', async () => {
    const id = await rig.backUp();
    const bytes = await read(id);
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
    await copyFile(archivePath(id), join(rig.folder, 'März 2026 (Büro).stbackup'));
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
    await appendFile(archivePath(id), 'x');
    expect((await rig.backups.list()).items).toMatchObject([{ id, state: 'damaged' }]);
    await rm(archivePath(id));
    expect((await rig.backups.list()).items).toEqual([]);
  });

  it('lists an archive as damaged once a whole check has found it to be', async () => {
    const id = await rig.backUp();
    const bytes = await read(id);
    bytes[600] = (bytes[600] as number) ^ 1;
    await writeFile(archivePath(id), bytes);
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
    const empty = await open('memory', 'empty');
    const emptyId = await empty.backUp();
    await copyFile(archivePath(emptyId, empty), join(rig.folder, 'empty.stbackup'));
    expect((await rig.backups.preview('empty')).sessions).toEqual({
      archived: 0,
      current: 20,
      added: 0,
      changed: 0,
      removed: 20,
    });
    await copyFile(archivePath(await rig.backUp()), join(empty.folder, 'full.stbackup'));
    expect((await empty.backups.preview('full')).sessions).toMatchObject({
      archived: 20,
      current: 0,
      added: 20,
    });
  });
});

/** Cancels a job as soon as it is in the phase; answers how it ended. */
async function cancelIn(phase: string, begin: () => Promise<Job>, of = rig): Promise<Job> {
  const { run } = of.jobs;
  let reached = false;
  of.jobs.run = (request, work) =>
    run(request, (context) =>
      work({
        ...context,
        phase(name, unit, total) {
          context.phase(name, unit, total);
          if (name !== phase) return;
          reached = true;
          void of.jobs.cancel(context.id);
        },
      }),
    );
  try {
    const ended = await of.jobs.finished((await begin()).id);
    if (!reached) throw new Error(`the job never came to “${phase}”`);
    return ended;
  } finally {
    of.jobs.run = run;
  }
}

describe.each(['memory', 'sqlite'] as const)('a restore on %s', (type) => {
  beforeEach(async () => {
    if (type === 'memory') return;
    await rig.close();
    opened.length = 0;
    rig = await open('sqlite');
    await fill(rig.storage, 20);
  });

  it('brings everything back as it was, record by record', async () => {
    const before = await contentOf(rig.storage);
    const id = await rig.backUp();
    await change(rig);
    await rig.succeed(rig.backups.restore(id, rig.context));
    const after = await contentOf(rig.storage);
    // The log that grew since goes on from its number, so that none is used twice.
    const grown = { kind: 'log', log: 'messages/session-000001', lastSequence: 3 };
    expect(after).toEqual(before.map((one) => (one.kind === 'log' && one.log === grown.log ? grown : one)));
    expect(rig.pauses).toEqual(['pause', 'resume']);
  });

  it('keeps what was before: as a generation that can be brought back, and as a backup', async () => {
    const id = await rig.backUp();
    await change(rig);
    const changed = await contentHash(rig.storage);
    const { safetyCopyId = '' } = await rig.succeed(rig.backups.restore(id, rig.context));
    const { items, undo } = await rig.backups.list();
    expect(items.map((one) => [one.id, one.trigger])).toContainEqual([safetyCopyId, 'before-restore']);
    expect(undo).toEqual({ fromBackupId: id, restoredAt: expect.any(Number) });
    expect(await contentHash(rig.storage)).not.toBe(changed);

    await rig.succeed(rig.backups.undoRestore(rig.context));
    expect(await contentHash(rig.storage)).toBe(changed);
    expect((await rig.backups.list()).undo).toBeUndefined();
    await expect(rig.backups.undoRestore(rig.context)).rejects.toMatchObject({
      code: 'backup.nothing_to_undo',
    });
    expect(rig.pauses).toEqual(['pause', 'resume', 'pause', 'resume']);

    await rig.succeed(rig.backups.restore(safetyCopyId, rig.context));
    expect(await contentHash(rig.storage)).toBe(changed);
  });

  it('ends as a job in the new data, with the jobs from before, and none as running', async () => {
    const id = await rig.backUp();
    const { id: job } = await rig.backups.restore(id, rig.context);
    await rig.jobs.finished(job);
    const kept = await rig.storage.list<Job>('jobs', { limit: 100 });
    expect(kept.items.map(({ value }) => [value.kind, value.state]).toSorted()).toEqual([
      ['backup', 'succeeded'],
      ['restore', 'succeeded'],
    ]);
    await rig.succeed(rig.backups.undoRestore(rig.context));
    const after = await rig.storage.list<Job>('jobs', { limit: 100 });
    expect(after.items.map(({ value }) => [value.kind, value.state]).toSorted()).toEqual([
      ['backup', 'succeeded'],
      ['restore', 'succeeded'],
      ['undo-restore', 'succeeded'],
    ]);
  });

  it('is a job that has succeeded in the very step that switches the data', async () => {
    const id = await rig.backUp();
    const { activate } = rig.storage.generations;
    let found: Job[] = [];
    rig.storage.generations.activate = async (generation) => {
      for await (const batch of rig.storage.snapshot({ generation })) {
        for (const one of batch) {
          if (one.kind === 'document' && one.collection === 'jobs') found.push(JSON.parse(one.json));
        }
      }
      await activate.call(rig.storage.generations, generation);
    };
    const { safetyCopyId } = await rig.succeed(rig.backups.restore(id, rig.context));
    found = found.toSorted((a, b) => (a.kind < b.kind ? -1 : 1));
    expect(found).toMatchObject([
      { kind: 'backup', state: 'succeeded' },
      { kind: 'restore', state: 'succeeded', result: { backupId: id, safetyCopyId } },
    ]);
  });

  it('tells of the switch in the log of the new data', async () => {
    const id = await rig.backUp();
    const before = (await rig.bus.read({ limit: 1 })).items[0]?.sequence ?? 0;
    await rig.succeed(rig.backups.restore(id, rig.context));
    const { items } = await rig.bus.read({ limit: 3 });
    expect(items.map(({ type }) => type)).toEqual([
      'job.changed',
      'backup.created',
      'data.generation.switched',
    ]);
    for (const { sequence } of items) expect(sequence).toBeGreaterThan(before);
  });

  it('keeps exactly one data set beside the active one', async () => {
    const id = await rig.backUp();
    for (let i = 0; i < 3; i++) {
      await rig.succeed(rig.backups.restore(id, rig.context));
      expect((await rig.storage.generations.list()).length).toBe(2);
    }
    await rig.succeed(rig.backups.undoRestore(rig.context));
    expect((await rig.backups.list()).undo).toBeUndefined();
    await rig.succeed(rig.backups.restore(id, rig.context));
    expect((await rig.storage.generations.list()).length).toBe(2);
    expect((await rig.backups.list()).undo?.fromBackupId).toBe(id);
  });

  it.each([
    'Checking the archive',
    'Pausing',
    'Making a safety copy',
    'Checking the safety copy',
    'Writing',
    'Verifying',
  ])('that is cancelled in “%s” leaves no trace', async (phase) => {
    const id = await rig.backUp();
    await change(rig);
    const before = await contentHash(rig.storage);
    const ended = await cancelIn(phase, () => rig.backups.restore(id, rig.context));
    expect(ended.state).toBe('cancelled');
    expect(await contentHash(rig.storage)).toBe(before);
    expect(await readdir(rig.folder)).toEqual([`${id}.stbackup`]);
    expect((await rig.storage.generations.list()).length).toBe(1);
    expect(rig.pauses).toEqual(phase === 'Checking the archive' ? [] : ['pause', 'resume']);
    expect((await rig.storage.get<Job>('jobs', ended.id))?.value.state).toBe('cancelled');
    // Nothing is stuck: the next one works.
    await rig.succeed(rig.backups.restore(id, rig.context));
  });

  it('does not begin with an archive that is damaged', async () => {
    const id = await rig.backUp();
    const bytes = await read(id);
    bytes[700] = (bytes[700] as number) ^ 4;
    await writeFile(archivePath(id), bytes);
    const before = await contentHash(rig.storage);
    const { id: job } = await rig.backups.restore(id, rig.context);
    expect(await rig.jobs.finished(job)).toMatchObject({
      state: 'failed',
      error: { code: 'backup.archive_damaged' },
    });
    expect(rig.pauses).toEqual([]);
    expect(await contentHash(rig.storage)).toBe(before);
    expect((await rig.backups.list()).items).toMatchObject([{ id, state: 'damaged' }]);
  });

  it.each([
    ['pausing', (of: Rig) => (of.quiesce.pause = () => Promise.reject(fault('storage.failed', 'drill')))],
    [
      'writing',
      (of: Rig) => (of.storage.generations.create = () => Promise.reject(fault('storage.full', 'drill'))),
    ],
    [
      'switching',
      (of: Rig) => (of.storage.generations.activate = () => Promise.reject(fault('storage.failed', 'drill'))),
    ],
  ])('that fails in %s leaves the data as it was, and lets everybody go on', async (step, fail) => {
    const id = await rig.backUp();
    await change(rig);
    const before = await contentHash(rig.storage);
    fail(rig);
    const { id: job } = await rig.backups.restore(id, rig.context);
    expect(await rig.jobs.finished(job)).toMatchObject({ state: 'failed', error: { message: 'drill' } });
    expect(await contentHash(rig.storage)).toBe(before);
    expect((await rig.storage.generations.list()).length).toBe(1);
    expect(rig.pauses.at(-1)).toBe('resume');
    // A failure of the switch itself keeps the safety copy.
    expect((await readdir(rig.folder)).length).toBe(step === 'switching' ? 2 : 1);
  });

  it('is refused when what was written does not read back', async () => {
    const id = await rig.backUp();
    const before = await contentHash(rig.storage);
    const { snapshot } = rig.storage;
    rig.storage.snapshot = async function* (options) {
      let first = options?.generation !== undefined;
      for await (const batch of snapshot.call(rig.storage, options)) {
        yield first ? batch.slice(1) : batch;
        first = false;
      }
    };
    const { id: job } = await rig.backups.restore(id, rig.context);
    expect(await rig.jobs.finished(job)).toMatchObject({
      state: 'failed',
      error: { code: 'storage.failed' },
    });
    rig.storage.snapshot = snapshot;
    expect(await contentHash(rig.storage)).toBe(before);
    expect((await rig.storage.generations.list()).length).toBe(1);
  });

  it('does not mind documents whose time runs out on the way', async () => {
    const soon = Date.now() + 60_000;
    const value = { secret: 1 };
    await rig.storage.commit([
      { kind: 'put', collection: 'tokens', id: 'soon', value, expiresAt: soon },
      { kind: 'put', collection: 'tokens', id: 'later', value, expiresAt: soon + 86_400_000 },
    ]);
    const id = await rig.backUp();
    const { snapshot } = rig.storage;
    // As if it had expired between the writing and the reading back.
    rig.storage.snapshot = async function* (options) {
      for await (const batch of snapshot.call(rig.storage, options)) {
        yield options?.generation === undefined
          ? batch
          : batch.filter((one) => one.kind !== 'document' || one.id !== 'soon');
      }
    };
    await rig.succeed(rig.backups.restore(id, rig.context));
    expect(await rig.storage.get('tokens', 'later')).toMatchObject({ value });
  });

  it('keeps its archive from being deleted while it reads it', async () => {
    const id = await rig.backUp();
    const { pause } = rig.quiesce;
    let refused: unknown;
    rig.quiesce.pause = async (reason) => {
      refused = await rig.backups.delete(id).catch((error: unknown) => error);
      await pause(reason);
    };
    await rig.succeed(rig.backups.restore(id, rig.context));
    expect(refused).toMatchObject({ code: 'job.conflict' });
    await rig.backups.delete(id);
  });
});

describe('an archive of one adapter', () => {
  it.each([
    ['memory', 'sqlite'],
    ['sqlite', 'sqlite'],
    ['sqlite', 'memory'],
  ] as const)('of %s restores on %s to the same, record by record', async (from, to) => {
    const source = await open(from, 'source');
    await fill(source.storage, 700);
    const id = await source.backUp();
    const target = await open(to, 'target');
    await fill(target.storage, 3, 'something else');
    const imported = await target.backups.import(streamOf(await read(id, source)), never);
    expect(imported).toMatchObject({ trigger: 'imported', adapter: from, sessions: 700 });
    await target.succeed(target.backups.restore(imported.id, target.context));
    expect(await contentHash(target.storage)).toBe(await contentHash(source.storage));
    expect(await contentOf(target.storage)).toEqual(await contentOf(source.storage));
    const again = await openArchive(archivePath(id, source));
    expect(again.manifest.adapter).toBe(from);
    await again.close();
  });
});

describe('an import', () => {
  it('takes no more than the limit, and looks whether there is room', async () => {
    const bytes = await read(await rig.backUp());
    const other = await open('memory', 'other');
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
    const bytes = await read(await rig.backUp());
    const other = await open('memory', 'other');
    const taken = await other.backups.import(streamOf(bytes), never);
    expect(taken.id).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-imported-[0-9a-f]{12}$/);
    const original = (await rig.backups.list()).items[0];
    expect(taken).toMatchObject({ createdAt: original?.createdAt, state: 'checked', trigger: 'imported' });
    expect((await read(taken.id, other)).equals(bytes)).toBe(true);
    expect((await stat(archivePath(taken.id, other))).mode & 0o777).toBe(0o600);
    expect((await topics(other))[0]).toBe('backup.created');
  });

  it('of the same archive twice is one entry, and heals a copy that was damaged since', async () => {
    const id = await rig.backUp();
    const bytes = await read(id);
    const damaged = Buffer.from(bytes);
    damaged[600] = (damaged[600] as number) ^ 1;
    await writeFile(archivePath(id), damaged);
    const taken = await rig.backups.import(streamOf(bytes), never);
    expect(taken.id).toBe(id);
    expect(await readdir(rig.folder)).toEqual([`${id}.stbackup`]);
    expect((await rig.backups.preview(id)).sessions.archived).toBe(20);
  });

  it('of what is no archive, or is damaged, leaves nothing behind', async () => {
    const id = await rig.backUp();
    const bytes = await read(id);
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
    const bytes = await read(await rig.backUp());
    const other = await open('memory', 'other');
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
