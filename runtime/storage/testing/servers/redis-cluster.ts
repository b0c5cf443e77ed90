import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from './redis-server.ts';

const SLOTS = 16_384;
/** A cluster of a few nodes on one machine agrees within a second or two. */
const AGREE_MS = 30_000;
const CHECK_MS = 50;

export interface RedisCluster extends AsyncDisposable {
  readonly servers: readonly RedisServer[];
  /** `127.0.0.1:port` of each, as REDIS_CLUSTER_NODES takes them. */
  readonly nodes: string[];
  stop(): Promise<void>;
}

/** Starts so many masters that share all slots evenly, and waits until each of them says that the cluster is whole. */
export async function startRedisCluster(nodes = 3): Promise<RedisCluster> {
  const started = await Promise.allSettled(
    Array.from({ length: nodes }, () => startRedis({ cluster: true })),
  );
  const servers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    const failed = started.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await join(servers);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    servers,
    nodes: servers.map(({ port }) => `127.0.0.1:${port}`),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function join(servers: RedisServer[]): Promise<void> {
  const clients = servers.map(({ port }) => new Redis(port, '127.0.0.1'));
  try {
    const share = Math.ceil(SLOTS / servers.length);
    for (const [at, client] of clients.entries()) {
      const first = at * share;
      const slots = Array.from({ length: Math.min(share, SLOTS - first) }, (_, i) => first + i);
      await client.cluster('ADDSLOTS', slots);
      // Nodes that start alike take the same epoch, and would first have to settle which is right.
      await client.cluster('SET-CONFIG-EPOCH', at + 1);
    }
    for (const { port } of servers.slice(1)) await clients[0]?.cluster('MEET', '127.0.0.1', port);
    const deadline = Date.now() + AGREE_MS;
    for (const client of clients) {
      while (!(await isWhole(client, servers.length))) {
        if (Date.now() > deadline) throw new Error('The nodes of the Redis cluster do not find each other.');
        await wait(CHECK_MS);
      }
    }
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function isWhole(client: Redis, nodes: number): Promise<boolean> {
  const info = await client.cluster('INFO');
  return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes}\r`);
}
