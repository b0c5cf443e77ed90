import { Redis } from 'ioredis';
import type { RedisSettings } from '../../settings/settings.ts';
import type { StorageInfo } from '../storage.ts';
import { type Address, addressesOf } from './redis-address.ts';
import { toFault } from './redis-errors.ts';
import { checkServer, factsOf, lossNotices } from './redis-facts.ts';

const TIMEOUT_MS = 3_000;

export interface RedisProbe extends StorageInfo {
  /** False when there is data of the product; undefined when the node that was asked does not have the slot of it. */
  empty?: boolean;
}

/**
 * Asks a Redis, or the first node of a cluster that answers, what `open` would ask it, and makes nothing there. Rejects
 * with `storage.unreachable`, `storage.access_denied`, `storage.tls_failed` or `storage.unsupported_server`.
 */
export async function probeRedis(settings: RedisSettings): Promise<RedisProbe> {
  let failure: unknown;
  for (const address of addressesOf(settings)) {
    try {
      return await probeNode(address, settings.clusterNodes);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

async function probeNode({ options, location }: Address, clusterNodes: string[]): Promise<RedisProbe> {
  const redis = new Redis({
    ...options,
    lazyConnect: true,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: () => null,
  });
  // The reason of a connection that fails is only in its event; the call is told that it is closed.
  let reason: unknown;
  redis.on('error', (error) => {
    reason ??= error;
  });
  try {
    await redis.connect();
    const asked = performance.now();
    await redis.ping();
    const latencyMs = performance.now() - asked;
    const facts = factsOf(await redis.info());
    const version = facts.redis_version ?? '0';
    checkServer(facts, location, clusterNodes.length > 0);
    const product = clusterNodes.length > 0 ? `Redis ${version} (cluster)` : `Redis ${version}`;
    const found = await redis.exists('{smalltalk}:meta').catch(() => undefined);
    return {
      product,
      location,
      latencyMs,
      notices: await lossNotices(redis),
      ...(found === undefined ? {} : { empty: found === 0 }),
    };
  } catch (error) {
    throw toFault(reason ?? error, location);
  } finally {
    redis.disconnect();
  }
}
