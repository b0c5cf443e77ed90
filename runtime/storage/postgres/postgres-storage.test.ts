import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import type { PostgresSettings } from '../../settings/settings.ts';
import { checkOperations } from '../checked-input.ts';
import { storageUnderTest } from '../contract/fixture.ts';
import { describeStorageContract } from '../storage.contract.ts';
import type { Filter, StorageFault } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type PostgresServer, startPostgres } from '../testing/servers/postgres-server.ts';
import { PostgresStorage } from './postgres-storage.ts';
import { makeSchema, settingsFor } from './testing/schema.ts';

describeWithServers(['postgres'], 'PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  describeStorageContract('postgres', async (options) => {
    const { schema, drop } = await makeSchema(server.url);
    const make = () => new PostgresStorage({ ...options, postgres: settingsFor(server.url), schema });
    return storageUnderTest(make, drop);
  });

  async function start(
    onFault: (fault: StorageFault) => void = () => undefined,
    settings: Partial<PostgresSettings> = {},
  ) {
    const { schema, drop } = await makeSchema(server.url);
    const storage = new PostgresStorage({ postgres: settingsFor(server.url, settings), schema, onFault });
    onTestFinished(async () => {
      await storage.close();
      await drop();
    });
    await storage.open();
    return storage;
  }

  it('orders, pages and filters by values that differ only behind what its index holds of them', async () => {
    const storage = await start();
    const long = 'x'.repeat(3_000);
    // By id in the opposite order, so that what the index holds of them does not put them right by chance.
    const values = ['w', 'x', `${long}a`, `${long}b`, `${long}c`, `${long}d`, 'y'];
    const index = new Map(values.map((value, i) => [`id-${9 - i}`, value]));
    await storage.commit(
      [...index].map(([id, value]) => ({ kind: 'put', collection: 'sessions', id, value, index: { value } })),
    );
    for (const direction of ['ascending', 'descending'] as const) {
      const expected = direction === 'ascending' ? values : values.toReversed();
      for (const limit of [1, 2, 3, 10]) {
        const found: unknown[] = [];
        let cursor: string | undefined;
        do {
          const orderBy = { field: 'value', direction };
          const page = await storage.list('sessions', {
            orderBy,
            limit,
            ...(cursor === undefined ? {} : { cursor }),
          });
          found.push(...page.items.map(({ value }) => value));
          cursor = page.nextCursor;
        } while (cursor !== undefined);
        expect(found.map(String)).toEqual(expected);
      }
    }
    const having = async (filter: object) =>
      (await storage.list('sessions', { where: [{ field: 'value', ...filter } as Filter], limit: 10 })).items
        .map(({ value }) => value)
        .sort();
    expect(await having({ is: `${long}b` })).toEqual([`${long}b`]);
    expect(await having({ isNot: `${long}b` })).toEqual(values.filter((value) => value !== `${long}b`));
    expect(await having({ in: [`${long}c`, 'w'] })).toEqual(['w', `${long}c`]);
    expect(await having({ from: `${long}b`, below: `${long}d` })).toEqual([`${long}b`, `${long}c`]);
    expect(await having({ contains: 'XD' })).toEqual([`${long}d`]);
  });

  it('finds a document by each field that a put has changed, whatever its texts look like', async () => {
    const faults: unknown[] = [];
    const storage = await start((fault) => faults.push(fault));
    const text = ',"count":1,"state":"idle",';
    const versions = [
      { count: 12, state: 'busy', title: text },
      { count: 1, state: 'busy', title: text },
      { count: 1, state: 'idle', title: text },
      { count: 1, state: text, title: `${text}\0"` },
      { count: 1.5, state: 'idle', title: '' },
    ];
    for (const index of versions) {
      await storage.commit([{ kind: 'put', collection: 'sessions', id: 'a', value: index, index }]);
      for (const other of versions) {
        for (const field of ['count', 'state', 'title'] as const) {
          const where = [{ field, is: other[field] }];
          const { items } = await storage.list('sessions', { where, limit: 2 });
          expect(items.map(({ value }) => value)).toEqual(index[field] === other[field] ? [index] : []);
        }
      }
    }
    expect(faults).toEqual([]);
  });

  it('tells when and in which generation a commit was carried out, also when it is sent again', async () => {
    const storage = await start();
    const [first] = await storage.generations.list();
    const id = { writer: 'one', number: 1 };
    const operations = checkOperations([{ kind: 'append', log: 'events', value: 1 }]);
    const stamped = await storage.commitChecked(operations, id);
    const [entry] = await storage.read('events');
    expect(stamped).toEqual({
      results: [{ sequence: 1 }],
      at: entry?.at,
      generation: first?.id,
      again: false,
    });
    const writer = await storage.generations.create('next');
    await writer.seal();
    await storage.generations.activate(writer.id);
    expect(await storage.commitChecked(operations, id)).toEqual({ ...stamped, again: true });
    expect(await storage.commitChecked(operations)).toMatchObject({
      results: [{ sequence: 2 }],
      generation: writer.id,
    });
  });

  it('activates and drops generations at a time', async () => {
    const { generations } = await start();
    for (let round = 0; round < 20; round++) {
      const active = (await generations.list()).find((one) => one.active)?.id as string;
      const writer = await generations.create('next');
      await writer.seal();
      const [activated, ...dropped] = await Promise.allSettled([
        generations.activate(writer.id),
        generations.drop(active),
        generations.drop(active),
      ]);
      expect(activated.status).toBe('fulfilled');
      // Each came before the activation, or behind it and perhaps behind the other one.
      for (const one of dropped) {
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'storage.invalid' });
      }
    }
  });

  it('waits with no connection for another, however many snapshots are read', async () => {
    const storage = await start();
    await storage.commit(
      Array.from({ length: 1_500 }, (_, i) => ({ kind: 'append', log: 'events', value: i }) as const),
    );
    const snapshots = Array.from({ length: 12 }, () => storage.snapshot());
    for (const snapshot of snapshots) expect((await snapshot.next()).value).toHaveLength(500);
    expect(await storage.commit([{ kind: 'append', log: 'events', value: 'more' }])).toEqual([
      { sequence: 1_501 },
    ]);
    for (const snapshot of snapshots) await snapshot.return();
  });

  it('keeps the order of commits that were called together, also when one was carried out before', async () => {
    const storage = await start();
    const commit = (number: number) =>
      storage.commit([{ kind: 'append', log: 'events', value: number }], { writer: 'w', number });
    // The last of the first half, which makes a group of its own.
    await commit(20);
    const numbers = Array.from({ length: 40 }, (_, i) => i + 1);
    await Promise.all(numbers.map(commit));
    expect((await storage.read('events')).map(({ value }) => value)).toEqual([
      20,
      ...numbers.filter((number) => number !== 20),
    ]);
  });

  it('gives the connection that it keeps for commits to whoever finds no other', async () => {
    const storage = await start(undefined, { poolMax: 1 });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    for (const sequence of [1, 2]) {
      expect(await storage.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([{ sequence }]);
      expect(await storage.read('events')).toHaveLength(sequence);
    }
  });

  it('lends its connection to those who read while others commit without a pause', async () => {
    const storage = await start(undefined, { poolMax: 1 });
    const clients = 400;
    const value = 'x'.repeat(3_000);
    let committed = 0;
    let reading = true;
    const commits = Array.from({ length: clients }, async (_, i) => {
      while (reading) {
        await storage.commit([{ kind: 'append', log: `messages/${i}`, value }]);
        committed += 1;
        if (committed > 20 * clients) return;
      }
    });
    while (committed < clients) await nextTurn();
    const before = committed;
    await storage.get('sessions', 'a');
    const overtaken = committed - before;
    reading = false;
    await Promise.all(commits);
    // Two groups may have been under way, and a third been made.
    expect(overtaken).toBeLessThanOrEqual(3 * clients);
  });
});
