import { expect, it } from 'vitest';
import type { Operation, SnapshotRecord } from '../storage.ts';
import { type ContractFixture, recordsOf, rejection, replaceBy } from './fixture.ts';

export function generationCases(fixture: ContractFixture): void {
  const append = (log: string, value: unknown): Operation => ({ kind: 'append', log, value });
  const put = (id: string, value: unknown): Operation => ({ kind: 'put', collection: 'sessions', id, value });
  const document = (id: string, json: string): SnapshotRecord => ({
    kind: 'document',
    collection: 'sessions',
    id,
    version: 7,
    json,
    index: { title: `Title of ${id}` },
  });

  it('starts with one, which is active', async () => {
    const { storage, clock } = fixture;
    const [first, ...others] = await storage.generations.list();
    expect(others).toEqual([]);
    expect(first).toEqual({ id: expect.any(String), createdAt: clock.time, reason: 'first', active: true });
  });

  it('shows nothing of a new one until it is activated', async () => {
    const { storage } = fixture;
    await storage.commit([put('old', 1)]);
    const writer = await storage.generations.create('restore x');
    await writer.write([document('new', '{"n":1}')]);
    expect(await storage.generations.list()).toHaveLength(1);
    expect(await storage.get('sessions', 'new')).toBeUndefined();
    await writer.seal();
    expect(await storage.generations.list()).toHaveLength(2);
    expect(await storage.get('sessions', 'new')).toBeUndefined();
    expect(await recordsOf(storage, writer.id)).toEqual([document('new', '{"n":1}')]);
    expect((await recordsOf(storage))[0]).toMatchObject({ id: 'old' });
  });

  it('activates one, keeps the one before, and can go back', async () => {
    const { storage, clock } = fixture;
    await storage.commit([put('old', 1)]);
    const [first] = await storage.generations.list();
    clock.time += 100;
    const second = await replaceBy(storage, 'restore x', [document('new', '{"n":1}')]);
    expect(await storage.get('sessions', 'new')).toMatchObject({ version: 7, value: { n: 1 } });
    expect(await storage.get('sessions', 'old')).toBeUndefined();
    const found = await storage.list('sessions', {
      where: [{ field: 'title', contains: 'OF NEW' }],
      limit: 1,
    });
    expect(found.items).toHaveLength(1);
    expect(await storage.generations.list()).toEqual([
      { ...first, active: false },
      {
        id: second,
        createdAt: clock.time,
        reason: 'restore x',
        active: true,
        previous: first?.id,
        activatedAt: clock.time,
      },
    ]);
    await storage.commit([{ kind: 'put', collection: 'sessions', id: 'new', value: 2, expectVersion: 7 }]);
    await storage.generations.activate(first?.id ?? '');
    expect((await storage.get('sessions', 'old'))?.value).toBe(1);
    expect(await storage.get('sessions', 'new')).toBeUndefined();
    expect((await storage.generations.list()).find(({ active }) => active)).toMatchObject({
      id: first?.id,
      previous: second,
    });
    await storage.generations.activate(second);
    expect(await storage.get('sessions', 'new')).toMatchObject({ version: 8, value: 2 });
  });

  it('keeps all of them, and which is active, for the next start', async () => {
    await fixture.storage.commit([put('old', 1)]);
    await replaceBy(fixture.storage, 'restore x', [document('new', '1')]);
    const before = await fixture.storage.generations.list();
    const storage = await fixture.reopen();
    expect(await storage.generations.list()).toEqual(before);
    expect(await storage.get('sessions', 'new')).toMatchObject({ version: 7 });
    await storage.generations.activate(before.find(({ active }) => !active)?.id ?? '');
    expect((await storage.get('sessions', 'old'))?.value).toBe(1);
  });

  it('never counts back: neither forward to one with lower numbers nor back again', async () => {
    const { storage } = fixture;
    await storage.commit([
      append('events', 1),
      append('events', 2),
      append('events', 3),
      append('only_old', 1),
    ]);
    const [first] = await storage.generations.list();
    await replaceBy(storage, 'restore x', [
      { kind: 'log', log: 'events', lastSequence: 1 },
      { kind: 'entry', log: 'events', sequence: 1, at: 5, json: '"kept"' },
      { kind: 'log', log: 'only_new', lastSequence: 9 },
    ]);
    expect(await storage.read('events')).toEqual([{ log: 'events', sequence: 1, at: 5, value: 'kept' }]);
    expect(await storage.read('only_old')).toEqual([]);
    expect(
      await storage.commit([append('events', 4), append('only_old', 2), append('only_new', 10)]),
    ).toEqual([{ sequence: 4 }, { sequence: 2 }, { sequence: 10 }]);
    await storage.generations.activate(first?.id ?? '');
    expect(
      await storage.commit([append('events', 5), append('only_old', 3), append('only_new', 11)]),
    ).toEqual([{ sequence: 5 }, { sequence: 3 }, { sequence: 11 }]);
    expect((await storage.read('events')).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 5]);
  });

  it('drops one that is not active, and then nobody has it as previous', async () => {
    const { storage } = fixture;
    const [first] = await storage.generations.list();
    const second = await replaceBy(storage, 'restore x', [document('new', '1')]);
    await storage.generations.drop(first?.id ?? '');
    const [left, ...others] = await storage.generations.list();
    expect(others).toEqual([]);
    expect(left).toMatchObject({ id: second, active: true });
    expect(left).not.toHaveProperty('previous');
    expect(await storage.get('sessions', 'new')).toBeDefined();
    expect(await (await fixture.reopen()).generations.list()).toHaveLength(1);
  });

  it('refuses to drop the active one, and to activate or drop one that is not there or not sealed', async () => {
    const { generations } = fixture.storage;
    const [first] = await generations.list();
    const writer = await generations.create('restore x');
    const calls = [
      generations.drop(first?.id ?? ''),
      generations.drop('nobody'),
      generations.activate('nobody'),
      generations.activate(writer.id),
      generations.drop(writer.id),
    ].map(rejection);
    for (const error of await Promise.all(calls)) expect(error.code).toBe('storage.invalid');
    await generations.activate(first?.id ?? '');
    expect((await generations.list())[0]).toEqual(first);
  });

  it('throws a discarded one away', async () => {
    const { storage } = fixture;
    const writer = await storage.generations.create('restore x');
    await writer.write([document('new', '1')]);
    await writer.discard();
    await writer.discard();
    expect((await rejection(writer.write([document('newer', '1')]))).code).toBe('storage.invalid');
    expect((await rejection(writer.seal())).code).toBe('storage.invalid');
    expect(await storage.generations.list()).toHaveLength(1);
  });

  it('takes nothing more once sealed, and a late discard leaves it', async () => {
    const { storage } = fixture;
    const writer = await storage.generations.create('restore x');
    await writer.write([document('new', '1')]);
    await writer.seal();
    expect((await rejection(writer.write([document('newer', '1')]))).code).toBe('storage.invalid');
    expect((await rejection(writer.seal())).code).toBe('storage.invalid');
    await writer.discard();
    expect(await recordsOf(storage, writer.id)).toHaveLength(1);
  });

  it('forgets one that was not sealed at the next start', async () => {
    const writer = await fixture.storage.generations.create('restore x');
    await writer.write([document('new', '1')]);
    const storage = await fixture.reopen();
    expect(await storage.generations.list()).toHaveLength(1);
    expect((await rejection(storage.generations.activate(writer.id))).code).toBe('storage.invalid');
  });

  it('builds two at once, and each has its own', async () => {
    const { storage } = fixture;
    const [one, two] = await Promise.all([
      storage.generations.create('one'),
      storage.generations.create('two'),
    ]);
    await Promise.all([one.write([document('one', '1')]), two.write([document('two', '2')])]);
    await Promise.all([one.seal(), two.seal()]);
    expect(await recordsOf(storage, one.id)).toEqual([document('one', '1')]);
    expect(await recordsOf(storage, two.id)).toEqual([document('two', '2')]);
  });

  it('switches between two answers: who reads meanwhile sees the one or the other whole', async () => {
    const { storage } = fixture;
    await storage.commit([put('a', 'old'), put('b', 'old')]);
    const writer = await storage.generations.create('restore x');
    await writer.write([document('a', '"new"'), document('b', '"new"')]);
    await writer.seal();
    let switched = false;
    const reading = (async () => {
      const seen = new Set<string>();
      while (!switched || seen.size === 0) {
        const { items } = await storage.list<string>('sessions', { limit: 10 });
        seen.add(items.map(({ value }) => value).join());
        // What is answered from memory must not keep the switch from its turn.
        await new Promise(setImmediate);
      }
      return seen;
    })();
    await storage.generations.activate(writer.id);
    switched = true;
    for (const state of await reading) expect(['old,old', 'new,new']).toContain(state);
    expect((await storage.get('sessions', 'a'))?.value).toBe('new');
  });

  it('lets a snapshot under way finish with what it began with, over an activation', async () => {
    const { storage } = fixture;
    await storage.commit(Array.from({ length: 2_000 }, (_, i) => append('events', i)));
    const seen: SnapshotRecord[] = [];
    let activated = false;
    for await (const batch of storage.snapshot()) {
      seen.push(...batch);
      if (!activated) await replaceBy(storage, 'restore x', [document('new', '1')]);
      activated = true;
    }
    expect(seen).toHaveLength(2_001);
  });

  it('gives the same snapshot after a round trip', async () => {
    const { storage, clock } = fixture;
    await storage.commit([
      ...Array.from(
        { length: 700 },
        (_, i): Operation => ({
          kind: 'put',
          collection: i % 2 === 0 ? 'sessions' : 'agents',
          id: `id ${i} ä😀`,
          value: { i, text: 'ü'.repeat(i) },
          index: { i, title: `Title ${i}` },
          ...(i % 5 === 0 ? { expiresAt: clock.time + 1000 + i } : {}),
        }),
      ),
      ...Array.from({ length: 700 }, (_, i) => append(`messages/${i % 7}`, { i })),
      { kind: 'trim', log: 'messages/3', through: 50 },
      { kind: 'trim', log: 'messages/4', through: 1_000 },
    ]);
    const before = await recordsOf(storage);
    const writer = await storage.generations.create('round trip');
    for await (const batch of storage.snapshot()) await writer.write(batch);
    await writer.seal();
    expect(await recordsOf(storage, writer.id)).toEqual(before);
    await storage.generations.activate(writer.id);
    expect(await recordsOf(storage)).toEqual(before);
    expect(await storage.commit([append('messages/4', 'next')])).toEqual([{ sequence: 101 }]);
    const found = await storage.list('agents', { where: [{ field: 'title', is: 'Title 13' }], limit: 2 });
    expect(found.items.map(({ id }) => id)).toEqual(['id 13 ä😀']);
  });

  const log: SnapshotRecord = { kind: 'log', log: 'events', lastSequence: 2 };
  const entry = { kind: 'entry', log: 'events', sequence: 1, at: 1, json: '1' } as const;
  it.each<[string, SnapshotRecord[]]>([
    ['a document that is there twice', [document('a', '1'), document('a', '2')]],
    ['a log that is there twice', [log, log]],
    ['an entry without its log', [entry]],
    ['an entry behind another log', [{ ...log, log: 'other' }, entry]],
    ['an entry beyond the last sequence', [log, { ...entry, sequence: 3 }]],
    ['an entry that is there twice', [log, entry, entry]],
    ['a value that is not JSON', [document('a', '{"open": ')]],
    ['a bad collection', [{ ...(document('a', '1') as object), collection: 'Bad Name' } as SnapshotRecord]],
    ['a bad id', [document('\u0000', '1')]],
    ['a bad version', [{ ...(document('a', '1') as object), version: 0 } as SnapshotRecord]],
    ['an unknown record', [{ kind: 'stranger' } as unknown as SnapshotRecord]],
  ])('refuses %s', async (_name, records) => {
    const writer = await fixture.storage.generations.create('hostile');
    expect((await rejection(writer.write(records))).code).toBe('storage.invalid');
    await writer.discard();
  });
}
