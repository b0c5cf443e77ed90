import { expect, it } from 'vitest';
import type { Operation, SnapshotRecord } from '../storage.ts';
import { type ContractFixture, recordsOf, rejection, replaceBy } from './fixture.ts';

const MEGABYTE = 1024 * 1024;

/** Much at once, and much in one. */
export function amountCases(fixture: ContractFixture): void {
  const put = (id: string, value: unknown, more: object = {}): Operation => ({
    kind: 'put',
    collection: 'values',
    id,
    value,
    ...more,
  });
  const append = (value: unknown): Operation => ({ kind: 'append', log: 'events', value });
  const numbered = <T>(count: number, make: (i: number) => T) =>
    Array.from({ length: count }, (_, i) => make(i));

  it('puts and gets thousands at once', async () => {
    const { storage } = fixture;
    const count = 3_000;
    await storage.commit(numbered(count, (i) => put(`id-${i}`, { i })));
    const documents = await Promise.all(numbered(count, (i) => storage.get('values', `id-${i}`)));
    expect(documents.map((document) => document?.value)).toEqual(numbered(count, (i) => ({ i })));
    const nobody = await Promise.all(numbered(1_000, (i) => storage.get('values', `nobody-${i}`)));
    expect(new Set(nobody)).toEqual(new Set([undefined]));
  });

  it('takes thousands of commits at once, of puts, changes and deletes', async () => {
    const { storage } = fixture;
    const all = <T>(make: (i: number) => Promise<T>) => Promise.all(numbered(1_000, make));
    expect(await all((i) => storage.commit([put(`id-${i}`, i)]))).toEqual(
      numbered(1_000, () => [{ version: 1 }]),
    );
    const mixed = await all((i) =>
      i % 2 === 0
        ? storage.commit([put(`id-${i}`, -i, { expectVersion: 1 }), append(i)])
        : storage.commit([{ kind: 'delete', collection: 'values', id: `id-${i}`, expectVersion: 1 }]),
    );
    expect(mixed).toHaveLength(1_000);
    expect((await storage.stats()).documents).toEqual({ values: 500 });
    expect((await storage.get('values', 'id-500'))?.value).toBe(-500);
    expect(await storage.get('values', 'id-501')).toBeUndefined();
    expect(await storage.read('events')).toHaveLength(500);
  });

  it('reads, lists, writes and counts at once, and each is answered for itself', async () => {
    const { storage } = fixture;
    await storage.commit(numbered(200, (i) => put(`id-${i}`, i, { index: { i } })));
    const answers = await Promise.all(
      numbered(400, async (i) => {
        const n = i % 200;
        switch (i % 4) {
          case 0:
            return (await storage.get('values', `id-${n}`))?.value === n;
          case 1: {
            const { items } = await storage.list('values', { where: [{ field: 'i', is: n }], limit: 5 });
            return items.length === 1 && items[0]?.value === n;
          }
          case 2:
            return (await storage.commit([put(`new-${i}`, i)]))[0]?.version === 1;
          default:
            return ((await storage.stats()).documents.values ?? 0) >= 200;
        }
      }),
    );
    expect(new Set(answers)).toEqual(new Set([true]));
  });

  it('writes nothing of 10,000 operations whose last one conflicts', async () => {
    const { storage } = fixture;
    await storage.commit([put('there', 1), append(0)]);
    const before = await recordsOf(storage);
    const operations = [
      ...numbered(9_999, (i) => (i % 2 === 0 ? put(`id-${i}`, i) : append(i))),
      put('there', 2, { expectVersion: 5 }),
    ];
    expect((await rejection(storage.commit(operations))).code).toBe('storage.version_conflict');
    expect(await recordsOf(storage)).toEqual(before);
    expect(await storage.commit([append(1)])).toEqual([{ sequence: 2 }]);
  });

  it('puts, changes and deletes 10,000 documents with index fields, a commit each', async () => {
    const { storage } = fixture;
    const ids = numbered(10_000, (i) => `id-${String(i).padStart(5, '0')}`);
    const oldest = { orderBy: { field: 'i', direction: 'ascending' }, limit: 2 } as const;
    await storage.commit(ids.map((id, i) => put(id, i, { index: { i, title: `Title ${i}` } })));
    expect((await storage.list('values', oldest)).items.map(({ value }) => value)).toEqual([0, 1]);
    await storage.commit(ids.map((id, i) => put(id, i, { index: { i: -i } })));
    expect((await storage.list('values', oldest)).items.map(({ value }) => value)).toEqual([9_999, 9_998]);
    const titled = await storage.list('values', { where: [{ field: 'title', contains: '1' }], limit: 1 });
    expect(titled.items).toEqual([]);
    await storage.commit(ids.map((id) => ({ kind: 'delete', collection: 'values', id })));
    expect((await storage.list('values', oldest)).items).toEqual([]);
    expect((await storage.stats()).documents).toEqual({});
  });

  it('lists, streams and restores values of 10 MB', async () => {
    const { storage } = fixture;
    // Not all of one kind: what compresses well would prove little.
    const text = numbered((10 * MEGABYTE) / 16, (i) =>
      `ä${(i * 2_654_435_761) % 1e15}`.padEnd(14, '.').slice(0, 14),
    ).join('');
    await storage.commit([put('one', { text }), put('two', { text: `${text}!` }), append({ text })]);
    const { items } = await storage.list<{ text: string }>('values', { limit: 10 });
    expect(items.map(({ value }) => value.text.length)).toEqual([text.length, text.length + 1]);
    expect(items[0]?.value.text === text).toBe(true);
    const records = await recordsOf(storage);
    await replaceBy(storage, 'round trip', records);
    const restored: SnapshotRecord[] = await recordsOf(storage);
    expect(restored.map((record) => JSON.stringify(record).length)).toEqual(
      records.map((record) => JSON.stringify(record).length),
    );
    expect((await storage.read<{ text: string }>('events'))[0]?.value.text === text).toBe(true);
  });

  it('holds a hundred collections and a thousand logs', async () => {
    const { storage } = fixture;
    const letters = 'abcdefghij';
    const collections = numbered(100, (i) => `c_${letters[Math.floor(i / 10)]}${letters[i % 10]}`);
    await storage.commit([
      ...collections.map(
        (collection): Operation => ({ kind: 'put', collection, id: 'a', value: collection }),
      ),
      ...numbered(1_000, (i): Operation => ({ kind: 'append', log: `messages/${i}`, value: i })),
    ]);
    expect((await storage.stats()).documents).toEqual(
      Object.fromEntries(collections.map((name) => [name, 1])),
    );
    expect((await storage.get('c_jj', 'a'))?.value).toBe('c_jj');
    expect((await storage.read('messages/999')).map(({ value }) => value)).toEqual([999]);
    expect(await recordsOf(storage)).toHaveLength(100 + 2 * 1_000);
  });
}
