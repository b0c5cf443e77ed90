import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { faultSeed, seededRandom } from '../storage/faults/seeded-random.ts';
import { drillSeries } from './drill-series.ts';
import { startWholeRuntime } from './whole-runtime.ts';

const COUNT = 20;

// Slowness takes its time: `npm run drills` rehearses that as well, and for as long as one likes.
it.skipIf(process.platform === 'win32')(
  `recovers from ${COUNT} drills at random`,
  {
    timeout: 180_000,
  },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'smalltalk-drills-'));
    const seed = faultSeed();
    await using runtime = await startWholeRuntime(join(folder, 'data'), {
      HEARTBEAT_INTERVAL_MS: '200',
      LIVENESS_PROBE_TIMEOUT_MS: '1000',
    });
    const done = await drillSeries({
      runtime,
      storeFolder: join(folder, 'sessions'),
      count: COUNT,
      random: seededRandom(seed),
      kinds: ['crash', 'hang', 'flood'],
    });
    expect(
      done.filter(({ problems }) => problems.length > 0),
      `FAULT_SEED=${seed}`,
    ).toEqual([]);
    expect(done).toHaveLength(COUNT);
    const interrupted = done.filter(({ turn }) => turn === 'interrupted');
    expect(interrupted.length).toBeGreaterThan(0);
    expect(new Set(interrupted.map(({ kind }) => kind))).not.toContain('flood');
    await runtime[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  },
);
