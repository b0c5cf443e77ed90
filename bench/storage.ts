/**
 * `npm run bench:storage [-- --adapter NAME] [--quick] [--growth] [--json FILE]`: each of our adapters against the raw client
 * that it is made of and against what people would pick instead, on the same work and in the same run. A process for each
 * subject, rounds interleaved, the median of the rounds; a wrong result fails it, a slow one never does. The servers are
 * started for the run. With `--growth` it measures what must not grow with the data instead.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startPostgres } from '../runtime/storage/testing/servers/postgres-server.ts';
import { serversMissing } from '../runtime/storage/testing/servers/programs.ts';
import { startRedis } from '../runtime/storage/testing/servers/redis-server.ts';
import { type BenchRow, median, percentile, report } from './bench-table.ts';
import { measureGrowth } from './storage-growth.ts';
import { installPeers } from './storage-subjects/install-peers.ts';
import { ADAPTERS, type AdapterName, makeOurs } from './storage-subjects/our-storage.ts';
import { SubjectProcess } from './storage-subjects/subject-process.ts';
import { type CaseName, CLIENTS, MESSAGES, type Places, type RoundResult } from './storage-subjects/work.ts';

interface SubjectOfGroup {
  /** The name by which `storage-subjects/child.ts` knows it. */
  child: string;
  subject: string;
  role: BenchRow['role'];
  /** Default: all. */
  cases?: CaseName[];
  /** Gets servers of its own, because it would find what another one of the group has stored. */
  apart?: boolean;
  /** Milliseconds that it is given after each round for what it has put off, which would slow down whoever comes next. */
  settleMs?: number;
}

interface Group {
  servers: ('redis' | 'postgres')[];
  /** The floors and ours; a case is measured against the first floor that takes part in it. */
  subjects: SubjectOfGroup[];
  peers: SubjectOfGroup[];
}

const CASES: Record<CaseName, { title: string; ratio: 'p50' | 'throughput' }> = {
  append: { title: 'append, 1 client', ratio: 'p50' },
  clients: { title: `append, ${CLIENTS} clients (× throughput)`, ratio: 'throughput' },
  load: { title: `load of ${MESSAGES} messages`, ratio: 'p50' },
};

const TOGETHER: CaseName[] = ['clients'];
const ALONE: CaseName[] = ['append', 'load'];

const GROUPS: Record<AdapterName, Group> = {
  sqlite: {
    servers: [],
    subjects: [
      { child: 'raw-sqlite', subject: 'better-sqlite3 FULL', role: 'floor', cases: ALONE },
      {
        child: 'raw-sqlite-together',
        subject: `better-sqlite3 FULL, ${CLIENTS} a transaction`,
        role: 'floor',
        cases: TOGETHER,
      },
      { child: 'sqlite', subject: 'sqlite adapter', role: 'ours' },
    ],
    peers: [{ child: 'langgraph-sqlite', subject: 'LangGraph SqliteSaver FULL', role: 'peer' }],
  },
  file: {
    servers: [],
    subjects: [
      { child: 'raw-file', subject: 'write, fsync, rename', role: 'floor', cases: ALONE },
      { child: 'raw-journal', subject: `${CLIENTS} to an fsync`, role: 'floor', cases: TOGETHER },
      // It carries out in the files what its journal holds when it was quiet for 250 ms.
      { child: 'file', subject: 'file adapter', role: 'ours', settleMs: 1_500 },
    ],
    peers: [{ child: 'unstorage-files', subject: 'unstorage fs, NOT durable', role: 'peer' }],
  },
  redis: {
    servers: ['redis'],
    subjects: [
      { child: 'raw-redis', subject: 'ioredis, AOF always', role: 'floor' },
      {
        child: 'raw-redis-recorded',
        subject: 'ioredis, with index and commit',
        role: 'floor',
        cases: ['append'],
      },
      { child: 'redis', subject: 'redis adapter', role: 'ours' },
    ],
    peers: [
      { child: 'keyv-redis', subject: 'keyv, @keyv/redis', role: 'peer' },
      { child: 'langgraph-redis', subject: 'LangGraph RedisSaver, lower bound', role: 'peer' },
    ],
  },
  postgres: {
    servers: ['postgres'],
    subjects: [
      { child: 'raw-postgres', subject: 'pg, pool of 10', role: 'floor' },
      {
        child: 'raw-postgres-recorded',
        subject: 'pg, with index and commit',
        role: 'floor',
        cases: ['append'],
      },
      { child: 'postgres', subject: 'postgres adapter', role: 'ours' },
    ],
    peers: [
      { child: 'keyv-postgres', subject: 'keyv, @keyv/postgres', role: 'peer' },
      { child: 'langgraph-postgres', subject: 'LangGraph PostgresSaver', role: 'peer' },
    ],
  },
  hybrid: {
    servers: ['redis', 'postgres'],
    subjects: [
      // Its slower side where it writes to both, the faster one where it reads.
      { child: 'postgres', subject: 'postgres adapter', role: 'floor', cases: ['append', 'clients'] },
      { child: 'redis', subject: 'redis adapter', role: 'floor', cases: ['load'] },
      { child: 'hybrid', subject: 'hybrid adapter', role: 'ours', apart: true },
    ],
    peers: [],
  },
};

/** Why something is missing from the table. */
const LEFT_OUT = new Set<string>();

const { values: flags } = parseArgs({
  options: {
    adapter: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const rounds = flags.quick ? 3 : 7;
const operations = flags.quick ? 400 : 2_000;

const folder = await mkdtemp(join(tmpdir(), 'bench-storage-'));
const rows: BenchRow[] = [];
try {
  const peers = flags.growth ? undefined : await installPeers();
  if (peers !== undefined) LEFT_OUT.add(peers);
  for (const adapter of chosen(flags.adapter)) {
    const group = GROUPS[adapter];
    const missing = group.servers.length === 0 ? undefined : serversMissing(...group.servers);
    if (missing !== undefined) {
      LEFT_OUT.add(`${adapter}: ${missing}.`);
      continue;
    }
    await using servers = await startServers(group.servers);
    const refusal = await refusalOf(adapter, servers.places);
    if (refusal !== undefined) {
      LEFT_OUT.add(`${adapter}: ${refusal}`);
    } else if (flags.growth) {
      rows.push(
        ...(await measureGrowth(
          adapter,
          await mkdtemp(join(folder, 'growth-')),
          servers.places,
          flags.quick,
        )),
      );
    } else {
      const subjects = peers === undefined ? [...group.subjects, ...group.peers] : group.subjects;
      rows.push(...(await measure(adapter, subjects, group.servers, servers.places)));
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (!flags.growth) {
  LEFT_OUT.add(
    'keyv with @keyv/sqlite: its sqlite3 5 has no binary in the package registry and would have to be compiled.',
  );
}
await report(rows, flags.json);
for (const reason of LEFT_OUT) console.log(`Left out: ${reason}`);

function chosen(names: string[] | undefined): AdapterName[] {
  const unknown = names?.find((name) => !(ADAPTERS as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new Error(`There is no adapter "${unknown}"; there are ${ADAPTERS.join(', ')}.`);
  return ADAPTERS.filter((name) => names === undefined || names.includes(name));
}

async function startServers(kinds: Group['servers']) {
  const redis = kinds.includes('redis') ? await startRedis({ appendfsync: 'always' }) : undefined;
  const postgres = kinds.includes('postgres') ? await startPostgres() : undefined;
  const places: Places = {
    ...(redis === undefined ? {} : { redis: redis.url }),
    ...(postgres === undefined ? {} : { postgres: postgres.url }),
  };
  return {
    places,
    async [Symbol.asyncDispose]() {
      await redis?.stop();
      await postgres?.stop();
    },
  };
}

/** Why this version does not have the adapter; undefined when it has. */
async function refusalOf(adapter: AdapterName, places: Places): Promise<string | undefined> {
  try {
    await makeOurs(adapter, folder, places);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

async function measure(
  adapter: AdapterName,
  subjects: SubjectOfGroup[],
  kinds: Group['servers'],
  places: Places,
): Promise<BenchRow[]> {
  const processes = new Map<string, SubjectProcess>();
  const results = new Map<string, RoundResult[]>();
  const keyOf = ({ child }: SubjectOfGroup, name: CaseName) => `${child} ${name}`;
  const takesPart = ({ cases }: SubjectOfGroup, name: CaseName) =>
    cases === undefined || cases.includes(name);
  await using apart = await startServers(subjects.some((subject) => subject.apart) ? kinds : []);
  try {
    for (const { child, apart: own } of subjects) {
      const data = await mkdtemp(join(folder, `${child}-`));
      processes.set(child, await SubjectProcess.start(child, data, own ? apart.places : places));
    }
    for (let round = 0; round <= rounds; round++) {
      for (const name of Object.keys(CASES) as CaseName[]) {
        for (const subject of subjects) {
          if (!takesPart(subject, name)) continue;
          // Peers are several times as slow, and need not be known as exactly.
          const share = subject.role === 'peer' ? 4 : 1;
          const result = await (processes.get(subject.child) as SubjectProcess).measure(
            name,
            operations / share,
          );
          if (subject.settleMs !== undefined) await wait(subject.settleMs);
          // The first round warms up.
          if (round > 0)
            results.set(keyOf(subject, name), [...(results.get(keyOf(subject, name)) ?? []), result]);
        }
      }
      process.stderr.write(
        round === 0 ? `${adapter}: warmed up\n` : `${adapter}: round ${round} of ${rounds}\n`,
      );
    }
    for (const subject of processes.values()) await subject.verify();
  } finally {
    for (const subject of processes.values()) await subject.end();
  }
  return (Object.keys(CASES) as CaseName[]).flatMap((name) => {
    const figureOf = ({ latencies, seconds }: RoundResult) =>
      CASES[name].ratio === 'p50' ? percentile(latencies, 0.5) : latencies.length / seconds;
    const inCase = subjects.filter((subject) => takesPart(subject, name));
    const own = inCase.map((subject) => results.get(keyOf(subject, name)) as RoundResult[]);
    const floor = (own[0] as RoundResult[]).map(figureOf);
    return inCase.map((subject, i): BenchRow => {
      const measured = own[i] as RoundResult[];
      return {
        case: `${adapter}: ${CASES[name].title}`,
        subject: subject.subject,
        role: subject.role,
        p50ms: median(measured.map(({ latencies }) => percentile(latencies, 0.5))),
        p95ms: median(measured.map(({ latencies }) => percentile(latencies, 0.95))),
        p99ms: median(measured.map(({ latencies }) => percentile(latencies, 0.99))),
        opsPerSecond: median(measured.map(({ latencies, seconds }) => latencies.length / seconds)),
        ratioToFloor: median(measured.map((result, round) => figureOf(result) / (floor[round] as number))),
      };
    });
  });
}
