import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { append, put, useDegradedRig } from './degraded/degraded.fixture.ts';
import { RemoteStorage } from './degraded/remote.fixture.ts';
import { DegradedStorage } from './degraded.ts';
import { describeStorageContract } from './storage.contract.ts';
import type { CommitId, Operation } from './storage.ts';

describeStorageContract('degraded(remote)', async (options) => {
  const folder = await mkdtemp(join(tmpdir(), 'smalltalk-degraded-'));
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

describe('degraded storage', () => {
  const current = useDegradedRig();

  it('names every commit and passes it on; nothing lies on the disk', async () => {
    const rig = current();
    expect(await rig.storage.commit([put('a', 1), append('events', 1)])).toEqual([
      { version: 1 },
      { sequence: 1 },
    ]);
    await rig.storage.commit([put('a', 2, 1)], { writer: 'caller', number: 7 });
    const [own, given] = rig.remote.commits;
    expect(own).toEqual({ writer: expect.stringMatching(/^[a-z0-9]{20}$/), number: 1 });
    expect(given).toEqual({ writer: 'caller', number: 7 });
    expect(await readdir(rig.folder)).toEqual([]);
    expect(rig.storage.mode()).toEqual({ state: 'normal', journalCommits: 0, journalBytes: 0 });
  });

  it('passes on what a commit was when it came, also when it had to wait for others', async () => {
    const rig = current();
    const { promise, resolve } = Promise.withResolvers<void>();
    class SlowAtFirst extends RemoteStorage {
      override async commit(operations: Operation[], id?: CommitId) {
        if (id?.number === 1) await promise;
        return super.commit(operations, id);
      }
    }
    const slow = rig.create({ storage: new SlowAtFirst({}, rig.server) });
    await slow.open();
    const commits = Array.from({ length: 900 }, (_, i) => slow.commit([append('events', i)]));
    const value = { text: 'as it was' };
    const last = slow.commit([put('a', value)]);
    value.text = 'changed since';
    resolve();
    await Promise.all([...commits, last]);
    expect(await rig.held('sessions', 'a')).toEqual({ text: 'as it was' });
  });

  it('goes on without the rig.storage, says so, and hands everything over once it is back', async () => {
    const rig = current();
    await rig.storage.commit([put('a', 'before'), append('events', 'one')]);
    rig.away();
    expect(await rig.storage.commit([put('a', 'during', 1), append('events', 'two')])).toEqual([
      { version: 2 },
      { sequence: 2 },
    ]);
    expect(await rig.storage.commit([put('new', 1, 0), append('messages/new', 'first')])).toEqual([
      { version: 1 },
      { sequence: 1 },
    ]);
    expect(rig.storage.mode()).toMatchObject({
      state: 'degraded',
      journalCommits: 2,
      degradedSince: expect.any(Number),
      oldestAt: expect.any(Number),
      problem: expect.stringContaining('remote:1'),
    });
    expect(rig.storage.mode().journalBytes).toBeGreaterThan(100);
    expect(await rig.held('sessions', 'a')).toBe('before');
    expect(await rig.storage.get('sessions', 'a')).toEqual({
      collection: 'sessions',
      id: 'a',
      version: 2,
      value: 'during',
    });
    expect((await rig.storage.read('events')).map(({ value }) => value)).toEqual(['one', 'two']);
    expect((await rig.storage.read('messages/new')).map(({ sequence }) => sequence)).toEqual([1]);
    await rig.back();
    expect(await rig.held('sessions', 'a')).toBe('during');
    expect(await rig.logged('events')).toEqual(['one', 'two']);
    expect(await rig.logged('messages/new')).toEqual(['first']);
    expect(rig.modes).toEqual(['degraded', 'draining', 'normal']);
    expect(rig.reports).toEqual([
      {
        since: expect.any(Number),
        durationMs: expect.any(Number),
        commits: 2,
        conflicts: 0,
        renumbered: 0,
        refused: 0,
      },
    ]);
    expect((await readdir(rig.folder)).filter((name) => name.includes('ndjson'))).toEqual([]);
    expect(await rig.storage.commit([append('events', 'three')])).toEqual([{ sequence: 3 }]);
  });

  it('doubles nothing when the answer was lost', async () => {
    const rig = current();
    await rig.storage.commit([put('a', 1), append('events', 1)]);
    rig.away('after');
    expect(await rig.storage.commit([put('a', 2, 1), append('events', 2)])).toEqual([
      { version: 2 },
      { sequence: 2 },
    ]);
    expect(await rig.logged('events')).toEqual([1, 2]);
    await rig.back();
    expect(await rig.logged('events')).toEqual([1, 2]);
    expect(await rig.server.get('sessions', 'a')).toMatchObject({ version: 2, value: 2 });
    expect(rig.reports).toMatchObject([{ commits: 1, conflicts: 0, renumbered: 0 }]);
  });

  it('takes a storage that does not answer for one that is away', async () => {
    const rig = current();
    await rig.storage.close();
    rig.storage = rig.create({ deadlineMs: 30 });
    await rig.storage.open();
    await rig.storage.commit([append('events', 1)]);
    rig.away('hang');
    expect(await rig.storage.commit([append('events', 2)])).toEqual([{ sequence: 2 }]);
    expect(rig.storage.mode()).toMatchObject({
      state: 'degraded',
      problem: expect.stringContaining('did not answer'),
    });
    await rig.back();
    expect(await rig.logged('events')).toEqual([1, 2]);
  });

  it('keeps the order of commits that were under way together', async () => {
    const rig = current();
    await rig.storage.commit([append('events', 'first')]);
    let calls = 0;
    rig.remote.fails = (call) => {
      if (call !== 'commit') return 'before';
      calls += 1;
      return calls % 2 === 0 ? 'after' : 'before';
    };
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) => rig.storage.commit([append('events', i)])),
    );
    const sequences = results.map(([result]) => result?.sequence ?? 0);
    expect(new Set(sequences).size).toBe(40);
    await rig.back();
    const values = await rig.logged('events');
    expect(values).toHaveLength(41);
    expect(new Set(values).size).toBe(41);
  });

  it('keeps its files to itself', async () => {
    const rig = current();
    await rig.storage.commit([append('events', 0)]);
    rig.away();
    await rig.storage.commit([append('events', 1)]);
    for (const name of await readdir(rig.folder)) {
      expect((await stat(join(rig.folder, name))).mode & 0o077, name).toBe(0);
    }
    expect((await stat(rig.folder)).mode & 0o077).toBe(0);
  });
});
