import { afterAll, beforeAll } from 'vitest';
import { storageUnderTest } from '../contract/fixture.ts';
import { describeStorageContract } from '../storage.contract.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type RedisCluster, startRedisCluster } from '../testing/servers/redis-cluster.ts';
import { RedisStorage } from './redis-storage.ts';

describeWithServers(['redis'], 'Redis as a cluster', () => {
  let cluster: RedisCluster;
  let made = 0;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  }, 60_000);
  afterAll(() => cluster.stop(), 60_000);

  // Each case has a namespace of its own, and with it another slot, on whichever node that lies.
  describeStorageContract('redis cluster', async (options) => {
    made += 1;
    const namespace = `contract-${made}`;
    const make = () => new RedisStorage({ ...options, redis: { clusterNodes: cluster.nodes }, namespace });
    // The servers go with all of their data when the suite ends.
    return storageUnderTest(make, async () => undefined);
  });
});
