/**
 * `npm run bench:storage [-- --quick] [--json FILE]`: the sqlite adapter against raw better-sqlite3 on the same work, in the
 * same run. A process for each subject, rounds interleaved, the median of the rounds; a wrong result fails it, a slow one
 * never does.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchRow, benchFlags, median, percentile, report } from './bench-table.ts';
import { type CaseName, CLIENTS, MESSAGES, type RoundResult } from './storage-subjects/work.ts';

interface SubjectOfCase {
  child: string;
  subject: string;
  role: BenchRow['role'];
}

interface Case {
  name: CaseName;
  title: string;
  /** What the ratio is of. */
  ratio: 'p50' | 'throughput';
  /** The floor first. */
  subjects: SubjectOfCase[];
}

const RAW = 'better-sqlite3 FULL';
const CASES: Case[] = [
  {
    name: 'append',
    title: 'durable append, one client',
    ratio: 'p50',
    subjects: [
      { child: 'raw-one-by-one', subject: RAW, role: 'floor' },
      { child: 'ours', subject: 'sqlite adapter', role: 'ours' },
    ],
  },
  {
    name: 'clients',
    title: `durable append, ${CLIENTS} clients (× throughput)`,
    ratio: 'throughput',
    subjects: [
      { child: 'raw-together', subject: `${RAW}, ${CLIENTS} a transaction`, role: 'floor' },
      { child: 'ours', subject: 'sqlite adapter', role: 'ours' },
      { child: 'raw-one-by-one', subject: `${RAW}, one by one`, role: 'peer' },
    ],
  },
  {
    name: 'load',
    title: `load of a ${MESSAGES}-message session`,
    ratio: 'p50',
    subjects: [
      { child: 'raw-one-by-one', subject: RAW, role: 'floor' },
      { child: 'ours', subject: 'sqlite adapter', role: 'ours' },
    ],
  },
];

const { quick, json } = benchFlags();
const ROUNDS = quick ? 3 : 7;
const OPERATIONS = quick ? 1_000 : 2_000;

const folder = await mkdtemp(join(tmpdir(), 'bench-storage-'));
const children = new Map<string, ChildProcess>();
for (const name of ['raw-together', 'raw-one-by-one', 'ours']) {
  const child = fork(join(import.meta.dirname, 'storage-subjects', 'child.ts'), [
    name,
    await mkdtemp(join(folder, 'data-')),
  ]);
  children.set(name, child);
  await answerOf(child);
}

const rounds = new Map<SubjectOfCase, RoundResult[]>();
for (let round = 0; round <= ROUNDS; round++) {
  for (const { name, subjects } of CASES) {
    for (const subject of subjects) {
      const result = (await ask(subject.child, { case: name, operations: OPERATIONS })) as RoundResult;
      // The first round warms up.
      if (round > 0) rounds.set(subject, [...(rounds.get(subject) ?? []), result]);
    }
  }
  process.stderr.write(round === 0 ? 'warmed up\n' : `round ${round} of ${ROUNDS}\n`);
}
for (const name of children.keys()) await ask(name, 'verify');
for (const child of children.values()) {
  const ended = once(child, 'exit');
  child.send('end');
  await ended;
}
await rm(folder, { recursive: true });

await report(CASES.flatMap(rowsOf), json);

function rowsOf({ title, ratio, subjects }: Case): BenchRow[] {
  const figure = ({ latencies, seconds }: RoundResult) =>
    ratio === 'p50' ? percentile(latencies, 0.5) : latencies.length / seconds;
  const floor = roundsOf(subjects[0]).map(figure);
  return subjects.map((subject) => {
    const own = roundsOf(subject);
    return {
      case: title,
      subject: subject.subject,
      role: subject.role,
      p50ms: median(own.map(({ latencies }) => percentile(latencies, 0.5))),
      p95ms: median(own.map(({ latencies }) => percentile(latencies, 0.95))),
      p99ms: median(own.map(({ latencies }) => percentile(latencies, 0.99))),
      opsPerSecond: median(own.map(({ latencies, seconds }) => latencies.length / seconds)),
      ratioToFloor: median(own.map((result, i) => figure(result) / (floor[i] as number))),
    };
  });
}

function roundsOf(subject: SubjectOfCase | undefined): RoundResult[] {
  const found = subject && rounds.get(subject);
  if (found === undefined) throw new Error('A subject was never run.');
  return found;
}

async function ask(name: string, question: object | string): Promise<unknown> {
  const child = children.get(name);
  if (child === undefined) throw new Error(`There is no subject ${name}.`);
  child.send(question);
  return answerOf(child);
}

/** A child that ends instead of answering had a wrong result. */
async function answerOf(child: ChildProcess): Promise<unknown> {
  const stop = new AbortController();
  const { signal } = stop;
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([message]) => message as unknown),
      once(child, 'exit', { signal }).then(() => {
        throw new Error('A subject failed; see above.');
      }),
    ]);
  } finally {
    stop.abort();
  }
}
