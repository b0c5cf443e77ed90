/**
 * `npm run bench:agents [-- --quick] [--only CASE] [--json FILE]`: how fast agents start and come back, against a raw `fork` on the
 * same machine in the same run, and what it costs to supervise them. A process for each measurement; a wrong result fails
 * it, a slow one never does. What has no floor (shares of a core, memory) is printed below the table with its bar.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Measured, Work } from './agent-subjects/child.ts';
import { type BenchRow, median, percentile, report } from './bench-table.ts';

const FLEET = 20;
const IDLE_AGENTS = 50;
const MEGABYTE = 1024 * 1024;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    json: { type: 'string' },
  },
});
const rounds = flags.quick ? 8 : 30;
const folder = await mkdtemp(join(tmpdir(), 'bench-agents-'));
const rows: BenchRow[] = [];
/** What has no floor: what was measured, and the bar. */
const figures: string[] = [];

async function measure<Name extends keyof Work>(name: Name, work: Work[Name]): Promise<Measured[Name]> {
  const data = await mkdtemp(join(folder, `${name}-`));
  const child = fork(join(import.meta.dirname, 'agent-subjects/child.ts'), [
    name,
    data,
    JSON.stringify(work),
  ]);
  const exited = once(child, 'exit').then(() => {
    throw new Error(`The measurement of ${name} failed; see above.`);
  });
  const [result] = await Promise.race([once(child, 'message'), exited]);
  await exited.catch(() => undefined);
  process.stderr.write(`${name}: measured\n`);
  return result as Measured[Name];
}

function addRow(
  name: string,
  subject: string,
  role: BenchRow['role'],
  times: number[],
  floor: number[],
): void {
  rows.push({
    case: name,
    subject,
    role,
    p50ms: median(times),
    p95ms: percentile(times, 0.95),
    p99ms: percentile(times, 0.99),
    opsPerSecond: 1000 / median(times),
    ratioToFloor: median(times) / median(floor),
  });
}

/** Floor, ours, floor: a machine that gets busier or calmer meanwhile shows in both. */
async function againstForks(
  name: string,
  count: number,
  subjects: Record<string, () => Promise<number[]>>,
): Promise<void> {
  const floor = await measure('forks', { rounds: Math.ceil(rounds / 2), count });
  const ours: [string, number[]][] = [];
  for (const [subject, times] of Object.entries(subjects)) ours.push([subject, await times()]);
  floor.push(...(await measure('forks', { rounds: Math.ceil(rounds / 2), count })));
  addRow(name, `fork${count === 1 ? '' : ` × ${count}`}, first message`, 'floor', floor, floor);
  for (const [subject, times] of ours) {
    addRow(name, subject, 'ours', times, floor);
    figures.push(
      `${name}, ${subject}: p95 is ${(percentile(times, 0.95) / percentile(floor, 0.95)).toFixed(2)} × the p95 of the floor`,
    );
  }
}

const CASES: Record<string, () => Promise<void>> = {
  start: () =>
    againstForks('start of a built-in agent (bar: 2.5)', 1, {
      'started, initialized, probed': () => measure('starts', { rounds }),
    }),
  recovery: () =>
    againstForks('kill → ready again (bars: cold 2, warm 15 ms)', 1, {
      cold: () => measure('kills', { rounds, keepSpare: false }),
      'with a warm spare': () => measure('kills', { rounds, keepSpare: true }),
    }),
  fleet: () =>
    againstForks(`${FLEET} killed at once → all ready (bar: 1.5)`, FLEET, {
      'all ready': () => measure('massKills', { rounds: Math.ceil(rounds / 3), count: FLEET }),
    }),
  async stall() {
    const { direct, ours } = await measure('stalls', { rounds });
    addRow('event loop stands still for a spawn, 1 GB held (bar: 2 ms)', 'spawn', 'floor', direct, direct);
    addRow('event loop stands still for a spawn, 1 GB held (bar: 2 ms)', 'launcher', 'ours', ours, direct);
  },
  async idle() {
    const { percent, privateBytes } = await measure('idle', {
      count: IDLE_AGENTS,
      ms: flags.quick ? 10_000 : 60_000,
    });
    figures.push(
      `${IDLE_AGENTS} idle agents cost ${percent.toFixed(1)} % of a core (bar: 2)`,
      `private memory of a built-in agent: ${(privateBytes / MEGABYTE).toFixed(1)} MiB (bar: 25)`,
    );
  },
  async crashes() {
    const percent = await measure('crashLoop', { ms: flags.quick ? 20_000 : 60_000 });
    figures.push(`an agent that crashes for ever costs ${percent.toFixed(2)} % of a core (bar: 1)`);
  },
  async streams() {
    const perSecond = 50;
    const seconds = flags.quick ? 5 : 20;
    const work = { agents: 5, sessions: 100, pieces: perSecond * seconds, perSecond };
    const { latenciesMs, expected, cpuPercent } = await measure('streams', work);
    if (latenciesMs.length !== expected) throw new Error(`${latenciesMs.length} of ${expected} pieces came`);
    addRow(
      '100 sessions × 50 pieces/s → subscriber (bar: p95 10 ms)',
      'agent to event stream',
      'ours',
      latenciesMs,
      latenciesMs,
    );
    figures.push(
      `${expected} pieces streamed, none lost; the runtime took ${cpuPercent.toFixed(0)} % of a core`,
    );
  },
};

try {
  for (const [name, run] of Object.entries(CASES)) {
    if (flags.only === undefined || flags.only.includes(name)) await run();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
await report(rows, flags.json);
for (const figure of figures) console.log(figure);
