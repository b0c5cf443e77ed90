import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { storageUnderTest } from '../contract/fixture.ts';
import { describeStorageContract } from '../storage.contract.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type RedisServer, startRedis } from '../testing/servers/redis-server.ts';
import { RedisStorage } from './redis-storage.ts';

describeWithServers(['redis'], 'Redis', () => {
  let server: RedisServer;
  let made = 0;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  describeStorageContract('redis', async (options) => {
    made += 1;
    const namespace = `contract-${made}`;
    const make = () =>
      new RedisStorage({ ...options, redis: { url: server.url, clusterNodes: [] }, namespace });
    return storageUnderTest(make, async () => {
      const client = new Redis(server.url);
      const keys = await client.keys(`{${namespace}}*`);
      if (keys.length > 0) await client.unlink(...keys);
      client.disconnect();
    });
  });
});
