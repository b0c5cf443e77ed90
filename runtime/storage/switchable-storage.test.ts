import { describe, expect, it } from 'vitest';
import { MemoryStorage } from './memory/memory-storage.ts';
import { describeStorageContract } from './storage.contract.ts';
import type { Operation, Storage } from './storage.ts';
import { SwitchableStorage } from './switchable-storage.ts';

describeStorageContract('switchable', async (options) => {
  const storage = new SwitchableStorage(new MemoryStorage(options));
  return {
    storage,
    async reopen() {
      await storage.close();
      await storage.open();
      return storage;
    },
    dispose: async () => undefined,
  };
});

const append = (value: unknown): Operation[] => [{ kind: 'append', log: 'audit', value }];

async function open(): Promise<{ first: Storage; second: Storage; storage: SwitchableStorage }> {
  const first = new MemoryStorage();
  const second = new MemoryStorage();
  const storage = new SwitchableStorage(first);
  await storage.open();
  await second.open();
  return { first, second, storage };
}

describe('while the commits are held', () => {
  it('those under way are awaited, reads go on, and those that come go to the storage in force at the release', async () => {
    const { first, second, storage } = await open();
    const before = storage.commit(append('before'));
    await storage.hold();
    expect(await before).toEqual([{ sequence: 1 }]);
    let done = false;
    const later = storage.commit(append('later')).finally(() => {
      done = true;
    });
    expect(await storage.read('audit')).toHaveLength(1);
    expect(done).toBe(false);
    expect(storage.replace(second)).toBe(first);
    storage.release();
    await later;
    expect((await first.read('audit')).map(({ value }) => value)).toEqual(['before']);
    expect((await second.read('audit')).map(({ value }) => value)).toEqual(['later']);
    await storage.close();
    await expect(second.read('audit')).rejects.toMatchObject({ code: 'storage.closed' });
    await first.close();
  });

  it('they keep their order', async () => {
    const { storage } = await open();
    await storage.hold();
    const all = [1, 2, 3].map((value) => storage.commit(append(value)));
    storage.release();
    all.push(storage.commit(append(4)));
    expect((await Promise.all(all)).map(([result]) => result?.sequence)).toEqual([1, 2, 3, 4]);
    await storage.close();
  });

  it('they wait as they came, whatever their callers make of them meanwhile', async () => {
    const { storage } = await open();
    await storage.hold();
    const value = { text: 'as it was' };
    const operations: Operation[] = [
      { kind: 'put', collection: 'notes', id: 'a', value, index: { title: 'x' }, expiresAt: 2 ** 52 },
      { kind: 'append', log: 'audit', value },
    ];
    const id = { writer: 'caller', number: 1 };
    const waiting = storage.commit(operations, id);
    value.text = 'changed since';
    operations.length = 0;
    id.number = 2;
    storage.release();
    const answer = [{ version: 1 }, { sequence: 1 }];
    const again: Operation[] = [{ kind: 'put', collection: 'notes', id: 'a', value: 0 }, ...append(0)];
    expect(await waiting).toEqual(answer);
    expect(await storage.commit(again, { writer: 'caller', number: 1 })).toEqual(answer);
    expect((await storage.read('audit')).map((entry) => entry.value)).toEqual([{ text: 'as it was' }]);
    const found = await storage.list('notes', { limit: 1, where: [{ field: 'title', is: 'x' }] });
    expect(found.items).toMatchObject([{ value: { text: 'as it was' }, expiresAt: 2 ** 52 }]);
    await storage.close();
  });

  it('what cannot be carried out is refused at once', async () => {
    const { storage } = await open();
    await storage.hold();
    await expect(storage.commit(append(undefined))).rejects.toMatchObject({ code: 'storage.invalid' });
    const nameless = storage.commit(append(1), { writer: '', number: 1 });
    await expect(nameless).rejects.toMatchObject({ code: 'storage.invalid' });
    storage.release();
    expect(await storage.commit(append(1))).toEqual([{ sequence: 1 }]);
    await storage.close();
  });

  it('a close refuses them, and leaves nobody waiting', async () => {
    const { storage } = await open();
    await storage.hold();
    const waiting = storage.commit(append('waits'));
    await Promise.all([storage.close(), expect(waiting).rejects.toMatchObject({ code: 'storage.closed' })]);
  });

  it('a second hold is a mistake', async () => {
    const { storage } = await open();
    await storage.hold();
    await expect(storage.hold()).rejects.toThrow('held already');
    await storage.close();
  });
});
