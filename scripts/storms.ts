/**
 * `npm run storms [-- --adapter redis] [--seconds 60] [--seed 7] [--json FILE]`: several processes write and read at random
 * on the same data while processes, connections and servers fail at random; fails when what is there afterwards is not what
 * was acknowledged, or was ever read otherwise: that is printed with its story, and kept beside the notes. `--adapter` may be
 * repeated; by default each of them, one after the other.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from '../bench/bench-table.ts';
import { faultSeed } from '../runtime/storage/faults/seeded-random.ts';
import { runStorm, type StormReport } from '../runtime/storage/testing/storms/storm.ts';
import { STORM_ADAPTERS, type StormAdapter } from '../runtime/storage/testing/storms/storm-instances.ts';

const { values } = parseArgs({
  options: {
    adapter: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    json: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new Error('--seconds takes a number above 0.');
const seed = values.seed === undefined ? faultSeed() : Number(values.seed);
if (!Number.isSafeInteger(seed)) throw new Error('--seed takes a whole number.');
const adapters = (values.adapter ?? STORM_ADAPTERS).map((name): StormAdapter => {
  const adapter = STORM_ADAPTERS.find((known) => known === name);
  if (adapter === undefined) throw new Error(`--adapter takes one of ${STORM_ADAPTERS.join(', ')}.`);
  return adapter;
});

const reports: Record<string, StormReport> = {};
for (const adapter of adapters) {
  const folder = await mkdtemp(join(tmpdir(), `smalltalk-storm-${adapter}-`));
  console.log(`${adapter}, seed ${seed}, in ${folder}`);
  const report = await runStorm({
    adapter,
    seconds,
    seed,
    folder,
    onFault: (name, afterMs) => console.log(`${(afterMs / 1_000).toFixed(2).padStart(8)} s  ${name}`),
  });
  reports[adapter] = report;
  const { acknowledged, refused, unknown, reads, problems } = report;
  console.log(
    `${adapter}: ${acknowledged} commits acknowledged, ${refused} refused, ${unknown} of unknown fate, ${reads} reads, ` +
      `${problems.length} problems\n`,
  );
  if (problems.length === 0) await rm(folder, { recursive: true });
  else {
    console.error(`${problems.join('\n')}\n\n--seed ${seed}; notes and data are kept in ${folder}.\n`);
    process.exitCode = 1;
  }
}
console.log(machine());
if (values.json !== undefined)
  await writeFile(values.json, `${JSON.stringify({ seed, seconds, reports }, null, 2)}\n`);
// By itself Node 24.21 may wait for ever in its own end (`CleanupHandles`) for what was under way to processes that were killed.
process.exit();
