import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, type StorageChoice } from '../contract/index.ts';
import type { Storage } from '../storage/storage.ts';
import { contentHash, fill, temporaryFolder } from './backup.fixture.ts';
import { createMoveRig, type MoveRig, openPlace } from './move.fixture.ts';

const SESSIONS = 700;
const FILE: StorageChoice = { type: 'file' };

let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
let dataDir: string;
const opened: MoveRig[] = [];

beforeEach(async () => {
  temporary = await temporaryFolder();
  dataDir = join(temporary.path, 'data');
});

afterEach(async () => {
  for (const rig of opened.splice(0)) await rig.close();
  await temporary.remove();
});

async function open(options: Partial<Parameters<typeof createMoveRig>[0]> = {}): Promise<MoveRig> {
  const rig = await createMoveRig({ dataDir, ...options });
  opened.push(rig);
  return rig;
}

async function reopen(rig: MoveRig): Promise<MoveRig> {
  opened.splice(opened.indexOf(rig), 1);
  await rig.close();
  return open();
}

const settingsFile = async (): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(dataDir, 'settings.json'), 'utf8'));

/** The folder of the storage in force. */
const inFolder = async (rig: MoveRig): Promise<string> => (await rig.storage.info()).location;

/** Looks into a place that is not in force. */
async function inPlace<T>(type: string, look: (storage: Storage) => Promise<T>): Promise<T> {
  const storage = await openPlace(dataDir, type);
  try {
    return await look(storage);
  } finally {
    await storage.close();
  }
}

describe('a move', () => {
  it('brings everything to the target, goes on there without a restart, and leaves the source as it was', async () => {
    const rig = await open();
    await fill(rig.storage, SESSIONS);
    const hash = await contentHash(rig.storage);
    const job = await rig.move(FILE);
    expect(job).toMatchObject({ kind: 'move', state: 'succeeded', title: 'Move to files' });
    expect(job.result).toMatchObject({
      from: { type: 'sqlite', location: join(dataDir, 'sqlite', 'storage') },
      to: { location: join(dataDir, 'file', 'storage') },
      keptPrevious: false,
      logicalHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await contentHash(rig.storage)).toBe(hash);
    expect(rig.pauses).toEqual(['pause', 'resume']);
    // What is written now is in the target alone.
    await rig.storage.commit([{ kind: 'put', collection: 'sessions', id: 'after', value: 1 }]);
    expect(await inPlace('sqlite', contentHash), 'the source').toBe(hash);

    const again = await reopen(rig);
    expect(again.settings().storage.type).toBe('file');
    expect(await again.storage.get('sessions', 'after')).toBeDefined();
    expect((await again.jobs.list())[0]).toMatchObject({ id: job.id, state: 'succeeded' });
    expect((await again.bus.read({ limit: 100 })).items.map(({ type }) => type)).toContain(
      'data.generation.switched',
    );
  });

  it('and back again takes along what was added, and keeps what was there as the data set before', async () => {
    const rig = await open();
    await fill(rig.storage, 20);
    const first = await contentHash(rig.storage);
    expect(await rig.move(FILE)).toMatchObject({ state: 'succeeded' });
    await rig.storage.commit([{ kind: 'put', collection: 'sessions', id: 'after', value: 1 }]);
    const second = await contentHash(rig.storage);
    const back = await rig.move({ type: 'sqlite' });
    expect(back).toMatchObject({ state: 'succeeded', result: { keptPrevious: true } });
    expect(await contentHash(rig.storage)).toBe(second);
    const generations = await rig.storage.generations.list();
    const before = generations.find(({ id }) => id === generations.find(({ active }) => active)?.previous);
    await rig.storage.generations.activate(before?.id ?? '');
    expect(await contentHash(rig.storage)).toBe(first);
  });

  it('keeps the numbers of the logs going', async () => {
    const rig = await open();
    await rig.storage.commit([
      { kind: 'append', log: 'audit', value: 1 },
      { kind: 'append', log: 'audit', value: 2 },
      { kind: 'trim', log: 'audit', through: 2 },
    ]);
    await rig.move(FILE);
    expect(await rig.storage.commit([{ kind: 'append', log: 'audit', value: 3 }])).toEqual([{ sequence: 3 }]);
  });

  it('lets what is committed meanwhile wait, and puts it where the data is then', async () => {
    let late: Promise<unknown> | undefined;
    const rig: MoveRig = await open({
      onStep: (name) => {
        if (name !== 'Verifying') return;
        late = rig.storage.commit([{ kind: 'put', collection: 'sessions', id: 'late', value: 'kept' }]);
      },
    });
    await fill(rig.storage, 20);
    const job = await rig.move(FILE);
    expect(job).toMatchObject({ state: 'succeeded' });
    await late;
    expect(await rig.storage.get('sessions', 'late')).toMatchObject({ value: 'kept' });
    expect(await inPlace('sqlite', (source) => source.get('sessions', 'late'))).toBeUndefined();
  });

  it('says the password to nobody but the settings file, which is the user’s alone', async () => {
    const rig = await open();
    const job = await rig.move({
      type: 'postgres',
      postgres: { url: 'postgres://me@db.example:5432/talk', password: 'p@ss:w/rd' },
    });
    expect(job).toMatchObject({ state: 'succeeded' });
    expect(JSON.stringify([job, await rig.moves.describe()])).not.toMatch(/p@ss|p%40ss/);
    expect(await settingsFile()).toEqual({
      STORAGE_TYPE: 'postgres',
      POSTGRES_URL: 'postgres://me:p%40ss%3Aw%2Frd@db.example:5432/talk',
    });
    expect((await stat(join(dataDir, 'settings.json'))).mode & 0o777).toBe(0o600);
    expect(rig.secrets).toEqual(expect.arrayContaining(['p%40ss%3Aw%2Frd', 'p@ss:w/rd']));
    expect(rig.settings().described.find(({ name }) => name === 'POSTGRES_URL')).toMatchObject({
      value: '••••••••',
      source: 'file',
    });
    expect((await rig.moves.describe()).known).toEqual({ postgres: 'postgres://me@db.example:5432/talk' });
  });

  for (const phase of [
    'Opening the target',
    'Looking through the source',
    'Pausing',
    'Copying',
    'Verifying',
  ]) {
    it(`that is cancelled while “${phase}” leaves everything as it was, and nothing in the target`, async () => {
      const rig: MoveRig = await open({
        onStep: async (name) => {
          if (name !== phase) return;
          const [job] = await rig.jobs.list();
          await rig.jobs.cancel(job?.id ?? '');
        },
      });
      await fill(rig.storage, SESSIONS);
      const hash = await contentHash(rig.storage);
      expect(await rig.move(FILE)).toMatchObject({ state: 'cancelled' });
      await expect(settingsFile()).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await contentHash(rig.storage)).toBe(hash);
      expect(await rig.storage.commit([{ kind: 'append', log: 'audit', value: 'goes on' }])).toHaveLength(1);
      expect(await inFolder(rig)).toBe(join(dataDir, 'sqlite', 'storage'));
      await inPlace('file', async (target) => {
        expect(await target.generations.list()).toHaveLength(1);
        expect((await target.stats()).documents).toEqual({});
      });
    });
  }

  it('whose settings cannot be written goes back, in the target as well', async () => {
    const rig = await open({
      onStep: (name) => {
        if (name === 'adopt') throw fault('storage.failed', 'The disk says no.');
      },
    });
    await fill(rig.storage, 20);
    const hash = await contentHash(rig.storage);
    expect(await rig.move(FILE)).toMatchObject({
      state: 'failed',
      error: { code: 'storage.failed', message: 'The disk says no.' },
    });
    expect(await contentHash(rig.storage)).toBe(hash);
    await rig.storage.commit([{ kind: 'put', collection: 'sessions', id: 'x', value: 1 }]);
    await inPlace('file', async (target) => expect((await target.stats()).documents).toEqual({}));
  });

  it('that finds another writer at the source changes nothing', async () => {
    const rig: MoveRig = await open({
      makeTarget: async (type) => {
        const target = await openPlace(dataDir, type);
        const snapshot = target.snapshot.bind(target);
        // Read back for the comparison: by then somebody else has written.
        target.snapshot = async function* (options) {
          // Past the gate of this process, as another one would.
          await rig.storage.current.commit([{ kind: 'append', log: 'events', value: {} }]);
          yield* snapshot(options);
        };
        return target;
      },
    });
    await fill(rig.storage, SESSIONS);
    expect(await rig.move(FILE)).toMatchObject({
      state: 'failed',
      error: { code: 'storage.changed_meanwhile' },
    });
    expect(await inFolder(rig)).toBe(join(dataDir, 'sqlite', 'storage'));
  });

  it('finds what the target did not keep', async () => {
    const rig = await open({ makeTarget: async (type) => forgetful(await openPlace(dataDir, type)) });
    await fill(rig.storage, SESSIONS);
    expect(await rig.move(FILE)).toMatchObject({
      state: 'failed',
      error: { code: 'storage.failed', message: expect.stringContaining('does not read back') },
    });
  });

  it('to a target that cannot be opened says why, and lets the work go on', async () => {
    const rig = await open({
      makeTarget: async (type) => {
        const target = await openPlace(dataDir, type);
        await target.close();
        target.open = async () => {
          throw fault('storage.access_denied', 'The server refuses the user.');
        };
        return target;
      },
    });
    expect(await rig.move(FILE)).toMatchObject({ state: 'failed', error: { code: 'storage.access_denied' } });
    expect(rig.pauses, 'nobody was disturbed').toEqual([]);
  });

  it('is refused when it leads nowhere else, when the environment decides, and beside another job', async () => {
    const rig = await open();
    const refused = (choice: StorageChoice) => rig.moves.move(choice, rig.context);
    await expect(refused({ type: 'sqlite' })).rejects.toMatchObject({ code: 'storage.same' });
    await expect(refused({ type: 'postgres' })).rejects.toMatchObject({
      code: 'request.invalid',
      message: expect.stringContaining('postgres.url is needed'),
    });
    const first = await refused(FILE);
    await expect(refused(FILE)).rejects.toMatchObject({ code: 'job.conflict' });
    await rig.jobs.finished(first.id);
    const pinned = await open({ dataDir: join(temporary.path, 'pinned'), env: { STORAGE_TYPE: 'sqlite' } });
    await expect(pinned.moves.move(FILE, pinned.context)).rejects.toMatchObject({
      code: 'storage.pinned',
      message: expect.stringContaining('STORAGE_TYPE is set in the environment'),
      data: { variables: ['STORAGE_TYPE'] },
    });
  });
});

/** Takes every record but the last session. */
function forgetful(storage: Storage): Storage {
  const { create } = storage.generations;
  storage.generations.create = async (reason) => {
    const writer = await create(reason);
    const write = writer.write.bind(writer);
    writer.write = (records) =>
      write(records.filter((one) => !(one.kind === 'document' && one.id === 'session-000699')));
    return writer;
  };
  return storage;
}
