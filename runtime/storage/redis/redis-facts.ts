import type { Redis } from 'ioredis';
import { fault } from '../../contract/error-codes.ts';
import type { StorageNotice } from '../storage.ts';

/** Since 6.2 there are GETEX, and a SET that answers what it replaced. */
const LEAST_VERSION = [6, 2] as const;

/** What `INFO` says, by name. */
export function factsOf(info: string): Record<string, string> {
  const lines = info.split(/\r?\n/).filter((line) => /^[a-z_]+:/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

/** Throws `storage.unsupported_server`. */
export function checkServer(facts: Record<string, string>, location: string, asCluster: boolean): void {
  const version = facts.redis_version ?? '0';
  const refuse = (words: string) =>
    fault('storage.unsupported_server', `Redis ${version} at ${location} cannot be used: ${words}`, {
      location,
    });
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < LEAST_VERSION[0] || (major === LEAST_VERSION[0] && minor < LEAST_VERSION[1])) {
    throw refuse(`it is too old, at least version ${LEAST_VERSION.join('.')} is needed.`);
  }
  const isCluster = facts.cluster_enabled === '1';
  if (isCluster && !asCluster)
    throw refuse('it is a node of a cluster. Give the nodes (REDIS_CLUSTER_NODES).');
  if (!isCluster && asCluster) throw refuse('it is no cluster. Give its address (REDIS_URL).');
  if (!asCluster && facts.role !== undefined && facts.role !== 'master') {
    throw refuse('it is a replica, which takes no writes. Give the address of the primary.');
  }
}

/** What the server may lose of what it has acknowledged, as its settings say. */
export async function lossNotices(redis: Redis): Promise<StorageNotice[]> {
  const setting = async (name: string) => ((await redis.config('GET', name)) as string[])[1] ?? '';
  try {
    const [appendOnly, sync, limit, policy] = await Promise.all([
      setting('appendonly'),
      setting('appendfsync'),
      setting('maxmemory'),
      setting('maxmemory-policy'),
    ]);
    return [...crashNotices(appendOnly, sync), ...evictionNotices(limit, policy)];
  } catch {
    return [
      {
        code: 'redis.durability_unknown',
        message:
          'The server does not tell how it keeps data, so nobody knows what a crash of it would lose, nor whether it removes data when its memory is full.',
      },
    ];
  }
}

function crashNotices(appendOnly: string, sync: string): StorageNotice[] {
  if (appendOnly === 'yes' && sync === 'always') return [];
  const loss =
    appendOnly !== 'yes'
      ? 'everything since its last snapshot (appendonly is off)'
      : `about the last second (appendfsync is ${sync})`;
  return [
    {
      code: 'redis.not_durable',
      message: `A crash of the server can lose ${loss}, although it was acknowledged. Set appendonly yes and appendfsync always to lose nothing.`,
    },
  ];
}

/** The policies that are named `volatile` only remove keys that expire, of which none is ours. */
function evictionNotices(limit: string, policy: string): StorageNotice[] {
  if (limit === '0' || !policy.startsWith('allkeys-')) return [];
  return [
    {
      code: 'redis.evicts',
      message: `The server removes data, whatever was acknowledged, once it takes ${megabytes(limit)} of memory (maxmemory-policy is ${policy}). Set maxmemory-policy noeviction, with which it refuses to take more instead.`,
    },
  ];
}

const megabytes = (bytes: string): string => `${Math.max(1, Math.round(Number(bytes) / 1024 / 1024))} MB`;
