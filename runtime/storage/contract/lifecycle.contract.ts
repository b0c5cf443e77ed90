import { expect, it } from 'vitest';
import type { Operation, Storage, StorageOperationName } from '../storage.ts';
import { type ContractFixture, recordsOf, rejection } from './fixture.ts';

const PUT: Operation = { kind: 'put', collection: 'values', id: 'a', value: 1 };

/** Each method of the port, as a call. */
const METHODS: [string, (storage: Storage) => Promise<unknown>][] = [
  ['commit', (storage) => storage.commit([PUT])],
  ['get', (storage) => storage.get('values', 'a')],
  ['list', (storage) => storage.list('values', { limit: 1 })],
  ['read', (storage) => storage.read('events')],
  ['stats', (storage) => storage.stats()],
  ['snapshot', (storage) => recordsOf(storage)],
  ['generations.list', (storage) => storage.generations.list()],
  ['generations.create', (storage) => storage.generations.create('test')],
  ['generations.activate', (storage) => storage.generations.activate('x')],
  ['generations.drop', (storage) => storage.generations.drop('x')],
];

export function lifecycleCases(fixture: ContractFixture): void {
  it('opens and closes as often as it is asked to', async () => {
    const { storage } = fixture;
    await Promise.all([storage.open(), storage.open()]);
    await storage.open();
    await Promise.all([storage.close(), storage.close()]);
    await storage.close();
    await storage.open();
    expect(await storage.get('values', 'a')).toBeUndefined();
  });

  it.each(METHODS)(
    'refuses %s when it is closed, before it was opened, and while it closes',
    async (_name, call) => {
      const fresh = await fixture.create({ now: fixture.clock.now });
      expect((await rejection(call(fresh.storage))).code).toBe('storage.closed');
      await fresh.storage.open();
      const closing = fresh.storage.close();
      expect((await rejection(call(fresh.storage))).code).toBe('storage.closed');
      await closing;
      expect((await rejection(call(fresh.storage))).code).toBe('storage.closed');
      await fresh.dispose();
    },
  );

  it('refuses the writer of a generation when it is closed', async () => {
    const { storage } = fixture;
    const writer = await storage.generations.create('test');
    await storage.close();
    for (const call of [writer.write([]), writer.seal(), writer.discard()]) {
      expect((await rejection(call)).code).toBe('storage.closed');
    }
  });

  it('carries out what was under way before it closes', async () => {
    const { storage } = fixture;
    const commits = Array.from({ length: 50 }, (_, i) =>
      storage.commit([{ ...PUT, id: `id-${i}` } as Operation]),
    );
    const read = storage.list('values', { limit: 1 });
    const closed = storage.close();
    expect(await Promise.all(commits)).toHaveLength(50);
    await read;
    await closed;
  });

  it('closes although a snapshot is being read, which then ends with storage.closed', async () => {
    const { storage } = fixture;
    await storage.commit(
      Array.from({ length: 2_000 }, (_, i) => ({ kind: 'append', log: 'events', value: i })),
    );
    const reading = (async () => {
      for await (const batch of storage.snapshot()) {
        expect(batch.length).toBeGreaterThan(0);
        await storage.close();
      }
    })();
    expect((await rejection(reading)).code).toBe('storage.closed');
  });

  it('tells how long each operation took, and how it went', async () => {
    const told: [StorageOperationName, string][] = [];
    const { storage, dispose } = await fixture.create({
      onOperation: (operation, result, seconds) => {
        expect(seconds).toBeGreaterThanOrEqual(0);
        expect(seconds).toBeLessThan(60);
        told.push([operation, result]);
      },
    });
    await storage.open();
    await storage.commit([PUT]);
    await rejection(storage.commit([{ ...PUT, expectVersion: 5 } as Operation]));
    await storage.get('values', 'a');
    await storage.list('values', { limit: 1 });
    await storage.read('events');
    await storage.stats();
    await recordsOf(storage);
    await rejection(storage.get('Bad', 'a'));
    await storage.close();
    await dispose();
    expect(told).toEqual([
      ['commit', 'ok'],
      ['commit', 'error'],
      ['get', 'ok'],
      ['list', 'ok'],
      ['read', 'ok'],
      ['stats', 'ok'],
      ['snapshot', 'ok'],
      ['get', 'error'],
    ]);
  });

  it('survives the end of its process', async ({ skip }) => {
    const { storage } = fixture;
    skip(!storage.supports.durable, `${storage.type} says that it is not durable (supports.durable)`);
    await storage.commit([PUT]);
    const reopened = await fixture.reopen();
    expect(reopened).not.toBe(storage);
    expect((await reopened.get('values', 'a'))?.value).toBe(1);
  });

  it('shows two that are open at once what each other wrote', async ({ skip }) => {
    const { storage } = fixture;
    skip(
      !storage.supports.sharedByProcesses,
      `${storage.type} says that it has one owner (supports.sharedByProcesses)`,
    );
    const other = fixture.another();
    await other.open();
    await other.commit([PUT]);
    expect((await storage.get('values', 'a'))?.value).toBe(1);
    await other.close();
  });
}
