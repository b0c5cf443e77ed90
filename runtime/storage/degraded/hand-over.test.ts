import { readdir } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import { rejection } from '../contract/fixture.ts';
import type { Operation } from '../storage.ts';
import { CONFLICT_COLLECTION, listConflicts, resolutionOf } from './conflicts.ts';
import { append, put, useDegradedRig } from './degraded.fixture.ts';
import { RemoteStorage } from './remote.fixture.ts';

describe('what happens when the storage is back', () => {
  const current = useDegradedRig();

  it('sets a document aside that others have changed meanwhile, and takes over all else', async () => {
    const rig = current();
    await rig.storage.commit([put('a', 'first'), append('events', 1)]);
    rig.away();
    await rig.storage.commit([put('a', 'mine', 1), append('events', 2)]);
    await rig.storage.commit([put('a', 'mine, later', 2), append('events', 3)]);
    await rig.server.commit([put('a', 'theirs')]);
    await rig.back();
    expect(rig.reports).toMatchObject([{ commits: 2, conflicts: 1 }]);
    expect(await rig.held('sessions', 'a')).toBe('theirs');
    expect(await rig.logged('events')).toEqual([1, 2, 3]);
    const [conflict, ...others] = await listConflicts(rig.storage);
    expect(others).toEqual([]);
    expect(conflict).toMatchObject({
      collection: 'sessions',
      documentId: 'a',
      mine: { version: 3, value: 'mine, later', index: { title: 'Title of a' } },
      theirs: { version: 2, value: 'theirs' },
    });
    // What is read afterwards is what is there.
    expect(await rig.storage.get('sessions', 'a')).toMatchObject({ value: 'theirs', version: 2 });

    const id = conflict?.id ?? '';
    const late = await resolutionOf(rig.storage, id, { keep: 'mine', theirVersion: 1 });
    expect((await rejection(rig.storage.commit(late.operations))).code).toBe('storage.version_conflict');
    const { operations } = await resolutionOf(rig.storage, id, { keep: 'mine', theirVersion: 2 });
    await rig.storage.commit(operations);
    expect(await rig.held('sessions', 'a')).toBe('mine, later');
    expect(await listConflicts(rig.storage)).toEqual([]);
    expect((await rejection(resolutionOf(rig.storage, id, { keep: 'theirs', theirVersion: 3 }))).code).toBe(
      'storage.conflict_not_found',
    );
  });

  it('sets aside that a document was deleted here and changed there, and the other way round', async () => {
    const rig = current();
    await rig.storage.commit([put('a', 1), put('b', 1)]);
    rig.away();
    await rig.storage.commit([
      { kind: 'delete', collection: 'sessions', id: 'a', expectVersion: 1 },
      put('b', 'mine', 1),
    ]);
    await rig.server.commit([put('a', 'theirs'), { kind: 'delete', collection: 'sessions', id: 'b' }]);
    await rig.back();
    const conflicts = await listConflicts(rig.storage);
    expect(
      conflicts.map(({ documentId, mine, theirs }) => [documentId, mine.value, theirs.value]).sort(),
    ).toEqual([
      ['a', undefined, 'theirs'],
      ['b', 'mine', undefined],
    ]);
    for (const { id, theirs } of conflicts) {
      const { operations } = await resolutionOf(rig.storage, id, {
        keep: 'mine',
        theirVersion: theirs.version,
      });
      await rig.storage.commit(operations);
    }
    expect(await rig.held('sessions', 'a')).toBeUndefined();
    expect(await rig.held('sessions', 'b')).toBe('mine');
  });

  it('tells when others have written into a log as well, and numbers on from what is there', async () => {
    const rig = current();
    await rig.storage.commit([append('events', 1)]);
    rig.away();
    expect(await rig.storage.commit([append('events', 'mine')])).toEqual([{ sequence: 2 }]);
    await rig.server.commit([append('events', 'theirs')]);
    await rig.back();
    expect(await rig.logged('events')).toEqual([1, 'theirs', 'mine']);
    expect(rig.reports).toMatchObject([{ commits: 1, renumbered: 1 }]);
    expect(await rig.storage.commit([append('events', 'next')])).toEqual([{ sequence: 4 }]);
  });

  it('drains what an earlier process has left before it serves anything', async () => {
    const rig = current();
    await rig.storage.commit([put('a', 1), append('events', 1)]);
    rig.away();
    await rig.storage.commit([put('a', 2, 1), append('events', 2)]);
    await rig.storage.close();
    expect(await rig.held('sessions', 'a')).toBe(1);

    rig.storage = rig.create();
    rig.away();
    const error = await rejection(rig.storage.open());
    expect(error.code).toBe('storage.unreachable');
    expect(error.message).toMatch(/1 commit that was acknowledged/);
    expect(error.data).toMatchObject({ journalCommits: 1, folder: rig.folder });

    rig.remote.fails = (call) => (call === 'commit' ? 'after' : undefined);
    expect((await rejection(rig.storage.open())).data).toMatchObject({ journalCommits: 1 });

    rig.remote.fails = () => undefined;
    await rig.storage.open();
    expect(await rig.storage.get('sessions', 'a')).toMatchObject({ version: 2, value: 2 });
    expect(await rig.logged('events')).toEqual([1, 2]);
    expect(await rig.storage.commit([append('events', 3)])).toEqual([{ sequence: 3 }]);
    expect((await readdir(rig.folder)).filter((name) => name.includes('ndjson'))).toEqual([]);
  });

  it('leaves the journal of another storage alone, and says that it is there', async () => {
    const rig = current();
    await rig.storage.commit([append('events', 1)]);
    rig.away();
    await rig.storage.commit([append('events', 2)]);
    await rig.storage.close();
    class Elsewhere extends RemoteStorage {
      override async info() {
        return { ...(await super.info()), location: 'elsewhere:1' };
      }
    }
    const other = rig.create({ storage: new Elsewhere() });
    await other.open();
    expect(await other.read('events')).toEqual([]);
    expect((await other.info()).notices).toContainEqual({
      code: 'storage.journal_elsewhere',
      message: expect.stringContaining('remote:1'),
    });
    // Both in one process, as when the data is moved from the one to the other.
    rig.storage = rig.create();
    await rig.storage.open();
    await other.close();
    expect(await rig.logged('events')).toEqual([1, 2]);
  });

  it('goes on draining where a new outage has cut it, and lets new commits in behind', async () => {
    const rig = current();
    await rig.storage.commit([append('events', 0)]);
    rig.away();
    for (let i = 1; i <= 600; i++) void rig.storage.commit([append('events', i)]);
    await rig.storage.commit([append('events', 601)]);
    let sent = 0;
    rig.remote.fails = (call) => {
      if (call === 'commit') sent += 1;
      return call === 'commit' && sent % 250 === 0 ? 'after' : undefined;
    };
    await vi.waitFor(() => expect(rig.modes.filter((mode) => mode === 'draining').length).toBe(2), {
      timeout: 10_000,
      interval: 1,
    });
    const later = Promise.all(
      Array.from({ length: 20 }, (_, i) => rig.storage.commit([append('events', `later ${i}`)])),
    );
    await vi.waitFor(() => expect(rig.storage.mode().state).toBe('normal'), { timeout: 15_000, interval: 5 });
    await later;
    const values = await rig.logged('events');
    expect(values.slice(0, 602)).toEqual(Array.from({ length: 602 }, (_, i) => i));
    expect(values.slice(602)).toEqual(Array.from({ length: 20 }, (_, i) => `later ${i}`));
  });

  it('journals a commit by the id that it came with, and sends that again', async () => {
    const rig = current();
    await rig.storage.commit([append('events', 0)]);
    rig.away('after');
    const id = { writer: 'caller', number: 1 };
    const sent = rig.storage.commit([append('events', 1)], id);
    id.number = 2;
    expect(await sent).toEqual([{ sequence: 2 }]);
    expect(await rig.logged('events')).toEqual([0, 1]);
    await rig.back();
    expect(await rig.logged('events')).toEqual([0, 1]);
    expect(rig.remote.commits.slice(1)).toEqual([
      { writer: 'caller', number: 1 },
      { writer: 'caller', number: 1 },
    ]);
  });

  it('hands over no lease, which is worth nothing later', async () => {
    const rig = current();
    const told: string[] = [];
    await rig.storage.close();
    rig.storage = rig.create({ onOperation: (operation, result) => told.push(`${operation} ${result}`) });
    await rig.storage.open();
    const lease = (value: string, expectVersion: number): Operation => ({
      kind: 'put',
      collection: 'instances',
      id: 'owner',
      value,
      expectVersion,
    });
    await rig.storage.commit([lease('mine', 0)]);
    rig.away('after');
    // The first is sent, and its answer lost; the second is not sent any more.
    for (const version of [1, 2]) {
      const error = await rejection(rig.storage.commit([lease('mine', version)]));
      expect(error.code).toBe('storage.unreachable');
    }
    // Of the first, the adapter has told.
    expect(told).toEqual(['commit error']);
    expect(rig.storage.mode()).toMatchObject({ state: 'degraded', journalCommits: 0 });
    await rig.server.commit([lease('theirs', 2)]);
    await rig.back();
    expect(await listConflicts(rig.storage)).toEqual([]);
    expect(await rig.storage.get('instances', 'owner')).toMatchObject({ value: 'theirs', version: 3 });
  });

  it('has no conflicts to show in a storage that was never away', async () => {
    const rig = current();
    expect(await listConflicts(rig.storage)).toEqual([]);
    expect((await rig.storage.list(CONFLICT_COLLECTION, { limit: 1 })).items).toEqual([]);
  });
});
