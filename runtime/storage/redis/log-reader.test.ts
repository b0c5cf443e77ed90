import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordsOf, replaceBy } from '../contract/fixture.ts';
import type { SnapshotRecord, StorageFault } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type RedisServer, startRedis } from '../testing/servers/redis-server.ts';
import { RedisStorage } from './redis-storage.ts';

const LOG = 'messages/gaps';
/** With numbers left out: after damage, and by an activation. */
const NUMBERS = [
  ...[1, 2, 3, 5, 6, 9],
  ...Array.from({ length: 1_200 }, (_, i) => 100 + i),
  ...[2_000_000, 2_000_001, 2_000_007],
];
const LAST = 3_000_000;

describeWithServers(['redis'], 'the logs in Redis', () => {
  let server: RedisServer;
  let client: Redis;
  let storage: RedisStorage;
  const faults: StorageFault[] = [];
  beforeAll(async () => {
    server = await startRedis({ appendfsync: 'never' });
    client = new Redis(server.url);
    storage = new RedisStorage({
      redis: { url: server.url, clusterNodes: [] },
      namespace: 'logs',
      onFault: (fault) => faults.push(fault),
    });
    await storage.open();
    await replaceBy(storage, 'gaps', [
      { kind: 'log', log: LOG, lastSequence: LAST },
      ...NUMBERS.map(
        (sequence): SnapshotRecord => ({ kind: 'entry', log: LOG, sequence, at: -5, json: '1' }),
      ),
      { kind: 'log', log: 'messages/leap', lastSequence: 101 },
      ...[1, 2, 3, 100, 101].map(
        (sequence): SnapshotRecord => ({ kind: 'entry', log: 'messages/leap', sequence, at: 1, json: '1' }),
      ),
      { kind: 'log', log: 'messages/none', lastSequence: 7 },
    ]);
  });
  afterAll(async () => {
    await storage.close();
    client.disconnect();
    await server.stop();
  });

  const sequences = async (query: Parameters<RedisStorage['read']>[1]) =>
    (await storage.read(LOG, query)).map(({ sequence }) => sequence);
  const edges = [
    0,
    1,
    3,
    4,
    7,
    9,
    50,
    99,
    100,
    600,
    1_298,
    1_299,
    1_300,
    1_999_999,
    2_000_003,
    2_000_007,
    LAST,
  ];

  it.each([1, 3, 10_000])(
    'are read from everywhere though numbers are left out, %i at a time',
    async (limit) => {
      for (const edge of edges) {
        const behind = NUMBERS.filter((number) => number > edge);
        const before = NUMBERS.filter((number) => number < edge).reverse();
        expect(await sequences({ after: edge, limit })).toEqual(behind.slice(0, limit));
        expect(await sequences({ before: edge, limit, reverse: true })).toEqual(before.slice(0, limit));
        expect(await sequences({ before: edge, limit })).toEqual(before.toReversed().slice(0, limit));
      }
      expect(await sequences({ limit, reverse: true })).toEqual(NUMBERS.toReversed().slice(0, limit));
    },
  );

  it('go on counting from the number that they have come to, with and without entries', async () => {
    const numbers = await storage.commit([
      { kind: 'append', log: LOG, value: 2 },
      { kind: 'append', log: 'messages/none', value: 2 },
    ]);
    expect(numbers).toEqual([{ sequence: LAST + 1 }, { sequence: 8 }]);
    const records = await recordsOf(storage);
    expect(records).toContainEqual({ kind: 'log', log: LOG, lastSequence: LAST + 1 });
    expect(records.filter(({ kind }) => kind === 'entry')).toHaveLength(NUMBERS.length + 5 + 2);
    await storage.commit([{ kind: 'trim', log: LOG, through: LAST + 1 }]);
  });

  it('are read with all of a commit that appends and trims, or nothing of it', async () => {
    const log = 'messages/window';
    await storage.commit([{ kind: 'append', log, value: 0 }]);
    const lengths = new Set<number>();
    for (let through = 1; through <= 300; through++) {
      const written = storage.commit([
        { kind: 'append', log, value: 0 },
        { kind: 'trim', log, through },
      ]);
      const reads = [];
      for (let turn = 0; turn < 10; turn++) {
        reads.push(storage.read(log));
        await undefined;
      }
      for (const entries of await Promise.all(reads)) lengths.add(entries.length);
      await written;
    }
    expect([...lengths]).toEqual([1]);
  });

  it('say the number of a damaged entry before numbers that are left out in the same way from both sides', async () => {
    const [list = ''] = await client.keys('{logs}:*:m:messages/leap');
    await client.lset(list, 2, 'x');
    const read = await storage.read('messages/leap', { limit: 3, reverse: true });
    expect(read.map(({ sequence }) => sequence)).toEqual([101, 100, 2]);
    await expect.poll(() => client.hkeys('{logs}:damaged')).toEqual(['entry messages/leap#3']);
    expect(faults.splice(0).map(({ record }) => record)).toEqual(['entry messages/leap#3']);
    await client.del('{logs}:damaged');
  });

  it('say the numbers of damaged entries that stand together, at the beginning, within and at the end', async () => {
    const log = 'messages/damaged';
    for (let i = 1; i <= 20; i++) await storage.commit([{ kind: 'append', log, value: i }]);
    const [list = ''] = await client.keys(`{logs}:*:m:${log}`);
    const hit = [1, 2, 8, 9, 10, 19, 20];
    for (const number of hit) await client.lset(list, number - 1, 'x');
    const whole = Array.from({ length: 20 }, (_, i) => i + 1).filter((number) => !hit.includes(number));
    const numbersOf = async (query?: Parameters<RedisStorage['read']>[1]) =>
      (await storage.read(log, query)).map(({ sequence }) => sequence);
    expect(await numbersOf({ after: 8, limit: 3 })).toEqual([11, 12, 13]);
    expect(await numbersOf({ limit: 1, reverse: true })).toEqual([18]);
    expect(await numbersOf()).toEqual(whole);
    expect(await storage.commit([{ kind: 'append', log, value: 21 }])).toEqual([{ sequence: 21 }]);
    await storage.close();
    const found = faults.map(({ record }) => record);
    expect(new Set(found)).toEqual(new Set(hit.map((number) => `entry ${log}#${number}`)));
    expect(await client.hlen('{logs}:damaged')).toBe(hit.length);
    await storage.open();
    expect(await numbersOf()).toEqual([...whole, 21]);
  });
});
