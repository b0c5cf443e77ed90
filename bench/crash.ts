/**
 * `npm run bench:crash [-- --cycles 200] [--adapter sqlite] [--power-cut] [--json FILE]`: kills a writer with SIGKILL at
 * random moments under concurrent load, again and again, and checks after each that everything that was acknowledged is
 * there, once and whole. Fails when it is not. With `--power-cut` what had not been synced is lost with each kill (Linux,
 * needs a C compiler). With `--product` the whole product is killed while clients prompt it over HTTP.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { crashLoop } from '../runtime/storage/faults/crash-loop.ts';
import { faultSeed, seededRandom } from '../runtime/storage/faults/seeded-random.ts';
import { machine, percentile } from './bench-table.ts';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '200' },
    quick: { type: 'boolean' },
    adapter: { type: 'string', default: 'sqlite' },
    'power-cut': { type: 'boolean', default: false },
    json: { type: 'string' },
    product: { type: 'boolean', default: false },
  },
});
const LOAD = { start: 'start', writing: 'load' };
const cycles = values.quick === true ? 25 : Number(values.cycles);
if (!Number.isSafeInteger(cycles) || cycles < 1) throw new Error('--cycles takes a whole number from 1.');

if (values.product) {
  const { crashLoop: crashProduct } = await import('../e2e/crash-loop.ts');
  const result = await crashProduct({
    cycles,
    onCycle: (cycle, total) => console.log(`${String(cycle).padStart(4)}: ${total} acknowledged so far`),
  });
  console.log(
    `\n${machine()}\n${cycles} kills of the product, ${result.acknowledged} acknowledged prompts, 0 lost; ` +
      `${result.interrupted} turns interrupted`,
  );
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`);
  process.exit();
}

const seed = faultSeed();
const folder = await mkdtemp(join(tmpdir(), 'bench-crash-'));
const report = await crashLoop({
  rig: { type: values.adapter },
  folder,
  cycles,
  random: seededRandom(seed),
  longestMs: 500,
  powerCut: values['power-cut'],
  onCycle: ({ cycle, kills, acknowledged, reopenMs }, problems) => {
    const when = kills.map(({ during, afterMs }) => `${afterMs} ms into the ${LOAD[during]}`).join(', then ');
    console.log(
      `${String(cycle).padStart(4)}: killed ${when}, ${acknowledged} acknowledged, reopened in ${reopenMs.toFixed(0)} ms` +
        (problems.length === 0 ? '' : `, ${problems.length} PROBLEMS`),
    );
  },
});

const reopen = report.cycles.map(({ reopenMs }) => reopenMs);
const kills = report.cycles.reduce((sum, cycle) => sum + cycle.kills.length, 0);
console.log(
  `\n${machine()}\n${values.adapter}: ${report.cycles.length} cycles, ${kills} ${values['power-cut'] ? 'power cuts' : 'kills'}, ` +
    `${report.acknowledged} acknowledged commits, ${report.problems.length} lost, halved or doubled; ` +
    `reopened in ${percentile(reopen, 0.5).toFixed(0)} ms (p50), ${Math.max(...reopen).toFixed(0)} ms (longest)`,
);
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
if (report.problems.length > 0) {
  console.error(`\n${report.problems.join('\n')}\n\nFAULT_SEED=${seed}; the data is kept in ${folder}.`);
  process.exitCode = 1;
} else {
  await rm(folder, { recursive: true });
}
