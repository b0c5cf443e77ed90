/** Where each adapter meets its storm: the servers that it needs, the ways to them, and what can happen there. */
import { readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { runSql, settingsFor } from '../../postgres/testing/schema.ts';
import type { Storage } from '../../storage.ts';
import { type PostgresServer, startPostgres } from '../servers/postgres-server.ts';
import { type RedisServer, startRedis } from '../servers/redis-server.ts';
import { startTcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts';
import { type HybridTimes, makeInstance, type StormAdapter, type StormRig } from './storm-instances.ts';
import { now } from './storm-notes.ts';
import {
  type Fault,
  LateRequests,
  LONGEST_MS,
  networkFaults,
  OWN_SWITCH,
  PROCESS_KILL,
  PROCESS_PAUSE,
  pause,
  pick,
  processPause,
  serverFaults,
  switchBy,
} from './storm-weather.ts';

/** What a storm goes over. */
export interface StormPlace {
  /** How many processes may write at the same time. */
  processes: number;
  /** For the process of that number, from 0. */
  rig(process: number): StormRig;
  faults: Fault[];
  /** All is well from here on, and what was held back is on its way. */
  calm(): Promise<void>;
  /** One more on the same data, past everything that happens to the others; open, and closed with the place. */
  direct(): Promise<Storage>;
  dispose(): Promise<void>;
}

const PROCESSES = 3;
/** A PostgreSQL that does not answer is given up after so many milliseconds. */
const QUERY_TIMEOUT_MS = 3_000;
/**
 * Of each process: what stays hot, what goes to the cold side while others use it, and what has gone before anybody reads it again.
 * An instance that stands still for its longest is taken for gone.
 */
const TIMES: readonly HybridTimes[] = [3_600_000, 1_000, 70].map((ms) => ({
  hotHours: ms / 3_600_000,
  beatMs: 300,
  lapseMs: 5_000,
}));
/** A server hangs for longer than any call waits for it, and a Redis for longer than a writer waits for it to come back. */
const HANG_MS = 4_500;
/** Longer than a writer waits for a Redis that takes no writes. */
const REFUSAL_MS = 9_000;
/** A process that stands still for so many milliseconds at the most has lost what it held. */
const LAPSING_MS = 7_000;

/** `marker` stands in every commit; told of faults that the direct instance meets. */
export async function makePlace(
  adapter: StormAdapter,
  folder: string,
  marker: string,
  onFault: (message: string) => void,
): Promise<StormPlace> {
  const stack = new AsyncDisposableStack();
  const open = async (rig: StormRig): Promise<Storage> => {
    const storage = await makeInstance(rig, ({ message }) => onFault(message));
    await storage.open();
    stack.defer(() => storage.close());
    return storage;
  };
  try {
    const place = await PLACES[adapter]({ adapter, folder, marker, stack, open });
    return { ...place, dispose: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

interface Ground {
  adapter: StormAdapter;
  folder: string;
  marker: string;
  /** What was made last ends first. */
  stack: AsyncDisposableStack;
  open(rig: StormRig): Promise<Storage>;
}

type MakePlace = (ground: Ground) => Promise<Omit<StormPlace, 'dispose'>>;

const PLACES: Record<StormAdapter, MakePlace> = {
  sqlite: local,
  file: local,
  async redis(ground) {
    const { marker, stack } = ground;
    const server = await redisFor(stack, 'always');
    const proxies = await proxiesFor(stack, server.port);
    const rig = rigOf(ground, { redis: server.url });
    const redis = clientFor(stack, server);
    const direct = await ground.open(rig);
    const late = new LateRequests();
    return {
      processes: PROCESSES,
      rig: (process) => rigOf(ground, { redis: through(server, proxies, process) }),
      faults: [
        PROCESS_KILL,
        PROCESS_PAUSE,
        ...serverFaults('Redis', server),
        ...networkFaults(proxies, marker),
        late.fault(proxies, marker),
        scriptsForgotten(redis),
        switchBy(direct),
        tailLost(server, proxies, late),
      ],
      async calm() {
        await calmDown(proxies);
        late.arrive();
      },
      direct: () => ground.open(rig),
    };
  },
  async postgres(ground) {
    const { marker, stack } = ground;
    const server = await postgresFor(stack);
    const proxies = await proxiesFor(stack, server.port);
    const rig = rigOf(ground, { postgres: server.url });
    const direct = await ground.open(rig);
    return {
      processes: PROCESSES,
      rig: (process) => rigOf(ground, { postgres: through(server, proxies, process) }),
      faults: [
        PROCESS_KILL,
        PROCESS_PAUSE,
        ...serverFaults('PostgreSQL', server, HANG_MS),
        ...networkFaults(proxies, marker),
        connectionsEnded(server),
        switchBy(direct),
      ],
      calm: () => calmDown(proxies),
      direct: () => ground.open(rig),
    };
  },
  async hybrid(ground) {
    const { marker, stack } = ground;
    const [redis, postgres] = await Promise.all([redisFor(stack, 'everysec'), postgresFor(stack)]);
    // No way to Redis of one's own: an instance that alone is cut off from it is a limit that the decision page names.
    const proxies = await proxiesFor(stack, postgres.port);
    const rig = rigOf(ground, { redis: redis.url, postgres: postgres.url });
    const direct = await ground.open(rig);
    const client = clientFor(stack, redis);
    return {
      processes: PROCESSES,
      rig: (process) => ({
        ...rigOf(ground, { redis: redis.url, postgres: through(postgres, proxies, process) }),
        times: timesOf(process),
      }),
      faults: [
        PROCESS_KILL,
        PROCESS_PAUSE,
        { ...processPause(LAPSING_MS), weight: 1 },
        ...serverFaults('Redis', redis, HANG_MS),
        ...serverFaults('PostgreSQL', postgres, HANG_MS),
        ...networkFaults(proxies, marker),
        connectionsEnded(postgres),
        scriptsForgotten(client),
        writesRefused(client),
        // Every copy is of one generation.
        { ...switchBy(direct), weight: 2 },
      ],
      calm: () => calmDown(proxies),
      direct: () => ground.open(rig),
    };
  },
};

/** One process at a time, by the lock of its folder. */
async function local(ground: Ground): Promise<Omit<StormPlace, 'dispose'>> {
  const rig = rigOf(ground, {});
  return {
    processes: 1,
    rig: () => rig,
    faults: [{ ...PROCESS_KILL, weight: 5 }, PROCESS_PAUSE, { ...OWN_SWITCH, weight: 2 }],
    calm: async () => undefined,
    direct: () => ground.open(rig),
  };
}

function rigOf({ adapter, folder }: Ground, urls: { redis?: string; postgres?: string }): StormRig {
  return {
    adapter,
    folder,
    redis: { clusterNodes: [], ...(urls.redis === undefined ? {} : { url: urls.redis }) },
    postgres: settingsFor(urls.postgres ?? '', {
      poolMax: 4,
      queryTimeoutMs: QUERY_TIMEOUT_MS,
      statementTimeoutMs: QUERY_TIMEOUT_MS,
    }),
    times: timesOf(0),
  };
}

function timesOf(process: number): HybridTimes {
  return TIMES[process % TIMES.length] as HybridTimes;
}

async function redisFor(
  stack: AsyncDisposableStack,
  appendfsync: 'always' | 'everysec',
): Promise<RedisServer> {
  return stack.use(await startRedis({ appendfsync }));
}

async function postgresFor(stack: AsyncDisposableStack): Promise<PostgresServer> {
  return stack.use(await startPostgres());
}

/** One for each process. */
async function proxiesFor(stack: AsyncDisposableStack, port: number): Promise<TcpProxy[]> {
  const proxies: TcpProxy[] = [];
  for (let i = 0; i < PROCESSES; i++) proxies.push(stack.use(await startTcpProxy({ port })));
  return proxies;
}

function through(
  server: { url: string; port: number },
  proxies: readonly TcpProxy[],
  process: number,
): string {
  return server.url.replace(`:${server.port}`, `:${proxies[process]?.port}`);
}

function clientFor(stack: AsyncDisposableStack, server: RedisServer): Redis {
  const redis = new Redis(server.url);
  // It comes back when the server does.
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  return redis;
}

async function calmDown(proxies: readonly TcpProxy[]): Promise<void> {
  for (const proxy of proxies) {
    proxy.cut();
    await proxy.heal();
  }
}

function scriptsForgotten(redis: Redis): Fault {
  return {
    name: 'Redis forgets its scripts',
    weight: 1,
    async run() {
      await redis.script('FLUSH').catch(() => undefined);
    },
  };
}

/** It goes on answering, and is of no use. */
function writesRefused(redis: Redis): Fault {
  return {
    name: 'Redis refuses to write',
    weight: 1,
    async run({ random }) {
      const setting = pick(['maxmemory', 'min-replicas-to-write'], random);
      await redis.config('SET', setting, '1');
      await pause(random() * pick([LONGEST_MS, LONGEST_MS, REFUSAL_MS], random));
      await redis.config('SET', setting, '0');
    },
  };
}

function connectionsEnded(server: PostgresServer): Fault {
  return {
    name: 'PostgreSQL ends connections',
    weight: 2,
    async run({ random }) {
      const share = random().toFixed(3);
      await runSql(
        server.adminUrl,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'smalltalk' AND random() < ${share}`,
      );
    },
  };
}

/** Acknowledged commits are lost behind the backs of those who know of them, as with a Redis that does not sync each one. */
function tailLost(server: RedisServer, proxies: readonly TcpProxy[], late: LateRequests): Fault {
  return {
    name: 'Redis loses the end of its file',
    weight: 1,
    async run({ random, broke }) {
      const began = now();
      await server.kill();
      late.forget();
      for (const proxy of proxies) proxy.cut();
      const files = await readdir(server.folder, { recursive: true });
      const name = files
        .filter((one) => one.endsWith('.incr.aof'))
        .sort()
        .at(-1);
      if (name !== undefined) await cutTail(join(server.folder, name), random() * 40_000);
      await pause(random() * 200);
      await server.restart();
      broke({ what: 'lost', began, ended: now() });
    },
  };
}

/**
 * Cuts about so many bytes off, behind a whole transaction. (In the midst of one, Redis 7.0 leaves its first commands in the file,
 * and carries them out at the start after the next, in front of what was written since: valkey-io/valkey#4342.)
 */
async function cutTail(file: string, bytes: number): Promise<void> {
  const all = await readFile(file);
  const end = all.lastIndexOf('EXEC\r\n', Math.max(0, all.length - bytes));
  if (end >= 0) await truncate(file, end + 'EXEC\r\n'.length);
}
