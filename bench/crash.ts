/**
 * `npm run bench:crash [-- --cycles 200] [--json FILE]`: kills a writer with SIGKILL at random moments under concurrent
 * load, again and again, and checks after each that everything that was acknowledged is there. Fails when it is not.
 * With `--product` the whole product is killed while clients prompt it over HTTP.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { crashLoop } from '../runtime/storage/sqlite/crash/crash-loop.ts';
import { machine, percentile } from './bench-table.ts';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '200' },
    quick: { type: 'boolean' },
    json: { type: 'string' },
    product: { type: 'boolean', default: false },
  },
});
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

const dataDir = await mkdtemp(join(tmpdir(), 'bench-crash-'));
const report = await crashLoop({
  dataDir,
  cycles,
  random: Math.random,
  longestMs: 500,
  onCycle: ({ cycle, during, killedAfterMs, acknowledged, reopenMs }, problems) => {
    console.log(
      `${String(cycle).padStart(4)}: killed ${killedAfterMs} ms into the ${during === 'start' ? 'start' : 'load'}, ` +
        `${acknowledged} acknowledged, reopened in ${reopenMs.toFixed(0)} ms` +
        (problems.length === 0 ? '' : `, ${problems.length} PROBLEMS`),
    );
  },
});

const reopen = report.cycles.map(({ reopenMs }) => reopenMs);
console.log(
  `\n${machine()}\n${cycles} kills, ${report.acknowledged} acknowledged commits, ${report.problems.length} lost or torn; ` +
    `reopened in ${percentile(reopen, 0.5).toFixed(0)} ms (p50), ${Math.max(...reopen).toFixed(0)} ms (longest)`,
);
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
if (report.problems.length > 0) {
  console.error(`\n${report.problems.join('\n')}\n\nThe data is kept in ${dataDir}.`);
  process.exitCode = 1;
} else {
  await rm(dataDir, { recursive: true });
}
