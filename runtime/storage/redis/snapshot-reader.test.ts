import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { SNAPSHOT_BATCH_BYTES } from '../snapshot-batch.ts';
import type { Operation, SnapshotRecord } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type RedisServer, startRedis } from '../testing/servers/redis-server.ts';
import { RedisStorage } from './redis-storage.ts';

describeWithServers(['redis'], 'snapshots of Redis', () => {
  let server: RedisServer;
  let storage: RedisStorage;
  beforeAll(async () => {
    server = await startRedis({ appendfsync: 'never' });
    storage = new RedisStorage({ redis: { url: server.url, clusterNodes: [] }, namespace: 'snapshots' });
    await storage.open();
    await storage.commit(values.map((value): Operation => ({ kind: 'append', log: 'events', value })));
    await storage.commit(
      values.map((value, i): Operation => ({ kind: 'put', collection: 'texts', id: idOf(i), value })),
    );
  });
  afterAll(async () => {
    await storage.close();
    await server.stop();
  });

  // Of characters of one to four bytes, each shifted by a byte against the others, so that long texts are cut everywhere.
  const values = Array.from({ length: 300 }, (_, i) => {
    const length = i % 50 === 0 ? 30_000 : (i * 7_919) % 2_000;
    return '.'.repeat(i % 5) + ['a', 'é', '€', '😀'].map((character) => character.repeat(length)).join('');
  });
  const idOf = (i: number) => `id-${String(i).padStart(3, '0')}`;
  const textOf = (record: SnapshotRecord) => (record.kind === 'log' ? '' : record.json);

  it('hands out texts of any size as they are, in batches of a bounded size', async () => {
    const documents: string[] = [];
    const entries: string[] = [];
    for await (const batch of storage.snapshot()) {
      const sizes = batch.map((record) => textOf(record).length);
      if (sizes.length > 1)
        expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(SNAPSHOT_BATCH_BYTES);
      for (const record of batch) {
        if (record.kind !== 'log') (record.kind === 'entry' ? entries : documents).push(record.json);
      }
    }
    const expected = values.map((value) => JSON.stringify(value));
    expect(documents).toEqual(expected);
    expect(entries).toEqual(expected);
  });

  it('leave no connection behind, however they end', async () => {
    const watcher = new Redis(server.url);
    onTestFinished(() => watcher.disconnect());
    const connections = async () =>
      String(await watcher.client('LIST'))
        .trim()
        .split('\n').length;
    const before = await connections();
    const other = new RedisStorage({ redis: { url: server.url, clusterNodes: [] }, namespace: 'snapshots' });
    onTestFinished(() => other.close());
    await other.open();
    const withOther = await connections();

    for await (const batch of other.snapshot()) expect(batch.length).toBeGreaterThan(0);
    await expect.poll(connections).toBe(withOther);
    for await (const _ of other.snapshot()) break;
    await expect.poll(connections).toBe(withOther);
    const leftAlone = other.snapshot()[Symbol.asyncIterator]();
    expect((await leftAlone.next()).done).toBe(false);
    expect(await connections()).toBeGreaterThan(withOther);
    await other.close();
    await expect.poll(connections).toBe(before);
  });
});
