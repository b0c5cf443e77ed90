import { expect, it } from 'vitest';
import type { Operation } from '../storage.ts';
import { type ContractFixture, recordsOf, rejection } from './fixture.ts';

const HOSTILE_NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];

export function documentCases(fixture: ContractFixture): void {
  it('gives back what was put, with its version', async () => {
    const { storage } = fixture;
    const value = { title: 'First', nested: [1, 2.5, true, null, { deep: 'yes' }] };
    expect(await storage.commit([{ kind: 'put', collection: 'sessions', id: 'a', value }])).toEqual([
      { version: 1 },
    ]);
    expect(await storage.get('sessions', 'a')).toEqual({
      collection: 'sessions',
      id: 'a',
      version: 1,
      value,
    });
  });

  it('answers undefined for what is not there', async () => {
    expect(await fixture.storage.get('sessions', 'nobody')).toBeUndefined();
  });

  it('counts the version up with each put and starts at 1 again after a delete', async () => {
    const { storage } = fixture;
    const put = { kind: 'put', collection: 'sessions', id: 'a', value: 1 } as const;
    await storage.commit([put]);
    expect(await storage.commit([put])).toEqual([{ version: 2 }]);
    expect(await storage.commit([{ kind: 'delete', collection: 'sessions', id: 'a' }])).toEqual([{}]);
    expect(await storage.get('sessions', 'a')).toBeUndefined();
    expect(await storage.commit([{ ...put, expectVersion: 0 }])).toEqual([{ version: 1 }]);
  });

  it('keeps equal ids of different collections apart', async () => {
    const { storage } = fixture;
    await storage.commit([
      { kind: 'put', collection: 'sessions', id: 'a', value: 'session' },
      { kind: 'put', collection: 'agents', id: 'a', value: 'agent' },
    ]);
    await storage.commit([{ kind: 'delete', collection: 'agents', id: 'a' }]);
    expect((await storage.get('sessions', 'a'))?.value).toBe('session');
    expect(await storage.get('agents', 'a')).toBeUndefined();
  });

  it('deletes what is not there without complaint', async () => {
    expect(await fixture.storage.commit([{ kind: 'delete', collection: 'sessions', id: 'a' }])).toEqual([{}]);
  });

  it('hands out values that nobody else holds', async () => {
    const { storage } = fixture;
    const value = { list: [1] };
    await storage.commit([{ kind: 'put', collection: 'sessions', id: 'a', value }]);
    value.list.push(2);
    const first = await storage.get<typeof value>('sessions', 'a');
    first?.value.list.push(3);
    expect((await storage.get('sessions', 'a'))?.value).toEqual({ list: [1] });
  });

  it('holds every kind of JSON value', async () => {
    const { storage } = fixture;
    for (const value of [null, true, false, 0, -1.5, 1e300, 5e-324, '', 'text', [], {}, [[]], [{}]]) {
      await storage.commit([{ kind: 'put', collection: 'values', id: 'a', value }]);
      expect((await storage.get('values', 'a'))?.value).toEqual(value);
    }
  });

  it('leaves out undefined properties, as JSON does', async () => {
    const { storage } = fixture;
    await storage.commit([{ kind: 'put', collection: 'values', id: 'a', value: { a: 1, b: undefined } }]);
    expect((await storage.get('values', 'a'))?.value).toStrictEqual({ a: 1 });
  });

  it('holds any text in ids and values', async () => {
    const { storage } = fixture;
    const texts = [
      'ä',
      'Ω',
      '漢字',
      '👩‍🚀',
      '\u{10ffff}',
      '\ufffd',
      ' spaces ',
      'a/b\\c',
      '%_*?',
      "'; DROP TABLE document",
    ];
    for (const id of texts) {
      await storage.commit([{ kind: 'put', collection: 'values', id, value: `${id}\u0000\n\ud800` }]);
    }
    for (const id of texts) expect((await storage.get('values', id))?.value).toBe(`${id}\u0000\n\ud800`);
    expect((await storage.stats()).documents).toEqual({ values: texts.length });
  });

  it.each(HOSTILE_NAMES)('takes %s as an id, in a value, and as an index field', async (name) => {
    const { storage } = fixture;
    const value = JSON.parse(`{${JSON.stringify(name)}: {"polluted": true}}`);
    const index = Object.fromEntries([[name, 'there']]);
    expect(await storage.get('values', name)).toBeUndefined();
    await storage.commit([
      { kind: 'put', collection: 'values', id: name, value, index },
      { kind: 'put', collection: 'values', id: 'other', value: {} },
    ]);
    const stored = await storage.get<Record<string, unknown>>('values', name);
    expect(Object.getOwnPropertyDescriptor(stored?.value, name)?.value).toEqual({ polluted: true });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    const found = await storage.list('values', { where: [{ field: name, is: 'there' }], limit: 10 });
    expect(found.items.map(({ id }) => id)).toEqual([name]);
    const ordered = await storage.list('values', {
      orderBy: { field: name, direction: 'ascending' },
      limit: 10,
    });
    expect(ordered.items.map(({ id }) => id)).toEqual([name]);
  });

  it('takes constructor as the name of a collection and of a log', async () => {
    const { storage } = fixture;
    expect((await storage.list('constructor', { limit: 1 })).items).toEqual([]);
    await storage.commit([
      { kind: 'put', collection: 'constructor', id: 'a', value: 1 },
      { kind: 'put', collection: '__proto__', id: 'a', value: 2 },
      { kind: 'append', log: '__proto__', value: 1 },
    ]);
    expect((await storage.get('__proto__', 'a'))?.value).toBe(2);
    expect(Object.entries((await storage.stats()).documents).sort()).toEqual([
      ['__proto__', 1],
      ['constructor', 1],
    ]);
    expect(await storage.read('__proto__')).toHaveLength(1);
  });

  it('keeps values as exactly the text that JSON makes of them', async () => {
    const { storage } = fixture;
    const values = [
      0.1 + 0.2,
      1e21,
      -1e-7,
      2 ** 53 + 2,
      '\u2028',
      '\\u0000',
      '"',
      { '': '' },
      { b: 1, a: 2 },
    ];
    await storage.commit(
      values.map((value, i): Operation => ({ kind: 'put', collection: 'values', id: `id-${i}`, value })),
    );
    const records = await recordsOf(storage);
    expect(records.map((record) => (record.kind === 'document' ? record.json : ''))).toEqual(
      values.map((value) => JSON.stringify(value)),
    );
  });

  it('holds a value of 10 MB', async () => {
    const { storage } = fixture;
    const value = { text: 'ä0123456'.repeat((10 * 1024 * 1024) / 9) };
    await storage.commit([
      { kind: 'put', collection: 'values', id: 'large', value },
      { kind: 'append', log: 'events', value },
    ]);
    expect((await storage.get<typeof value>('values', 'large'))?.value.text).toBe(value.text);
    expect((await storage.read<typeof value>('events'))[0]?.value.text).toBe(value.text);
  });

  it('does not serve a document from its expiry on', async () => {
    const { storage, clock } = fixture;
    const expiresAt = clock.time + 1000;
    await storage.commit([
      { kind: 'put', collection: 'sessions', id: 'a', value: 1, index: { state: 'on' }, expiresAt },
      { kind: 'put', collection: 'sessions', id: 'b', value: 2, index: { state: 'on' } },
    ]);
    clock.time = expiresAt - 1;
    expect(await storage.get('sessions', 'a')).toEqual({
      collection: 'sessions',
      id: 'a',
      version: 1,
      value: 1,
      expiresAt,
    });
    clock.time = expiresAt;
    expect(await storage.get('sessions', 'a')).toBeUndefined();
    const ids = async (query: object) =>
      (await storage.list('sessions', { limit: 10, ...query })).items.map(({ id }) => id);
    expect(await ids({})).toEqual(['b']);
    expect(await ids({ where: [{ field: 'state', is: 'on' }] })).toEqual(['b']);
    expect(await ids({ orderBy: { field: 'state', direction: 'descending' } })).toEqual(['b']);
    expect(await ids({ where: [{ field: 'state', contains: 'O' }] })).toEqual(['b']);
    expect((await storage.stats()).documents).toEqual({ sessions: 1 });
  });

  it('takes an expired document for none: version 1 again, and a delete of it expects 0', async () => {
    const { storage, clock } = fixture;
    const put = { kind: 'put', collection: 'sessions', id: 'a', value: 1, index: { n: 1 } } as const;
    await storage.commit([put]);
    await storage.commit([{ ...put, expiresAt: clock.time + 10 }]);
    clock.time += 10;
    const conflict = await rejection(storage.commit([{ ...put, expectVersion: 2 }]));
    expect(conflict.data).toMatchObject({ expected: 2, current: 0 });
    await storage.commit([{ kind: 'delete', collection: 'sessions', id: 'a', expectVersion: 0 }]);
    expect(await storage.commit([{ ...put, index: { n: 2 }, expectVersion: 0 }])).toEqual([{ version: 1 }]);
    const found = await storage.list('sessions', { where: [{ field: 'n', from: 0 }], limit: 10 });
    expect(found.items.map(({ version }) => version)).toEqual([1]);
  });

  it('takes a put that has expired already for none', async () => {
    const { storage, clock } = fixture;
    const put = { kind: 'put', collection: 'sessions', id: 'a', value: 1, expiresAt: clock.time } as const;
    expect(await storage.commit([put, { ...put, expectVersion: 0 }])).toEqual([
      { version: 1 },
      { version: 1 },
    ]);
    expect(await storage.get('sessions', 'a')).toBeUndefined();
  });

  it('lets documents expire one after another, in every call that shows or counts them', async () => {
    const { storage, clock } = fixture;
    const start = clock.time;
    await storage.commit(
      Array.from(
        { length: 40 },
        (_, i): Operation => ({
          kind: 'put',
          collection: i % 2 === 0 ? 'sessions' : 'agents',
          id: `id-${String(i).padStart(2, '0')}`,
          value: i,
          index: { i },
          ...(i % 4 < 2 ? { expiresAt: start + 10 * i + 1 } : {}),
        }),
      ),
    );
    const generation = (await storage.generations.list())[0]?.id ?? '';
    for (const passed of [0, 1, 11, 161, 162, 10_000]) {
      clock.time = start + passed;
      const living = Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 4 >= 2 || 10 * i + 1 > passed);
      const even = living.filter((i) => i % 2 === 0);
      const counts = { sessions: even.length, agents: living.length - even.length };
      expect((await storage.stats()).documents).toEqual(counts);
      for (const records of [await recordsOf(storage), await recordsOf(storage, generation)]) {
        expect(records).toHaveLength(living.length);
      }
      const ordered = { orderBy: { field: 'i', direction: 'ascending' }, limit: 100 } as const;
      expect((await storage.list('sessions', ordered)).items.map(({ value }) => value)).toEqual(even);
      const first = await storage.list('sessions', { ...ordered, limit: even.length });
      expect([first.items.length, first.nextCursor]).toEqual([even.length, undefined]);
      // The first of all is there at the beginning only.
      const expected = passed === 0 ? 1 : 0;
      const wrong = {
        kind: 'delete',
        collection: 'sessions',
        id: 'id-00',
        expectVersion: 1 - expected,
      } as const;
      expect((await rejection(storage.commit([wrong]))).data).toMatchObject({ current: expected });
    }
  });

  it('streams a document that expires while the snapshot is read, as it was there when that began', async () => {
    const { storage, clock } = fixture;
    const expiresAt = clock.time + 10;
    await storage.commit(
      Array.from(
        { length: 1_500 },
        (_, i): Operation => ({ kind: 'put', collection: 'sessions', id: `id-${i}`, value: i, expiresAt }),
      ),
    );
    let seen = 0;
    for await (const batch of storage.snapshot()) {
      seen += batch.length;
      clock.time = expiresAt;
    }
    expect(seen).toBe(1_500);
    expect(await recordsOf(storage)).toEqual([]);
    expect((await storage.stats()).documents).toEqual({});
  });

  it('forgets the expiry when the next put has none', async () => {
    const { storage, clock } = fixture;
    const put = { kind: 'put', collection: 'sessions', id: 'a', value: 1 } as const;
    await storage.commit([{ ...put, expiresAt: clock.time + 10 }]);
    await storage.commit([put]);
    clock.time += 1_000_000;
    expect(await storage.get('sessions', 'a')).toEqual({
      collection: 'sessions',
      id: 'a',
      version: 2,
      value: 1,
    });
  });

  it('counts documents by collection, and its size grows', async () => {
    const { storage } = fixture;
    const before = await storage.stats();
    expect(before.documents).toEqual({});
    await storage.commit([
      { kind: 'put', collection: 'sessions', id: 'a', value: 'x'.repeat(100_000) },
      { kind: 'put', collection: 'sessions', id: 'b', value: 1 },
      { kind: 'put', collection: 'agents', id: 'a', value: 1 },
      { kind: 'delete', collection: 'sessions', id: 'b' },
    ]);
    const after = await storage.stats();
    expect(after.documents).toEqual({ sessions: 1, agents: 1 });
    expect(after.sizeBytes - before.sizeBytes).toBeGreaterThanOrEqual(100_000);
  });
}
