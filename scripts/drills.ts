/**
 * `npm run drills [-- --count 500] [--seed 1] [--json FILE]`: rehearses crashes, hangs, slowness and floods at random over a
 * fleet of five agents, with the times of the product, and prints how many were recovered from and how fast. Fails when
 * not more than 99 % were. 500 of them take about a quarter of an hour, because slowness takes its time.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine, percentile } from '../bench/bench-table.ts';
import { DRILL_KINDS, drillSeries, type RehearsedDrill } from '../runtime/proofs/drill-series.ts';
import { startWholeRuntime } from '../runtime/proofs/whole-runtime.ts';
import { faultSeed, seededRandom } from '../runtime/storage/faults/seeded-random.ts';

/** More than this share has to be recovered from. */
const NEEDED = 0.99;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '500' },
    seed: { type: 'string' },
    json: { type: 'string' },
  },
});
const count = Number(values.count);
if (!Number.isSafeInteger(count) || count < 1) throw new Error('--count takes a whole number from 1.');
const seed = values.seed === undefined ? faultSeed() : Number(values.seed);
if (!Number.isSafeInteger(seed)) throw new Error('--seed takes a whole number.');

const isGood = ({ problems }: RehearsedDrill) => problems.length === 0;
const folder = await mkdtemp(join(tmpdir(), 'smalltalk-drills-'));
const runtime = await startWholeRuntime(join(folder, 'data'));
const done = await drillSeries({
  runtime,
  storeFolder: join(folder, 'sessions'),
  count,
  random: seededRandom(seed),
  onDrill({ agent, kind, turn, problems, result }, number) {
    const seen = result?.detectMs === undefined ? 'not seen' : `seen after ${result.detectMs} ms`;
    const times = result === undefined ? '' : `, ${seen}, ready after ${result.recoverMs} ms`;
    const what = `${agent}: ${kind}${turn === undefined ? '' : `, its turn ${turn}`}${times}`;
    console.log(
      `${String(number).padStart(4)}: ${what}${problems.length === 0 ? '' : `, NOT RECOVERED: ${problems}`}`,
    );
  },
});
await runtime[Symbol.asyncDispose]();

const lines = DRILL_KINDS.flatMap((kind) => {
  const ofKind = done.filter((drill) => drill.kind === kind);
  if (ofKind.length === 0) return [];
  const times = (time: 'detectMs' | 'recoverMs') => {
    const known = ofKind.flatMap(({ result }) => result?.[time] ?? []);
    return known.length === 0 ? '– | –' : `${percentile(known, 0.5)} | ${percentile(known, 0.95)}`;
  };
  return `| ${kind} | ${ofKind.filter(isGood).length} of ${ofKind.length} | ${times('detectMs')} | ${times('recoverMs')} |`;
});
const recovered = done.filter(isGood).length;
console.log(
  [
    `\n${machine()}`,
    `${recovered} of ${done.length} recovered: ${((100 * recovered) / done.length).toFixed(2)} % (seed ${seed})\n`,
    '| drill | recovered | seen p50 ms | p95 | ready p50 ms | p95 |',
    '|---|---|---|---|---|---|',
    ...lines,
  ].join('\n'),
);
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(done, null, 2)}\n`);
if (recovered / done.length > NEEDED) await rm(folder, { recursive: true });
else {
  console.error(`\nThe data is kept in ${folder}.`);
  process.exitCode = 1;
}
