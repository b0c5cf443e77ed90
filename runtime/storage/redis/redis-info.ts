import type { Cluster, Redis } from 'ioredis';
import type { RedisSettings } from '../../settings/settings.ts';
import type { StorageInfo } from '../storage.ts';
import type { RedisConnection } from './redis-connection.ts';
import { factsOf, lossNotices } from './redis-facts.ts';

/** What holds the data, as one of its nodes tells it. */
export async function infoOf(connection: RedisConnection, settings: RedisSettings): Promise<StorageInfo> {
  return connection.call(async (client) => {
    const node = nodeOf(client);
    const asked = performance.now();
    await node.ping();
    const latencyMs = performance.now() - asked;
    const version = factsOf(await node.info('server')).redis_version ?? 'of unknown version';
    const nodes = settings.clusterNodes.length;
    const product = nodes > 0 ? `Redis ${version} (cluster of ${countOf(client)})` : `Redis ${version}`;
    return { product, location: connection.location, latencyMs, notices: await lossNotices(node) };
  });
}

function nodeOf(client: Redis | Cluster): Redis {
  if (!client.isCluster) return client as Redis;
  const [node] = (client as Cluster).nodes('master');
  if (node === undefined) throw new Error('Connection is closed.');
  return node;
}

const countOf = (client: Redis | Cluster): number => (client as Cluster).nodes('all').length;
