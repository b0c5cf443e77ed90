import { expect, it } from 'vitest';
import type { ListQuery, Operation, ReadQuery } from '../storage.ts';
import { type ContractFixture, rejection } from './fixture.ts';

const BAD_NAMES = ['', 'Upper', 'with space', 'digit1', 'dash-ed', 'dot.ted', 'a'.repeat(65)];
const BAD_IDS = ['', 'x'.repeat(257), 'tab\t', 'null\0', 'delete\x7f', 'c1\x85', 'half \ud83d'];

export function inputCases(fixture: ContractFixture): void {
  const refused = async (call: Promise<unknown>) => {
    const error = await rejection(call);
    expect(error.code).toBe('storage.invalid');
    expect(error.message.length).toBeGreaterThan(10);
  };
  const refusedOperation = (operation: unknown) => refused(fixture.storage.commit([operation as Operation]));
  const put = { kind: 'put', collection: 'values', id: 'a', value: 1 } as const;

  it('refuses collections, ids and logs that are not well named', async () => {
    const { storage } = fixture;
    for (const name of BAD_NAMES) {
      await refusedOperation({ ...put, collection: name });
      await refused(storage.get(name, 'a'));
      await refused(storage.list(name, { limit: 1 }));
      await refused(storage.read(name));
      await refusedOperation({ kind: 'append', log: `${name}/key`, value: 1 });
      await refusedOperation({ kind: 'delete', collection: name, id: 'a' });
    }
    for (const id of BAD_IDS) {
      await refusedOperation({ ...put, id });
      await refused(storage.get('values', id));
      await refusedOperation({ kind: 'append', log: `values/${id}`, value: 1 });
      await refusedOperation({ kind: 'trim', log: `values/${id}`, through: 1 });
    }
    await refusedOperation({ ...put, id: 5 });
    await refusedOperation({ ...put, collection: undefined });
    await refusedOperation({ kind: 'append', log: undefined, value: 1 });
    expect(await storage.stats()).toMatchObject({ documents: {} });
  });

  it('takes ids of 256 characters and logs with a slash in their key', async () => {
    const { storage } = fixture;
    await storage.commit([
      { ...put, id: 'x'.repeat(256) },
      { kind: 'append', log: 'messages/a/b', value: 1 },
    ]);
    expect(await storage.read('messages/a/b')).toHaveLength(1);
  });

  it('refuses values that JSON cannot hold', async () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    for (const value of [undefined, () => 1, Symbol('s'), 1n, { deep: 1n }, cycle]) {
      await refusedOperation({ ...put, value });
      await refusedOperation({ kind: 'append', log: 'events', value });
    }
    expect(await fixture.storage.read('events')).toEqual([]);
  });

  it('refuses index fields that cannot be compared, and bad names of them', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, null, true, {}, undefined]) {
      await refusedOperation({ ...put, index: { field: value } });
    }
    for (const name of ['', 'with space', '1digit', 'quote"', 'x'.repeat(65)]) {
      await refusedOperation({ ...put, index: { [name]: 1 } });
    }
  });

  it('refuses versions, expiries and sequences that are not whole numbers', async () => {
    for (const number of [-1, 1.5, Number.NaN, '1', null]) {
      await refusedOperation({ ...put, expectVersion: number });
      await refusedOperation({ kind: 'trim', log: 'events', through: number });
    }
    await refusedOperation({ ...put, expiresAt: 1.5 });
    await refusedOperation({ ...put, expiresAt: 'tomorrow' });
    await refusedOperation({ kind: 'stranger' });
    await refused(fixture.storage.commit('nothing' as unknown as Operation[]));
  });

  it('refuses limits out of range', async () => {
    const { storage } = fixture;
    for (const limit of [0, -1, 1.5, 1_001, Number.NaN]) await refused(storage.list('values', { limit }));
    for (const limit of [0, -1, 1.5, 10_001]) await refused(storage.read('events', { limit }));
    await refused(storage.read('events', { after: 0.5 }));
    await refused(storage.read('events', { before: Number.NaN }));
    await refused(storage.list('values', {} as ListQuery));
    expect(await storage.read('events', { limit: 10_000 } satisfies ReadQuery)).toEqual([]);
  });

  it('refuses filters and orders that it does not know', async () => {
    const { storage } = fixture;
    const filters = [
      { field: 'n' },
      { field: 'n', is: null },
      { field: 'n', in: 1 },
      { field: 'n', in: [{}] },
      { field: 'n', in: Array.from({ length: 1_001 }, (_, i) => i) },
      { field: 'n', contains: 1 },
      { field: 'no field', is: 1 },
      { field: 'n', from: undefined },
      {},
    ];
    for (const filter of filters) {
      await refused(storage.list('values', { where: [filter], limit: 1 } as unknown as ListQuery));
    }
    for (const orderBy of [
      { field: 'n', direction: 'up' },
      { field: 'no field', direction: 'ascending' },
    ]) {
      await refused(storage.list('values', { orderBy, limit: 1 } as unknown as ListQuery));
    }
  });

  it('passes over what it does not know of in a query, and refuses what it cannot pass on', async () => {
    const { storage } = fixture;
    const strange = { limit: 1, stranger: () => 1 } as ListQuery;
    expect(await storage.list('values', strange)).toEqual({ items: [] });
    await refused(storage.list('values', { limit: 1, cursor: 5 } as unknown as ListQuery));
    await refused(storage.generations.activate((() => 1) as unknown as string));
  });

  it('writes nothing of a commit with one bad operation', async () => {
    const { storage } = fixture;
    await refused(storage.commit([put, { ...put, id: '' }]));
    expect(await storage.get('values', 'a')).toBeUndefined();
  });
}
