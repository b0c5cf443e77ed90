import { describe, expect, it } from 'vitest';
import { recordsOf, rejection } from '../contract/fixture.ts';
import { append, put, useDegradedRig } from './degraded.fixture.ts';

describe('what is served while the storage is away', () => {
  const current = useDegradedRig();

  it('knows the part of a log that was asked for, whatever the caller makes of its query since', async () => {
    const rig = current();
    await rig.server.commit([1, 2, 3, 4].map((value) => append('events', value)));
    const query = { after: 2 };
    const found = rig.storage.read('events', query);
    query.after = 0;
    expect((await found).map(({ value }) => value)).toEqual([3, 4]);
    rig.away();
    expect((await rejection(rig.storage.read('events'))).code).toBe('storage.not_known_now');
    expect((await rig.storage.read('events', { after: 2 })).map(({ value }) => value)).toEqual([3, 4]);
  });

  it('answers only what is known, and never that something is not there', async () => {
    const rig = current();
    await rig.server.commit([put('unseen', 1), append('messages/unseen', 1)]);
    await rig.storage.commit([put('seen', 1), { kind: 'delete', collection: 'sessions', id: 'gone' }]);
    expect(await rig.storage.get('sessions', 'nobody')).toBeUndefined();
    rig.away();
    expect(await rig.storage.get('sessions', 'seen')).toMatchObject({ value: 1 });
    expect(await rig.storage.get('sessions', 'gone')).toBeUndefined();
    expect(await rig.storage.get('sessions', 'nobody')).toBeUndefined();
    for (const call of [
      rig.storage.get('sessions', 'unseen'),
      rig.storage.read('messages/unseen'),
      rig.storage.commit([put('unseen', 2)]),
      rig.storage.commit([append('messages/unseen', 2)]),
    ]) {
      expect((await rejection(call)).code).toBe('storage.not_known_now');
    }
    expect(await rig.storage.commit([put('unseen', 2, 1)])).toEqual([{ version: 2 }]);
    await rig.back();
    expect(await rig.held('sessions', 'unseen')).toBe(2);
  });

  it('knows a log as far as it was read', async () => {
    const rig = current();
    await rig.server.commit(Array.from({ length: 10 }, (_, i) => append('events', i + 1)));
    await rig.storage.read('events', { reverse: true, limit: 4 });
    rig.away();
    await rig.storage.commit([append('events', 11)]);
    const sequences = async (query: Parameters<typeof rig.storage.read>[1]) =>
      (await rig.storage.read('events', query)).map(({ sequence }) => sequence);
    expect(await sequences({ reverse: true, limit: 5 })).toEqual([11, 10, 9, 8, 7]);
    expect(await sequences({ after: 6 })).toEqual([7, 8, 9, 10, 11]);
    expect(await sequences({ after: 9, before: 11 })).toEqual([10]);
    const unknown = await rejection(rig.storage.read('events', { reverse: true, limit: 6 }));
    expect(unknown.code).toBe('storage.not_known_now');
    expect(unknown.data).toEqual({ log: 'events', knownAfter: 6 });
    expect((await rejection(rig.storage.read('events', { after: 5 }))).data.knownAfter).toBe(6);
    await rig.storage.commit([{ kind: 'trim', log: 'events', through: 8 }]);
    expect(await sequences({})).toEqual([9, 10, 11]);
    await rig.back();
    expect((await rig.server.read('events')).map(({ sequence }) => sequence)).toEqual([9, 10, 11]);
  });

  it('lists the documents that it knows, with the index fields that were written', async () => {
    const rig = current();
    await rig.server.commit([put('unseen', 1)]);
    await rig.storage.commit([put('a', 1), put('b', { title: 'value' }), put('c', 3)]);
    rig.away();
    await rig.storage.commit([put('d', 4, 0), { kind: 'delete', collection: 'sessions', id: 'a' }]);
    const page = await rig.storage.list('sessions', {
      where: [{ field: 'title', contains: 'title' }],
      orderBy: { field: 'title', direction: 'descending' },
      limit: 2,
    });
    expect(page.items.map(({ id }) => id)).toEqual(['d', 'c']);
    expect(page.nextCursor).toBeDefined();
  });

  it('checks expected versions against what is known', async () => {
    const rig = current();
    await rig.storage.commit([put('a', 1)]);
    rig.away();
    await rig.storage.commit([put('a', 2, 1)]);
    const error = await rejection(rig.storage.commit([put('a', 3, 1), append('events', 1)]));
    expect(error.code).toBe('storage.version_conflict');
    expect(error.data).toMatchObject({ expected: 1, current: 2 });
    expect(rig.storage.mode().journalCommits).toBe(1);
  });

  it('answers a commit that is asked for again by its id like the first', async () => {
    const rig = current();
    await rig.storage.commit([append('events', 0)]);
    rig.away();
    const id = { writer: 'caller', number: 1 };
    expect(await rig.storage.commit([append('events', 1)], id)).toEqual([{ sequence: 2 }]);
    expect(await rig.storage.commit([append('events', 1)], id)).toEqual([{ sequence: 2 }]);
    await rig.back();
    expect(await rig.storage.commit([append('events', 1)], id)).toEqual([{ sequence: 2 }]);
    expect(await rig.logged('events')).toEqual([0, 1]);
  });

  it('rejects a commit of unknown fate as just that when its numbers cannot be known', async () => {
    const rig = current();
    await rig.server.commit([append('events', 1)]);
    rig.away('after');
    const error = await rejection(rig.storage.commit([append('events', 2)]));
    expect(error.code).toBe('storage.unreachable');
    await rig.back();
    expect(await rig.logged('events')).toEqual([1, 2]);
  });

  it('refuses snapshots and generations, and tells the last known figures', async () => {
    const rig = current();
    await rig.storage.commit([put('a', 1)]);
    const stats = await rig.storage.stats();
    rig.away();
    await rig.storage.commit([put('b', 1, 0)]);
    expect((await rejection(recordsOf(rig.storage))).code).toBe('storage.unreachable');
    expect((await rejection(rig.storage.generations.list())).code).toBe('storage.unreachable');
    expect((await rejection(rig.storage.generations.create('x'))).code).toBe('storage.unreachable');
    expect(await rig.storage.stats()).toEqual(stats);
    const { notices, location } = await rig.storage.info();
    expect(location).toBe('remote:1');
    expect(notices.map(({ code }) => code)).toContain('storage.degraded');
  });

  it('knows a log as it was read last, when others have switched to another data set', async () => {
    const rig = current();
    await rig.storage.commit([append('events', 'old')]);
    expect(await rig.logged('events')).toEqual(['old']);
    expect((await rig.storage.read('events')).map(({ value }) => value)).toEqual(['old']);
    const next = await rig.server.generations.create('another');
    await next.write([
      { kind: 'log', log: 'events', lastSequence: 1 },
      { kind: 'entry', log: 'events', sequence: 1, at: 5, json: '"new"' },
    ]);
    await next.seal();
    await rig.server.generations.activate(next.id);
    expect((await rig.storage.read('events')).map(({ value }) => value)).toEqual(['new']);
    rig.away();
    expect((await rig.storage.read('events')).map(({ value }) => value)).toEqual(['new']);
  });

  it('knows nothing of the data before when the answer to a switch was lost', async () => {
    const rig = current();
    await rig.storage.commit([put('a', 'old')]);
    const next = await rig.storage.generations.create('another');
    await next.write([
      { kind: 'document', collection: 'sessions', id: 'a', version: 7, json: '"new"', index: {} },
    ]);
    await next.seal();
    rig.remote.fails = (call) => (call === 'generations' ? 'after' : 'before');
    expect((await rejection(rig.storage.generations.activate(next.id))).code).toBe('storage.unreachable');
    expect((await rejection(rig.storage.get('sessions', 'a'))).code).toBe('storage.not_known_now');
  });

  it('remembers no more than it may', async () => {
    const rig = current();
    await rig.storage.close();
    rig.storage = rig.create({ knownBytes: 20_000 });
    await rig.storage.open();
    for (let i = 0; i < 100; i++)
      await rig.storage.commit([put(`id-${i}`, 'x'.repeat(500), 0), append('events', i)]);
    rig.away();
    expect(await rig.storage.get('sessions', 'id-99')).toBeDefined();
    expect((await rejection(rig.storage.get('sessions', 'id-0'))).code).toBe('storage.not_known_now');
    expect(await rig.storage.commit([append('events', 100)])).toEqual([{ sequence: 101 }]);
    expect((await rejection(rig.storage.read('events'))).code).toBe('storage.not_known_now');
    expect(
      (await rig.storage.read('events', { reverse: true, limit: 3 })).map(({ sequence }) => sequence),
    ).toEqual([101, 100, 99]);
  });
});
