import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { caseFolder } from '../faults/case-folder.ts';
import { openRig } from '../faults/rig-storage.ts';
import { faultSeed, seededRandom } from '../faults/seeded-random.ts';
import { describeServerCrashes } from '../faults/server-crash.contract.ts';
import { Ledger } from '../faults/workload.ts';
import { writeAndKill } from '../faults/writer-process.ts';
import { settingsFor } from '../postgres/testing/schema.ts';
import type { Storage, StorageFault } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { startPostgres } from '../testing/servers/postgres-server.ts';
import { startRedis } from '../testing/servers/redis-server.ts';
import type { TestServer } from '../testing/servers/server-process.ts';

const KILLS = 8;
const LONGEST_MS = 300;

async function start() {
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  return {
    redis,
    postgres,
    rig: {
      type: 'hybrid',
      settings: { redis: { url: redis.url, clusterNodes: [] }, postgres: settingsFor(postgres.url) },
    },
  };
}

/** The two of them as one server, of which now the one and now the other is killed. */
function inTurn(redis: TestServer, postgres: TestServer): TestServer {
  let turn = postgres;
  return Object.assign(Object.create(postgres) as TestServer, {
    kill() {
      turn = turn === redis ? postgres : redis;
      return turn.kill();
    },
    restart: () => turn.restart(),
    async stop() {
      await Promise.all([redis.stop(), postgres.stop()]);
    },
  });
}

describeWithServers(['redis', 'postgres'], 'Redis before PostgreSQL', () => {
  describeServerCrashes('hybrid', async () => {
    const { redis, postgres, rig } = await start();
    return { server: inTurn(redis, postgres), rig };
  });

  let started: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    started = await start();
  }, 60_000);
  afterAll(() => Promise.all([started.redis.stop(), started.postgres.stop()]));

  it('shows an instance that goes on all that another one was acknowledged before it was killed', {
    timeout: 120_000,
  }, async () => {
    const seed = faultSeed();
    const random = seededRandom(seed);
    const folder = await caseFolder('hybrid-reader');
    const faults: StorageFault[] = [];
    const reader = await openRig(started.rig, join(folder, 'reader'), faults);
    const dataDir = join(folder, 'data');
    const ledger = new Ledger();
    let acknowledged = 0;
    for (let cycle = 1; cycle <= KILLS; cycle++) {
      const kill = { during: 'writing', afterMs: Math.floor(random() * LONGEST_MS) } as const;
      const noteFile = join(folder, 'notes');
      const notes = await writeAndKill({ rig: started.rig, dataDir, noteFile, run: `${cycle}`, kill });
      acknowledged += ledger.take(notes);
      // The second time it reads what it kept at the first.
      const problems = [...(await ledger.verify(reader)), ...(await ledger.verify(reader))];
      problems.push(...(await documentProblems(reader)), ...faults.map(({ message }) => message));
      expect(problems, `FAULT_SEED=${seed}, cycle ${cycle}`).toEqual([]);
    }
    expect(acknowledged).toBeGreaterThan(KILLS);
    await reader.close();
  });
});

/** A list comes from PostgreSQL, a document perhaps from Redis. */
async function documentProblems(storage: Storage): Promise<string[]> {
  const { items } = await storage.list('sessions', { limit: 1000 });
  const problems: string[] = [];
  for (const { id, version } of items) {
    const found = await storage.get('sessions', id);
    if (found?.version !== version) problems.push(`${id} is at ${version}, and is read as ${found?.version}`);
  }
  return problems;
}
