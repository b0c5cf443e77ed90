/**
 * `npm run bench:backup`: backup (read back and checked) and restore of a SQLite store, against the floor on the same data:
 * better-sqlite3's own online `.backup()`, which checks nothing and is no archive. Beside the times: how long the event
 * loop stood still at most, and how much memory the work took. Fails when a restore is not identical, never on a slow one.
 */
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { contentHash, createRig, type Rig } from '../runtime/backup/backup.fixture.ts';
import type { Operation } from '../runtime/storage/storage.ts';

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
});
const MEGABYTES = values.quick ? 60 : 500;
const ROUNDS = values.quick ? 3 : 5;
const MESSAGES = 40;
const WORDS =
  'agent session turn prompt answer tool event storage backup restore health alert drill echo stream'.split(
    ' ',
  );

interface Measure {
  milliseconds: number;
  /** The longest time in which nothing else could run. */
  stall: number;
  /** Bytes of memory at the peak, over those before. */
  memory: number;
}

let seed = 1;
/** Text that compresses about as prose does, the same in each run. */
function text(words: number): string {
  const chosen: string[] = [];
  for (let i = 0; i < words; i++) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    chosen.push(`${WORDS[seed % WORDS.length]}${seed % 7 === 0 ? seed.toString(36) : ''}`);
  }
  return chosen.join(' ');
}

async function fill(rig: Rig): Promise<void> {
  const sessions = Math.ceil((MEGABYTES * 1e6) / 20_000);
  for (let start = 0; start < sessions; start += 100) {
    const operations: Operation[] = [];
    for (let i = start; i < start + 100; i++) {
      const id = `session${String(i).padStart(8, '0')}`;
      operations.push({
        kind: 'put',
        collection: 'sessions',
        id,
        value: { id, title: text(5) },
        index: { updatedAt: i },
      });
      for (let message = 0; message < MESSAGES; message++) {
        operations.push({ kind: 'append', log: `messages/${id}`, value: { role: 'agent', text: text(62) } });
      }
    }
    await rig.storage.commit(operations);
  }
}

async function measure(work: () => Promise<unknown>): Promise<Measure> {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startedAt = performance.now();
  await work();
  const milliseconds = performance.now() - startedAt;
  delay.disable();
  clearInterval(watch);
  return { milliseconds, stall: delay.max / 1e6, memory: peak - before };
}

async function databaseFile(dataDir: string): Promise<string> {
  const folder = join(dataDir, 'storage');
  let largest = { path: '', size: 0 };
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const { size } = await stat(path);
    if (name.endsWith('.sqlite') && size > largest.size) largest = { path, size };
  }
  return largest.path;
}

const dataDir = await mkdtemp(join(tmpdir(), 'smalltalk-bench-'));
const results = new Map<string, { role: 'floor' | 'ours'; measures: Measure[] }>();
const note = (subject: string, role: 'floor' | 'ours', one: Measure) => {
  const result = results.get(subject) ?? { role, measures: [] };
  result.measures.push(one);
  results.set(subject, result);
};
try {
  const rig = await createRig({ type: 'sqlite', dataDir });
  try {
    await fill(rig);
    const { sizeBytes } = await rig.storage.stats();
    console.log(`${(sizeBytes / 1e6).toFixed(0)} MB in SQLite, ${ROUNDS} rounds\n`);
    const expected = await contentHash(rig.storage);
    for (let round = 0; round < ROUNDS; round++) {
      const raw = new Database(await databaseFile(dataDir), { readonly: true });
      const copy = join(dataDir, 'copy.sqlite');
      note('better-sqlite3 .backup()', 'floor', await measure(() => raw.backup(copy)));
      raw.close();
      await rm(copy);
      let id = '';
      const backup = await measure(async () => {
        id = await rig.backUp();
      });
      note('backup, read back and checked', 'ours', backup);
      const restore = await measure(() => rig.succeed(rig.backups.restore(id, rig.context)));
      note('restore with safety copy', 'ours', restore);
      if ((await contentHash(rig.storage)) !== expected)
        throw new Error('The restored data is not identical');
      for (const { id: made } of (await rig.backups.list()).items) await rig.backups.delete(made);
    }
    report(sizeBytes);
    if (values.json !== undefined) await writeFile(values.json, JSON.stringify(rows(), null, 2));
  } finally {
    await rig.close();
  }
} finally {
  await rm(dataDir, { recursive: true, force: true });
}

function quantile(numbers: number[], share: number): number {
  return (
    numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ?? 0
  );
}

function rows() {
  const times = (measures: Measure[]) => measures.map(({ milliseconds }) => milliseconds);
  const floor = quantile(times(results.get('better-sqlite3 .backup()')?.measures ?? []), 0.5);
  return [...results].map(([subject, { role, measures }]) => {
    const p50ms = quantile(times(measures), 0.5);
    return {
      case: 'backup',
      subject,
      role,
      p50ms,
      p95ms: quantile(times(measures), 0.95),
      p99ms: quantile(times(measures), 0.99),
      opsPerSecond: 1000 / p50ms,
      ratioToFloor: p50ms / floor,
    };
  });
}

function report(sizeBytes: number): void {
  const table = rows().map(({ subject, p50ms, ratioToFloor }) => {
    const measures = results.get(subject)?.measures ?? [];
    return {
      subject,
      'p50 ms': Math.round(p50ms),
      'MB/s': Math.round(sizeBytes / 1000 / p50ms),
      'x floor': Number(ratioToFloor.toFixed(2)),
      'longest stall ms': Math.round(Math.max(...measures.map(({ stall }) => stall))),
      'memory MB': Math.round(Math.max(...measures.map(({ memory }) => memory)) / 1e6),
    };
  });
  console.table(table);
}
