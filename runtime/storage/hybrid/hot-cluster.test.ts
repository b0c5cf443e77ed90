import { Cluster } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Operation } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type RedisCluster, startRedisCluster } from '../testing/servers/redis-cluster.ts';
import { HotRedis } from './hot-redis.ts';
import { HybridStorage } from './hybrid-storage.ts';
import { SlowStorage } from './testing/hot-fixture.ts';

describeWithServers(['redis'], 'hot copies in a cluster', () => {
  let servers: RedisCluster;
  let client: Cluster;
  beforeAll(async () => {
    servers = await startRedisCluster();
    client = new Cluster(servers.nodes);
  }, 60_000);
  afterAll(async () => {
    await client.quit();
    await servers.stop();
  }, 60_000);

  it('are served by the node that has them, and not believed of one that has taken over', async () => {
    const cold = new SlowStorage();
    await cold.open();
    const start = async () => {
      const hot = new HotRedis({ clusterNodes: servers.nodes });
      const storage = new HybridStorage({ cold, hot, hotHours: 1, namespace: 'cluster' });
      await storage.open();
      await expect
        .poll(async () => (await storage.info()).notices.map(({ code }) => code), { timeout: 10_000 })
        .not.toContain('hybrid.redis_away');
      return storage;
    };
    const [writer, reader] = [await start(), await start()];
    const commit = (value: number): Promise<unknown> => {
      const operations: Operation[] = [
        { kind: 'put', collection: 'sessions', id: 'a', value },
        { kind: 'append', log: 'messages/a', value },
      ];
      return writer.commit(operations);
    };
    const read = async (storage: HybridStorage) => {
      const [document, entries, last] = await Promise.all([
        storage.get('sessions', 'a'),
        storage.read('messages/a'),
        storage.read('messages/a', { reverse: true, limit: 1 }),
      ]);
      return [document?.value, entries.map(({ value }) => value), last[0]?.value];
    };
    await commit(1);
    await commit(2);
    expect(await read(writer)).toEqual([2, [1, 2], 2]);
    await writer.close();
    expect(await read(reader)).toEqual([2, [1, 2], 2]);
    expect(cold.reads).toBe(0);
    // A replica has the same keys, and another name.
    const key = '{cluster}:hot:epoch';
    const epoch = (await client.get(key)) ?? '';
    expect(epoch.length).toBeGreaterThan(40);
    await client.set(key, `${'0'.repeat(40)}${epoch.slice(40)}`);
    expect(await read(reader)).toEqual([2, [1, 2], 2]);
    expect(cold.reads).toBe(3);
    await reader.close();
  });
});
