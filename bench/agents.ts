/**
 * `npm run bench:agents [-- --quick] [--only CASE] [--json FILE]`: how fast agents start and come back, against a raw `fork` on the
 * same machine in the same run, and what it costs to supervise them. A process for each measurement; a wrong result fails
 * it, a slow one never does. What has no floor (shares of a core, memory) is printed below the table with its bar.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
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
const rounds = flags.quick ? 9 : 30;
const TURNS = 3;
const folder = await mkdtemp(join(tmpdir(), 'bench-agents-'));
const loadBefore = loadOf();
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

/** The median over the turns. */
function ratio(ours: number[][], floors: number[][], share: number): number {
  return median(
    ours.map((times, turn) => percentile(times, share) / percentile(floors[turn] as number[], share)),
  );
}

/** `turns`: the times of each turn. */
function addRow(
  name: string,
  subject: string,
  role: BenchRow['role'],
  turns: number[][],
  floors: number[][],
): void {
  const times = turns.flat();
  rows.push({
    case: name,
    subject,
    role,
    p50ms: median(times),
    p95ms: percentile(times, 0.95),
    p99ms: percentile(times, 0.99),
    opsPerSecond: 1000 / median(times),
    ratioToFloor: ratio(turns, floors, 0.5),
  });
}

/** The floor and ours take turns, so that a machine that gets busier or calmer meanwhile shows in both. */
async function againstForks(
  name: string,
  count: number,
  work: number,
  subjects: Record<string, (rounds: number) => Promise<number[]>>,
): Promise<void> {
  const floors: number[][] = [];
  const ours = new Map<string, number[][]>(Object.keys(subjects).map((subject) => [subject, []]));
  for (let turn = 0; turn < TURNS; turn++) {
    const turnRounds = Math.ceil(work / TURNS);
    floors.push(await measure('forks', { rounds: turnRounds, count }));
    for (const [subject, times] of Object.entries(subjects)) ours.get(subject)?.push(await times(turnRounds));
  }
  const floorName = count === 1 ? 'fork, first message' : `fork × ${count}, first messages`;
  addRow(name, floorName, 'floor', floors, floors);
  for (const [subject, times] of ours) {
    addRow(name, subject, 'ours', times, floors);
    figures.push(
      `${name}, ${subject}: p95 is ${ratio(times, floors, 0.95).toFixed(2)} × the p95 of the floor`,
    );
  }
}

const CASES: Record<string, () => Promise<void>> = {
  start: () =>
    againstForks('start of a built-in agent (bar: 2.5)', 1, rounds, {
      'started, initialized, probed': (turnRounds) => measure('starts', { rounds: turnRounds }),
    }),
  recovery: () =>
    againstForks('kill → ready again (bars: cold 2, warm 15 ms)', 1, rounds, {
      cold: (turnRounds) => measure('kills', { rounds: turnRounds, keepSpare: false }),
      'with a warm spare': (turnRounds) => measure('kills', { rounds: turnRounds, keepSpare: true }),
    }),
  fleet: () =>
    againstForks(`${FLEET} killed at once → all ready (bar: 1.5)`, FLEET, Math.ceil(rounds / 2), {
      'all ready': (turnRounds) => measure('massKills', { rounds: turnRounds, count: FLEET }),
    }),
  async stall() {
    const { direct, ours } = await measure('stalls', { rounds });
    addRow(
      'event loop stands still for a spawn, 1 GB held (bar: 2 ms)',
      'spawn',
      'floor',
      [direct],
      [direct],
    );
    addRow(
      'event loop stands still for a spawn, 1 GB held (bar: 2 ms)',
      'launcher',
      'ours',
      [ours],
      [direct],
    );
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
      [latenciesMs],
      [latenciesMs],
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
console.log(`load of the machine, this benchmark included: ${loadBefore} before, ${loadOf()} after`);

/** How many wanted a processor, on average over the last minute. */
function loadOf(): string {
  return (loadavg()[0] as number).toFixed(1);
}
