import { expect, it, onTestFinished } from 'vitest';
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
  ['info', (storage) => storage.info()],
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

  it('refuses every call before it was opened, while it closes, and when it is closed', async () => {
    const fresh = await fixture.create({ now: fixture.clock.now });
    onTestFinished(() => fresh.dispose());
    const { storage } = fresh;
    const outcomes = () =>
      Promise.all(METHODS.map(async ([name, call]) => [name, (await rejection(call(storage))).code]));
    const refused = METHODS.map(([name]) => [name, 'storage.closed']);
    expect(await outcomes()).toEqual(refused);
    await storage.open();
    const closing = storage.close();
    expect(await outcomes()).toEqual(refused);
    await closing;
    expect(await outcomes()).toEqual(refused);
  });

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

  it('says what holds the data, and where', async () => {
    const { storage } = fixture;
    const { product, location, latencyMs, notices } = await storage.info();
    expect(product).toMatch(storage.supports.remote ? /^[A-Z].* \d+\.\d+/ : /^[A-Z]/);
    expect(location.length).toBeGreaterThan(3);
    expect(latencyMs).toBeGreaterThanOrEqual(0);
    expect(latencyMs).toBeLessThan(60_000);
    for (const { code, message } of notices) {
      expect(code).toMatch(/^[a-z_]+\.[a-z_]+$/);
      expect(message).toMatch(/^[A-Z].+\.$/);
    }
    await storage.commit([PUT]);
    expect((await storage.info()).product).toBe(product);
  });

  it('closes under load: all that it has acknowledged is there, and nothing that it has refused', async () => {
    const { storage } = fixture;
    const acknowledged: string[] = [];
    const refused: string[] = [];
    let commits = 0;
    const enough = Promise.withResolvers<void>();
    const write = async (writer: number) => {
      for (let i = 0; ; i++) {
        const id = `${writer}-${i}`;
        try {
          await storage.commit([
            { kind: 'put', collection: 'values', id, value: i },
            { kind: 'append', log: `events/${writer}`, value: i },
          ]);
        } catch (error) {
          expect(error).toMatchObject({ code: 'storage.closed' });
          refused.push(id);
          return;
        }
        acknowledged.push(id);
        commits += 1;
        if (commits === 60) enough.resolve();
      }
    };
    const look = async () => {
      for (;;) {
        const looks = [
          storage.list('values', { limit: 100 }),
          storage.stats(),
          recordsOf(storage),
          storage.read('events/0'),
        ];
        const settled = await Promise.allSettled(looks);
        const errors = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
        for (const error of errors) expect(error).toMatchObject({ code: 'storage.closed' });
        if (errors.length > 0) return;
        // What is answered from memory must not keep the writers from their turn.
        await new Promise(setImmediate);
      }
    };
    const load = Promise.all([...Array.from({ length: 8 }, (_, i) => write(i)), look(), look()]);
    await Promise.race([enough.promise, load]);
    await storage.close();
    await load;
    const reopened = await fixture.reopen();
    const kept = (await recordsOf(reopened)).flatMap((one) => (one.kind === 'document' ? [one.id] : []));
    expect(kept.toSorted()).toEqual(acknowledged.toSorted());
    expect(refused).toHaveLength(8);
    for (let writer = 0; writer < 8; writer++) {
      const own = acknowledged.filter((id) => id.startsWith(`${writer}-`));
      expect(await reopened.read(`events/${writer}`, { limit: 10_000 })).toHaveLength(own.length);
    }
  });

  it('may be opened while it closes, and closed while it opens', async () => {
    const { storage } = fixture;
    for (let i = 0; i < 2; i++) {
      const closing = storage.close();
      const opening = storage.open();
      await Promise.all([closing, opening]);
      const again = storage.open();
      await Promise.all([storage.close(), again]);
      await storage.open();
      expect(await storage.commit([{ kind: 'append', log: 'events', value: i }])).toEqual([
        { sequence: i + 1 },
      ]);
    }
  });
}
