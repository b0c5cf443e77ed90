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
