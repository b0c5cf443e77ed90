import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { recordsOf, rejection } from './contract/fixture.ts';
import { CONFLICT_COLLECTION, listConflicts, resolutionOf } from './degraded/conflicts.ts';
import type { RecoveryReport, StorageMode } from './degraded/mode.ts';
import type { DegradedStorageOptions } from './degraded/options.ts';
import { type Outage, RemoteStorage } from './degraded/remote.fixture.ts';
import { DegradedStorage } from './degraded.ts';
import { MemoryStorage } from './memory/memory-storage.ts';
import { describeStorageContract } from './storage.contract.ts';
import type { CommitId, Operation } from './storage.ts';

const newFolder = () => mkdtemp(join(tmpdir(), 'smalltalk-degraded-'));

describeStorageContract('degraded(remote)', async (options) => {
  const folder = await newFolder();
  const storage = new DegradedStorage({ ...options, storage: new RemoteStorage(options), folder });
  return {
    storage,
    async reopen() {
      await storage.close();
      await storage.open();
      return storage;
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
});

const put = (id: string, value: unknown, expectVersion?: number): Operation => ({
  kind: 'put',
  collection: 'sessions',
  id,
  value,
  index: { title: `Title of ${id}` },
  ...(expectVersion === undefined ? {} : { expectVersion }),
});
const append = (log: string, value: unknown): Operation => ({ kind: 'append', log, value });

describe('degraded storage', () => {
  let folder: string;
  /** What the server holds, seen past everything. */
  let server: MemoryStorage;
  let remote: RemoteStorage;
  let storage: DegradedStorage;
  let modes: StorageMode['state'][];
  let reports: RecoveryReport[];
  const opened: DegradedStorage[] = [];

  const create = (options: Partial<DegradedStorageOptions> = {}) => {
    remote = new RemoteStorage({}, server);
    const made = new DegradedStorage({
      storage: remote,
      folder,
      // Half of the usual waits: the tests wait for them.
      random: () => 0,
      onModeChange: ({ state }, report) => {
        modes.push(state);
        if (report !== undefined) reports.push(report);
      },
      ...options,
    });
    opened.push(made);
    return made;
  };

  beforeEach(async () => {
    folder = await newFolder();
    server = new MemoryStorage();
    await server.open();
    modes = [];
    reports = [];
    storage = create();
    await storage.open();
  });

  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const away = (how: Outage = 'before') => {
    remote.fails = () => how;
  };
  const back = async () => {
    remote.fails = () => undefined;
    await vi.waitFor(() => expect(storage.mode().state).toBe('normal'), { timeout: 15_000, interval: 5 });
  };
  /** What the server holds now. */
  const held = async (collection: string, id: string) => (await server.get(collection, id))?.value;
  const logged = async (log: string) => (await server.read(log)).map(({ value }) => value);

  it('names every commit and passes it on; nothing lies on the disk', async () => {
    expect(await storage.commit([put('a', 1), append('events', 1)])).toEqual([
      { version: 1 },
      { sequence: 1 },
    ]);
    await storage.commit([put('a', 2, 1)], { writer: 'caller', number: 7 });
    const [own, given] = remote.commits;
    expect(own).toEqual({ writer: expect.stringMatching(/^[a-z0-9]{20}$/), number: 1 });
    expect(given).toEqual({ writer: 'caller', number: 7 });
    expect(await readdir(folder)).toEqual([]);
    expect(storage.mode()).toEqual({ state: 'normal', journalCommits: 0, journalBytes: 0 });
  });

  it('passes on what a commit was when it came, also when it had to wait for others', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    class SlowAtFirst extends RemoteStorage {
      override async commit(operations: Operation[], id?: CommitId) {
        if (id?.number === 1) await promise;
        return super.commit(operations, id);
      }
    }
    const slow = create({ storage: new SlowAtFirst({}, server) });
    await slow.open();
    const commits = Array.from({ length: 900 }, (_, i) => slow.commit([append('events', i)]));
    const value = { text: 'as it was' };
    const last = slow.commit([put('a', value)]);
    value.text = 'changed since';
    resolve();
    await Promise.all([...commits, last]);
    expect(await held('sessions', 'a')).toEqual({ text: 'as it was' });
  });

  it('goes on without the storage, says so, and hands everything over once it is back', async () => {
    await storage.commit([put('a', 'before'), append('events', 'one')]);
    away();
    expect(await storage.commit([put('a', 'during', 1), append('events', 'two')])).toEqual([
      { version: 2 },
      { sequence: 2 },
    ]);
    expect(await storage.commit([put('new', 1, 0), append('messages/new', 'first')])).toEqual([
      { version: 1 },
      { sequence: 1 },
    ]);
    expect(storage.mode()).toMatchObject({
      state: 'degraded',
      journalCommits: 2,
      degradedSince: expect.any(Number),
      oldestAt: expect.any(Number),
      problem: expect.stringContaining('remote:1'),
    });
    expect(storage.mode().journalBytes).toBeGreaterThan(100);
    expect(await held('sessions', 'a')).toBe('before');
    expect(await storage.get('sessions', 'a')).toEqual({
      collection: 'sessions',
      id: 'a',
      version: 2,
      value: 'during',
    });
    expect((await storage.read('events')).map(({ value }) => value)).toEqual(['one', 'two']);
    expect((await storage.read('messages/new')).map(({ sequence }) => sequence)).toEqual([1]);
    await back();
    expect(await held('sessions', 'a')).toBe('during');
    expect(await logged('events')).toEqual(['one', 'two']);
    expect(await logged('messages/new')).toEqual(['first']);
    expect(modes).toEqual(['degraded', 'draining', 'normal']);
    expect(reports).toEqual([
      {
        since: expect.any(Number),
        durationMs: expect.any(Number),
        commits: 2,
        conflicts: 0,
        renumbered: 0,
        refused: 0,
      },
    ]);
    expect((await readdir(folder)).filter((name) => name.includes('ndjson'))).toEqual([]);
    expect(await storage.commit([append('events', 'three')])).toEqual([{ sequence: 3 }]);
  });

  it('doubles nothing when the answer was lost', async () => {
    await storage.commit([put('a', 1), append('events', 1)]);
    away('after');
    expect(await storage.commit([put('a', 2, 1), append('events', 2)])).toEqual([
      { version: 2 },
      { sequence: 2 },
    ]);
    expect(await logged('events')).toEqual([1, 2]);
    await back();
    expect(await logged('events')).toEqual([1, 2]);
    expect(await server.get('sessions', 'a')).toMatchObject({ version: 2, value: 2 });
    expect(reports).toMatchObject([{ commits: 1, conflicts: 0, renumbered: 0 }]);
  });

  it('takes a storage that does not answer for one that is away', async () => {
    await storage.close();
    storage = create({ deadlineMs: 30 });
    await storage.open();
    await storage.commit([append('events', 1)]);
    away('hang');
    expect(await storage.commit([append('events', 2)])).toEqual([{ sequence: 2 }]);
    expect(storage.mode()).toMatchObject({
      state: 'degraded',
      problem: expect.stringContaining('did not answer'),
    });
    await back();
    expect(await logged('events')).toEqual([1, 2]);
  });

  it('answers only what is known, and never that something is not there', async () => {
    await server.commit([put('unseen', 1), append('messages/unseen', 1)]);
    await storage.commit([put('seen', 1), { kind: 'delete', collection: 'sessions', id: 'gone' }]);
    expect(await storage.get('sessions', 'nobody')).toBeUndefined();
    away();
    expect(await storage.get('sessions', 'seen')).toMatchObject({ value: 1 });
    expect(await storage.get('sessions', 'gone')).toBeUndefined();
    expect(await storage.get('sessions', 'nobody')).toBeUndefined();
    for (const call of [
      storage.get('sessions', 'unseen'),
      storage.read('messages/unseen'),
      storage.commit([put('unseen', 2)]),
      storage.commit([append('messages/unseen', 2)]),
    ]) {
      expect((await rejection(call)).code).toBe('storage.not_known_now');
    }
    expect(await storage.commit([put('unseen', 2, 1)])).toEqual([{ version: 2 }]);
    await back();
    expect(await held('sessions', 'unseen')).toBe(2);
  });

  it('knows a log as far as it was read', async () => {
    await server.commit(Array.from({ length: 10 }, (_, i) => append('events', i + 1)));
    await storage.read('events', { reverse: true, limit: 4 });
    away();
    await storage.commit([append('events', 11)]);
    const sequences = async (query: Parameters<typeof storage.read>[1]) =>
      (await storage.read('events', query)).map(({ sequence }) => sequence);
    expect(await sequences({ reverse: true, limit: 5 })).toEqual([11, 10, 9, 8, 7]);
    expect(await sequences({ after: 6 })).toEqual([7, 8, 9, 10, 11]);
    expect(await sequences({ after: 9, before: 11 })).toEqual([10]);
    const unknown = await rejection(storage.read('events', { reverse: true, limit: 6 }));
    expect(unknown.code).toBe('storage.not_known_now');
    expect(unknown.data).toEqual({ log: 'events', knownAfter: 6 });
    expect((await rejection(storage.read('events', { after: 5 }))).data.knownAfter).toBe(6);
    await storage.commit([{ kind: 'trim', log: 'events', through: 8 }]);
    expect(await sequences({})).toEqual([9, 10, 11]);
    await back();
    expect((await server.read('events')).map(({ sequence }) => sequence)).toEqual([9, 10, 11]);
  });

  it('lists the documents that it knows, with the index fields that were written', async () => {
    await server.commit([put('unseen', 1)]);
    await storage.commit([put('a', 1), put('b', { title: 'value' }), put('c', 3)]);
    away();
    await storage.commit([put('d', 4, 0), { kind: 'delete', collection: 'sessions', id: 'a' }]);
    const page = await storage.list('sessions', {
      where: [{ field: 'title', contains: 'title' }],
      orderBy: { field: 'title', direction: 'descending' },
      limit: 2,
    });
    expect(page.items.map(({ id }) => id)).toEqual(['d', 'c']);
    expect(page.nextCursor).toBeDefined();
  });

  it('checks expected versions against what is known', async () => {
    await storage.commit([put('a', 1)]);
    away();
    await storage.commit([put('a', 2, 1)]);
    const error = await rejection(storage.commit([put('a', 3, 1), append('events', 1)]));
    expect(error.code).toBe('storage.version_conflict');
    expect(error.data).toMatchObject({ expected: 1, current: 2 });
    expect(storage.mode().journalCommits).toBe(1);
  });

  it('answers a commit that is asked for again by its id like the first', async () => {
    await storage.commit([append('events', 0)]);
    away();
    const id = { writer: 'caller', number: 1 };
    expect(await storage.commit([append('events', 1)], id)).toEqual([{ sequence: 2 }]);
    expect(await storage.commit([append('events', 1)], id)).toEqual([{ sequence: 2 }]);
    await back();
    expect(await storage.commit([append('events', 1)], id)).toEqual([{ sequence: 2 }]);
    expect(await logged('events')).toEqual([0, 1]);
  });

  it('rejects a commit of unknown fate as just that when its numbers cannot be known', async () => {
    await server.commit([append('events', 1)]);
    away('after');
    const error = await rejection(storage.commit([append('events', 2)]));
    expect(error.code).toBe('storage.unreachable');
    await back();
    expect(await logged('events')).toEqual([1, 2]);
  });

  it('keeps the order of commits that were under way together', async () => {
    await storage.commit([append('events', 'first')]);
    let calls = 0;
    remote.fails = (call) => {
      if (call !== 'commit') return 'before';
      calls += 1;
      return calls % 2 === 0 ? 'after' : 'before';
    };
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) => storage.commit([append('events', i)])),
    );
    const sequences = results.map(([result]) => result?.sequence ?? 0);
    expect(new Set(sequences).size).toBe(40);
    await back();
    const values = await logged('events');
    expect(values).toHaveLength(41);
    expect(new Set(values).size).toBe(41);
  });

  it('refuses snapshots and generations, and tells the last known figures', async () => {
    await storage.commit([put('a', 1)]);
    const stats = await storage.stats();
    away();
    await storage.commit([put('b', 1, 0)]);
    expect((await rejection(recordsOf(storage))).code).toBe('storage.unreachable');
    expect((await rejection(storage.generations.list())).code).toBe('storage.unreachable');
    expect((await rejection(storage.generations.create('x'))).code).toBe('storage.unreachable');
    expect(await storage.stats()).toEqual(stats);
    const { notices, location } = await storage.info();
    expect(location).toBe('remote:1');
    expect(notices.map(({ code }) => code)).toContain('storage.degraded');
  });

  it('sets a document aside that others have changed meanwhile, and takes over all else', async () => {
    await storage.commit([put('a', 'first'), append('events', 1)]);
    away();
    await storage.commit([put('a', 'mine', 1), append('events', 2)]);
    await storage.commit([put('a', 'mine, later', 2), append('events', 3)]);
    await server.commit([put('a', 'theirs')]);
    await back();
    expect(reports).toMatchObject([{ commits: 2, conflicts: 1 }]);
    expect(await held('sessions', 'a')).toBe('theirs');
    expect(await logged('events')).toEqual([1, 2, 3]);
    const [conflict, ...others] = await listConflicts(storage);
    expect(others).toEqual([]);
    expect(conflict).toMatchObject({
      collection: 'sessions',
      documentId: 'a',
      mine: { version: 3, value: 'mine, later', index: { title: 'Title of a' } },
      theirs: { version: 2, value: 'theirs' },
    });
    // What is read afterwards is what is there.
    expect(await storage.get('sessions', 'a')).toMatchObject({ value: 'theirs', version: 2 });

    const id = conflict?.id ?? '';
    const late = await resolutionOf(storage, id, { keep: 'mine', theirVersion: 1 });
    expect((await rejection(storage.commit(late.operations))).code).toBe('storage.version_conflict');
    const { operations } = await resolutionOf(storage, id, { keep: 'mine', theirVersion: 2 });
    await storage.commit(operations);
    expect(await held('sessions', 'a')).toBe('mine, later');
    expect(await listConflicts(storage)).toEqual([]);
    expect((await rejection(resolutionOf(storage, id, { keep: 'theirs', theirVersion: 3 }))).code).toBe(
      'storage.conflict_not_found',
    );
  });

  it('sets aside that a document was deleted here and changed there, and the other way round', async () => {
    await storage.commit([put('a', 1), put('b', 1)]);
    away();
    await storage.commit([
      { kind: 'delete', collection: 'sessions', id: 'a', expectVersion: 1 },
      put('b', 'mine', 1),
    ]);
    await server.commit([put('a', 'theirs'), { kind: 'delete', collection: 'sessions', id: 'b' }]);
    await back();
    const conflicts = await listConflicts(storage);
    expect(
      conflicts.map(({ documentId, mine, theirs }) => [documentId, mine.value, theirs.value]).sort(),
    ).toEqual([
      ['a', undefined, 'theirs'],
      ['b', 'mine', undefined],
    ]);
    for (const { id, theirs } of conflicts) {
      const { operations } = await resolutionOf(storage, id, { keep: 'mine', theirVersion: theirs.version });
      await storage.commit(operations);
    }
    expect(await held('sessions', 'a')).toBeUndefined();
    expect(await held('sessions', 'b')).toBe('mine');
  });

  it('tells when others have written into a log as well, and numbers on from what is there', async () => {
    await storage.commit([append('events', 1)]);
    away();
    expect(await storage.commit([append('events', 'mine')])).toEqual([{ sequence: 2 }]);
    await server.commit([append('events', 'theirs')]);
    await back();
    expect(await logged('events')).toEqual([1, 'theirs', 'mine']);
    expect(reports).toMatchObject([{ commits: 1, renumbered: 1 }]);
    expect(await storage.commit([append('events', 'next')])).toEqual([{ sequence: 4 }]);
  });

  it('drains what an earlier process has left before it serves anything', async () => {
    await storage.commit([put('a', 1), append('events', 1)]);
    away();
    await storage.commit([put('a', 2, 1), append('events', 2)]);
    await storage.close();
    expect(await held('sessions', 'a')).toBe(1);

    storage = create();
    away();
    const error = await rejection(storage.open());
    expect(error.code).toBe('storage.unreachable');
    expect(error.message).toMatch(/1 commit that was acknowledged/);
    expect(error.data).toMatchObject({ journalCommits: 1, folder });

    remote.fails = (call) => (call === 'commit' ? 'after' : undefined);
    expect((await rejection(storage.open())).data).toMatchObject({ journalCommits: 1 });

    remote.fails = () => undefined;
    await storage.open();
    expect(await storage.get('sessions', 'a')).toMatchObject({ version: 2, value: 2 });
    expect(await logged('events')).toEqual([1, 2]);
    expect(await storage.commit([append('events', 3)])).toEqual([{ sequence: 3 }]);
    expect((await readdir(folder)).filter((name) => name.includes('ndjson'))).toEqual([]);
  });

  it('leaves the journal of another storage alone, and says that it is there', async () => {
    await storage.commit([append('events', 1)]);
    away();
    await storage.commit([append('events', 2)]);
    await storage.close();
    class Elsewhere extends RemoteStorage {
      override async info() {
        return { ...(await super.info()), location: 'elsewhere:1' };
      }
    }
    const other = create({ storage: new Elsewhere() });
    await other.open();
    expect(await other.read('events')).toEqual([]);
    expect((await other.info()).notices).toContainEqual({
      code: 'storage.journal_elsewhere',
      message: expect.stringContaining('remote:1'),
    });
    // Both in one process, as when the data is moved from the one to the other.
    storage = create();
    await storage.open();
    await other.close();
    expect(await logged('events')).toEqual([1, 2]);
  });

  it('knows a log as it was read last, when others have switched to another data set', async () => {
    await storage.commit([append('events', 'old')]);
    expect(await logged('events')).toEqual(['old']);
    expect((await storage.read('events')).map(({ value }) => value)).toEqual(['old']);
    const next = await server.generations.create('another');
    await next.write([
      { kind: 'log', log: 'events', lastSequence: 1 },
      { kind: 'entry', log: 'events', sequence: 1, at: 5, json: '"new"' },
    ]);
    await next.seal();
    await server.generations.activate(next.id);
    expect((await storage.read('events')).map(({ value }) => value)).toEqual(['new']);
    away();
    expect((await storage.read('events')).map(({ value }) => value)).toEqual(['new']);
  });

  it('knows nothing of the data before when the answer to a switch was lost', async () => {
    await storage.commit([put('a', 'old')]);
    const next = await storage.generations.create('another');
    await next.write([
      { kind: 'document', collection: 'sessions', id: 'a', version: 7, json: '"new"', index: {} },
    ]);
    await next.seal();
    remote.fails = (call) => (call === 'generations' ? 'after' : 'before');
    expect((await rejection(storage.generations.activate(next.id))).code).toBe('storage.unreachable');
    expect((await rejection(storage.get('sessions', 'a'))).code).toBe('storage.not_known_now');
  });

  it('goes on draining where a new outage has cut it, and lets new commits in behind', async () => {
    await storage.commit([append('events', 0)]);
    away();
    for (let i = 1; i <= 600; i++) void storage.commit([append('events', i)]);
    await storage.commit([append('events', 601)]);
    let sent = 0;
    remote.fails = (call) => {
      if (call === 'commit') sent += 1;
      return call === 'commit' && sent % 250 === 0 ? 'after' : undefined;
    };
    await vi.waitFor(() => expect(modes.filter((mode) => mode === 'draining').length).toBe(2), {
      timeout: 10_000,
      interval: 1,
    });
    const later = Promise.all(
      Array.from({ length: 20 }, (_, i) => storage.commit([append('events', `later ${i}`)])),
    );
    await vi.waitFor(() => expect(storage.mode().state).toBe('normal'), { timeout: 15_000, interval: 5 });
    await later;
    const values = await logged('events');
    expect(values.slice(0, 602)).toEqual(Array.from({ length: 602 }, (_, i) => i));
    expect(values.slice(602)).toEqual(Array.from({ length: 20 }, (_, i) => `later ${i}`));
  });

  it('keeps its files to itself', async () => {
    await storage.commit([append('events', 0)]);
    away();
    await storage.commit([append('events', 1)]);
    for (const name of await readdir(folder)) {
      expect((await stat(join(folder, name))).mode & 0o077, name).toBe(0);
    }
    expect((await stat(folder)).mode & 0o077).toBe(0);
  });

  it('remembers no more than it may', async () => {
    await storage.close();
    storage = create({ knownBytes: 20_000 });
    await storage.open();
    for (let i = 0; i < 100; i++)
      await storage.commit([put(`id-${i}`, 'x'.repeat(500), 0), append('events', i)]);
    away();
    expect(await storage.get('sessions', 'id-99')).toBeDefined();
    expect((await rejection(storage.get('sessions', 'id-0'))).code).toBe('storage.not_known_now');
    expect(await storage.commit([append('events', 100)])).toEqual([{ sequence: 101 }]);
    expect((await rejection(storage.read('events'))).code).toBe('storage.not_known_now');
    expect(
      (await storage.read('events', { reverse: true, limit: 3 })).map(({ sequence }) => sequence),
    ).toEqual([101, 100, 99]);
  });

  it('has no conflicts to show in a storage that was never away', async () => {
    expect(await listConflicts(storage)).toEqual([]);
    expect((await storage.list(CONFLICT_COLLECTION, { limit: 1 })).items).toEqual([]);
  });
});
