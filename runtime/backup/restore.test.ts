import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, type Job } from '../contract/index.ts';
import { openArchive } from './archive-reader.ts';
import {
  archivePath,
  cancelIn,
  change,
  contentHash,
  contentOf,
  createRigs,
  fill,
  type Rig,
  type Rigs,
  streamOf,
} from './backup.fixture.ts';

const never = new AbortController().signal;
let rigs: Rigs;
let rig: Rig;

beforeEach(async () => {
  rigs = await createRigs();
});
afterEach(() => rigs.remove());

describe.each(['memory', 'sqlite'] as const)('a restore on %s', (type) => {
  beforeEach(async () => {
    rig = await rigs.open(type);
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
    const ended = await cancelIn(rig, phase, () => rig.backups.restore(id, rig.context));
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
    const bytes = await readFile(archivePath(rig, id));
    bytes[700] = (bytes[700] as number) ^ 4;
    await writeFile(archivePath(rig, id), bytes);
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
    const source = await rigs.open(from, 'source');
    await fill(source.storage, 700);
    const id = await source.backUp();
    const target = await rigs.open(to, 'target');
    await fill(target.storage, 3, 'something else');
    const imported = await target.backups.import(streamOf(await readFile(archivePath(source, id))), never);
    expect(imported).toMatchObject({ trigger: 'imported', adapter: from, sessions: 700 });
    await target.succeed(target.backups.restore(imported.id, target.context));
    expect(await contentHash(target.storage)).toBe(await contentHash(source.storage));
    expect(await contentOf(target.storage)).toEqual(await contentOf(source.storage));
    const again = await openArchive(archivePath(source, id));
    expect(again.manifest.adapter).toBe(from);
    await again.close();
  });
});
