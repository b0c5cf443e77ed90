import { expect, it } from 'vitest';
import type { Operation } from '../storage.ts';
import { type ContractFixture, recordsOf, rejection } from './fixture.ts';

export function commitCases(fixture: ContractFixture): void {
  const put = (id: string, value: unknown, expectVersion?: number): Operation => ({
    kind: 'put',
    collection: 'sessions',
    id,
    value,
    ...(expectVersion === undefined ? {} : { expectVersion }),
  });

  it('answers each operation in its order', async () => {
    const results = await fixture.storage.commit([
      put('a', 1),
      { kind: 'append', log: 'events', value: 1 },
      { kind: 'delete', collection: 'sessions', id: 'zz' },
      { kind: 'append', log: 'events', value: 2 },
      { kind: 'trim', log: 'events', through: 1 },
      put('a', 2),
    ]);
    expect(results).toEqual([{ version: 1 }, { sequence: 1 }, {}, { sequence: 2 }, {}, { version: 2 }]);
  });

  it('says what version is there when another was expected', async () => {
    const { storage } = fixture;
    await storage.commit([put('a', 1), put('a', 2)]);
    const error = await rejection(storage.commit([put('a', 3, 1)]));
    expect(error.code).toBe('storage.version_conflict');
    expect(error.data).toEqual({ collection: 'sessions', id: 'a', expected: 1, current: 2 });
    expect((await rejection(storage.commit([put('b', 3, 1)]))).data.current).toBe(0);
    expect(await storage.commit([put('a', 3, 2)])).toEqual([{ version: 3 }]);
  });

  it('refuses to create what is there', async () => {
    const { storage } = fixture;
    await storage.commit([put('a', 1, 0)]);
    expect((await rejection(storage.commit([put('a', 2, 0)]))).code).toBe('storage.version_conflict');
    expect((await storage.get('sessions', 'a'))?.value).toBe(1);
  });

  it('refuses to delete another version than the expected one', async () => {
    const { storage } = fixture;
    await storage.commit([put('a', 1)]);
    const remove = { kind: 'delete', collection: 'sessions', id: 'a' } as const;
    const error = await rejection(storage.commit([{ ...remove, expectVersion: 2 }]));
    expect(error.data).toMatchObject({ expected: 2, current: 1 });
    await storage.commit([{ ...remove, expectVersion: 1 }]);
    expect((await rejection(storage.commit([{ ...remove, expectVersion: 1 }]))).data.current).toBe(0);
  });

  it('leaves nothing of a commit that conflicts, wherever in it the conflict is', async () => {
    const { storage } = fixture;
    await storage.commit([put('there', 1), { kind: 'append', log: 'events', value: 0 }]);
    const before = await recordsOf(storage);
    const harmless: Operation[] = [
      put('new', 1),
      put('there', 2),
      { kind: 'append', log: 'events', value: 1 },
      { kind: 'append', log: 'fresh', value: 1 },
      { kind: 'trim', log: 'events', through: 1 },
      { kind: 'delete', collection: 'sessions', id: 'there' },
    ];
    for (let at = 0; at <= harmless.length; at++) {
      const error = await rejection(storage.commit(harmless.toSpliced(at, 0, put('conflict', 1, 7))));
      expect(error.code).toBe('storage.version_conflict');
      expect(await recordsOf(storage)).toEqual(before);
    }
    expect(await storage.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([{ sequence: 2 }]);
    expect(await storage.commit([{ kind: 'append', log: 'fresh', value: 1 }])).toEqual([{ sequence: 1 }]);
  });

  it('sees, within a commit, what its operations before have done', async () => {
    const { storage } = fixture;
    const results = await storage.commit([
      put('a', 1, 0),
      put('a', 2, 1),
      { kind: 'delete', collection: 'sessions', id: 'a', expectVersion: 2 },
      put('a', 3, 0),
    ]);
    expect(results).toEqual([{ version: 1 }, { version: 2 }, {}, { version: 1 }]);
    expect((await storage.get('sessions', 'a'))?.value).toBe(3);
    expect((await rejection(storage.commit([put('a', 4), put('a', 5, 1)]))).data.current).toBe(2);
    expect((await storage.get('sessions', 'a'))?.value).toBe(3);
  });

  it('moves the index fields along when one commit changes a document several times', async () => {
    const { storage } = fixture;
    const indexed = (state: string): Operation => ({
      kind: 'put',
      collection: 'sessions',
      id: 'a',
      value: state,
      index: { state },
    });
    await storage.commit([indexed('one'), indexed('two'), indexed('three')]);
    await storage.commit([
      indexed('four'),
      { kind: 'delete', collection: 'sessions', id: 'a' },
      indexed('five'),
    ]);
    const states = await storage.list('sessions', {
      orderBy: { field: 'state', direction: 'ascending' },
      limit: 10,
    });
    expect(states.items.map(({ value, version }) => [value, version])).toEqual([['five', 1]]);
    expect(
      (await storage.list('sessions', { where: [{ field: 'state', is: 'four' }], limit: 10 })).items,
    ).toEqual([]);
  });

  it('takes an empty commit', async () => {
    expect(await fixture.storage.commit([])).toEqual([]);
  });

  it('takes 10,000 operations at once', async () => {
    const { storage } = fixture;
    const operations = Array.from(
      { length: 10_000 },
      (_, i): Operation => (i % 2 === 0 ? put(`id-${i}`, i) : { kind: 'append', log: 'events', value: i }),
    );
    const results = await storage.commit(operations);
    expect(results).toHaveLength(10_000);
    expect(results.at(-1)).toEqual({ sequence: 5_000 });
    expect((await storage.stats()).documents).toEqual({ sessions: 5_000 });
    const many = await rejection(storage.commit([...operations, put('one more', 1)]));
    expect(many.code).toBe('storage.invalid');
  });

  it('lets one of 200 concurrent writers through for each version', async () => {
    const { storage } = fixture;
    await storage.commit([put('counter', 0)]);
    let conflicts = 0;
    const increment = async (): Promise<void> => {
      for (;;) {
        const current = await storage.get<number>('sessions', 'counter');
        if (current === undefined) throw new Error('The counter is gone.');
        try {
          await storage.commit([
            put('counter', current.value + 1, current.version),
            { kind: 'append', log: 'increments', value: current.value + 1 },
          ]);
          return;
        } catch (error) {
          expect(error).toMatchObject({ code: 'storage.version_conflict' });
          conflicts += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: 200 }, increment));
    expect(await storage.get('sessions', 'counter')).toMatchObject({ version: 201, value: 200 });
    expect(conflicts).toBeGreaterThan(0);
    const values = (await storage.read<number>('increments')).map(({ value }) => value);
    expect(values).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  });

  it('lets a conflict among concurrent commits fail only its own caller', async () => {
    const { storage } = fixture;
    const settled = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) =>
        storage.commit([
          put(`id-${i}`, i),
          put('contested', i, 0),
          { kind: 'append', log: 'winners', value: i },
        ]),
      ),
    );
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await storage.stats()).documents).toEqual({ sessions: 2 });
    expect(await storage.read('winners')).toHaveLength(1);
  });

  it('shows a commit to every read that is called after it was answered', async () => {
    const { storage } = fixture;
    for (let i = 1; i <= 50; i++) {
      await storage.commit([put('a', i), { kind: 'append', log: 'events', value: i }]);
      const [document, last] = await Promise.all([
        storage.get('sessions', 'a'),
        storage.read('events', { reverse: true, limit: 1 }),
      ]);
      expect([document?.value, last[0]?.value]).toEqual([i, i]);
    }
  });

  it('keeps everything for the next start', async () => {
    await fixture.storage.commit([
      { kind: 'put', collection: 'sessions', id: 'a', value: { x: 1 }, index: { n: 1 }, expiresAt: 1e15 },
      { kind: 'append', log: 'events', value: 1 },
    ]);
    const before = await recordsOf(fixture.storage);
    expect(await recordsOf(await fixture.reopen())).toEqual(before);
  });
}
