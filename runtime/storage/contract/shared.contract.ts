import { expect, it, onTestFinished, type TestContext } from 'vitest';
import type { Operation, SnapshotRecord, Storage } from '../storage.ts';
import { type ContractFixture, recordsOf, rejection, replaceBy } from './fixture.ts';

/** Two that are open on the same data at once, as two processes would have them. */
export function sharedCases(fixture: ContractFixture): void {
  const put = (id: string, value: unknown, expectVersion?: number): Operation => ({
    kind: 'put',
    collection: 'sessions',
    id,
    value,
    index: { rank: id.length },
    ...(expectVersion === undefined ? {} : { expectVersion }),
  });
  const append = (value: unknown): Operation => ({ kind: 'append', log: 'events', value });
  const document = (id: string): SnapshotRecord => ({
    kind: 'document',
    collection: 'sessions',
    id,
    version: 7,
    json: '"restored"',
    index: {},
  });
  const sequencesOf = (results: { sequence?: number }[][]) =>
    results.flat().map(({ sequence }) => sequence ?? 0);

  /** A second one, open; skips the case for an adapter whose data has one owner. */
  const openAnother = async ({ skip }: TestContext): Promise<Storage> => {
    const { type, supports } = fixture.storage;
    skip(!supports.sharedByProcesses, `${type} says that it has one owner (supports.sharedByProcesses)`);
    const other = fixture.another();
    await other.open();
    return other;
  };

  it('shows each what the other has written, in every call', async (context) => {
    const { storage } = fixture;
    const other = await openAnother(context);
    for (const [writer, reader, id] of [
      [other, storage, 'a'],
      [storage, other, 'b'],
      [other, storage, 'c'],
    ] as const) {
      await writer.commit([put(id, id), append(id)]);
      expect((await reader.get('sessions', id))?.value).toBe(id);
      const query = { orderBy: { field: 'rank', direction: 'descending' }, limit: 1 } as const;
      expect((await reader.list('sessions', query)).items.map((item) => item.id)).toEqual([id]);
      expect((await reader.read('events', { reverse: true, limit: 1 }))[0]?.value).toBe(id);
      expect(await reader.stats()).toEqual(await writer.stats());
      expect(await recordsOf(reader)).toEqual(await recordsOf(writer));
    }
  });

  it('counts one counter up from both sides, without losing one', async (context) => {
    const { storage } = fixture;
    const other = await openAnother(context);
    await storage.commit([put('counter', 0)]);
    const increment = async (by: Storage): Promise<void> => {
      for (;;) {
        const current = await by.get<number>('sessions', 'counter');
        if (current === undefined) throw new Error('The counter is gone.');
        const next = put('counter', current.value + 1, current.version);
        const outcome = await by.commit([next, append(current.value + 1)]).catch((error) => error);
        if (Array.isArray(outcome)) return;
        expect(outcome).toMatchObject({ code: 'storage.version_conflict' });
      }
    };
    const writers = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? storage : other));
    for (let round = 0; round < 5; round++) await Promise.all(writers.map(increment));
    expect(await other.get('sessions', 'counter')).toMatchObject({ version: 61, value: 60 });
    expect((await storage.read('events')).map(({ value }) => value)).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
  });

  it('numbers the appends of both without gap or repetition', async (context) => {
    const { storage } = fixture;
    const other = await openAnother(context);
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        (i % 2 === 0 ? storage : other).commit([append(`${i} first`), append(`${i} second`)]),
      ),
    );
    expect(sequencesOf(results).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 400 }, (_, i) => i + 1),
    );
    const entries = await storage.read('events');
    expect(entries).toEqual(await other.read('events'));
    for (const [i, result] of results.entries()) {
      const [first = 0, second = 0] = sequencesOf([result]);
      expect(second).toBe(first + 1);
      expect(entries[first - 1]?.value).toBe(`${i} first`);
      expect(entries[second - 1]?.value).toBe(`${i} second`);
    }
  });

  it('takes a commit that both send for one', async (context) => {
    const { storage } = fixture;
    const other = await openAnother(context);
    const id = { writer: 'sender', number: 1 };
    const [one, two] = await Promise.all([
      storage.commit([append('once')], id),
      other.commit([append('once')], id),
    ]);
    expect(one).toEqual([{ sequence: 1 }]);
    expect(two).toEqual(one);
    expect(await other.commit([append('once')], id)).toEqual(one);
    expect(await storage.read('events')).toHaveLength(1);
  });

  it('pages on with a cursor of the other', async (context) => {
    const { storage } = fixture;
    const other = await openAnother(context);
    await storage.commit(['a', 'b', 'c'].map((id) => put(id, id)));
    const first = await storage.list('sessions', { limit: 2 });
    const second = await other.list('sessions', { limit: 2, cursor: first.nextCursor ?? '' });
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect(second.nextCursor).toBeUndefined();
  });

  it('sees at once what the other has activated, and writes into it', async (context) => {
    const { storage } = fixture;
    const other = await openAnother(context);
    await storage.commit([put('old', 1), append(1), append(2)]);
    expect((await other.get('sessions', 'old'))?.value).toBe(1);
    const [first] = await other.generations.list();
    const second = await replaceBy(other, 'restore x', [document('new')]);
    expect(await storage.get('sessions', 'old')).toBeUndefined();
    expect((await storage.list('sessions', { limit: 10 })).items.map(({ id }) => id)).toEqual(['new']);
    expect(await storage.read('events')).toEqual([]);
    expect((await storage.stats()).documents).toEqual({ sessions: 1 });
    expect(await storage.commit([put('new', 2, 7), append(3)])).toEqual([{ version: 8 }, { sequence: 3 }]);
    expect(await storage.generations.list()).toEqual(await other.generations.list());
    await storage.generations.activate(first?.id ?? '');
    expect((await other.get('sessions', 'old'))?.value).toBe(1);
    expect(await other.commit([append(4)])).toEqual([{ sequence: 4 }]);
    await other.generations.drop(second);
    expect(await storage.generations.list()).toHaveLength(1);
  });

  it('keeps every commit in one generation, and every number unique, while the other switches', async (context) => {
    const { storage } = fixture;
    const other = await openAnother(context);
    const [first] = await storage.generations.list();
    const builder = await other.generations.create('second');
    await builder.seal();
    const generations = [first?.id ?? '', builder.id];
    let switching = true;
    const write = async (writer: number) => {
      const written: { id: string; sequence: number }[] = [];
      for (let i = 0; switching || i < 5; i++) {
        const id = `${writer}-${i}`;
        const [, appended] = await storage.commit([put(id, 1, 0), append(id)]);
        written.push({ id, sequence: appended?.sequence ?? 0 });
      }
      return written;
    };
    const writers = Promise.all([0, 1, 2, 3].map(write));
    for (let turn = 1; turn <= 8; turn++) await other.generations.activate(generations[turn % 2] as string);
    switching = false;
    const written = (await writers).flat();
    const kept = (await Promise.all(generations.map((id) => recordsOf(other, id)))).flat();
    const ids = kept.flatMap((record) => (record.kind === 'document' ? [record.id] : []));
    expect(ids.toSorted()).toEqual(written.map(({ id }) => id).toSorted());
    const entries = kept.flatMap((record) =>
      record.kind === 'entry' ? [{ id: JSON.parse(record.json) as string, sequence: record.sequence }] : [],
    );
    const bySequence = (a: { sequence: number }, b: { sequence: number }) => a.sequence - b.sequence;
    expect(entries.toSorted(bySequence)).toEqual(written.toSorted(bySequence));
    expect(new Set(written.map(({ sequence }) => sequence)).size).toBe(written.length);
  });

  it('streams a snapshot as it was when it began, whatever the other writes and activates', async (context) => {
    const { storage } = fixture;
    const other = await openAnother(context);
    await storage.commit([
      ...Array.from({ length: 1_200 }, (_, i) => put(`id-${i}`, 'before')),
      ...Array.from({ length: 1_200 }, (_, i) => append(i)),
    ]);
    const before = await recordsOf(other);
    const seen: SnapshotRecord[] = [];
    let turn = 0;
    for await (const batch of storage.snapshot()) {
      seen.push(...batch);
      turn += 1;
      await other.commit([
        ...Array.from({ length: 1_200 }, (_, i) => put(`id-${i}`, `after ${turn}`)),
        put(`new-${turn}`, 'new'),
        append('new'),
        { kind: 'append', log: 'newer', value: 'new' },
        { kind: 'delete', collection: 'sessions', id: `id-${1_199 - turn}` },
        { kind: 'trim', log: 'events', through: 100 * turn },
      ]);
      if (turn === 2) await replaceBy(other, 'restore x', [document('restored')]);
    }
    expect(turn).toBeGreaterThan(2);
    expect(seen).toEqual(before);
  });

  it('leaves alone what the other is building, when one more opens and builds', async (context) => {
    const other = await openAnother(context);
    const builder = await other.generations.create('slow');
    await builder.write([document('a')]);
    const storage = await fixture.reopen();
    const third = await storage.generations.create('quick');
    await third.write([document('quick')]);
    await builder.write([document('b')]);
    await builder.seal();
    await third.seal();
    await storage.generations.activate(builder.id);
    expect(await recordsOf(other)).toEqual([document('a'), document('b')]);
    expect(await recordsOf(other, third.id)).toEqual([document('quick')]);
  });

  it('goes on when the other closes', async (context) => {
    const { storage } = fixture;
    const other = await openAnother(context);
    await other.commit([put('a', 1)]);
    const builder = await other.generations.create('left behind');
    await other.close();
    expect((await rejection(other.get('sessions', 'a'))).code).toBe('storage.closed');
    expect((await storage.get('sessions', 'a'))?.value).toBe(1);
    expect(await storage.commit([put('a', 2, 1)])).toEqual([{ version: 2 }]);
    expect((await rejection(storage.generations.activate(builder.id))).code).toBe('storage.invalid');
    await other.open();
    expect((await other.get('sessions', 'a'))?.value).toBe(2);
  });

  it('is set up once when both open it for the first time', async ({ skip }) => {
    const { type, supports } = fixture.storage;
    skip(!supports.sharedByProcesses, `${type} says that it has one owner (supports.sharedByProcesses)`);
    const fresh = await fixture.create({ now: fixture.clock.now });
    onTestFinished(() => fresh.dispose());
    const all = [fresh.storage, ...Array.from({ length: 3 }, () => fresh.another?.())].filter(
      (one) => one !== undefined,
    );
    onTestFinished(() => Promise.all(all.map((one) => one.close())).then(() => undefined));
    expect(all).toHaveLength(4);
    await Promise.all(all.map((one) => one.open()));
    const [generations, ...others] = await Promise.all(all.map((one) => one.generations.list()));
    expect(generations).toHaveLength(1);
    for (const list of others) expect(list).toEqual(generations);
    const results = await Promise.all(all.map((one) => one.commit([append(1)])));
    expect(sequencesOf(results).toSorted()).toEqual([1, 2, 3, 4]);
  });
}
