/**
 * `npm run bench:start`: how long a cold start takes until the console can be used, what the idle runtime holds of memory
 * that no other process shares, and how much JavaScript the first load needs. The floor of the start is Node itself.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Product, startHeadless } from '../e2e/start-headless.ts';
import { type BenchRow, benchFlags, median, percentile, report } from './bench-table.ts';

const { quick, json } = benchFlags();
const ROUNDS = quick ? 3 : 9;
/** Seconds after the start at which the memory is read: the agents are up and the garbage of the start is gone. */
const IDLE_SECONDS = quick ? 5 : 20;

/** Milliseconds from spawn to exit of a Node process that does nothing. */
async function bareNode(): Promise<number> {
  const startedAt = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return performance.now() - startedAt;
}

/** Bytes that belong to the process alone (Linux). */
async function privateBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return [...text.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].reduce(
    (sum, match) => sum + Number(match[1]) * 1024,
    0,
  );
}

/** Everything that index.html loads, and what those modules import at once, gzipped. */
async function firstLoadBytes(product: Product): Promise<number> {
  const headers = { authorization: `Bearer ${product.token}`, accept: 'text/html' };
  const text = async (path: string) => (await fetch(new URL(path, product.origin), { headers })).text();
  const index = await text('/');
  const pending = [...index.matchAll(/(?:src|href)="([^"]+\.js)"/g)].map((match) => match[1] ?? '');
  const seen = new Set<string>();
  let bytes = 0;
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const source = await text(path);
    bytes += gzipSync(source).length;
    for (const match of source.matchAll(
      /(?:^|[;}\s])(?:import|export)[^"'()]{0,20000}?["'](\.\/[^"']+\.js)["']/g,
    )) {
      pending.push(new URL(match[1] ?? '', new URL(path, product.origin)).pathname);
    }
  }
  return bytes;
}

const floor: number[] = [];
const cold: number[] = [];
let memory = 0;
let javascript = 0;
for (let round = 0; round <= ROUNDS; round++) {
  const dataDir = await mkdtemp(join(tmpdir(), 'smalltalk-bench-'));
  const bare = await bareNode();
  const startedAt = performance.now();
  const product = await startHeadless({ dataDir });
  const page = await fetch(product.origin, {
    headers: { authorization: `Bearer ${product.token}`, accept: 'text/html' },
  });
  const body = await page.text();
  const elapsed = performance.now() - startedAt;
  if (page.status !== 200 || !body.includes('<div id="root"')) throw new Error('The console was not served');
  // The first round warms the disk.
  if (round > 0) {
    floor.push(bare);
    cold.push(elapsed);
  }
  if (round === ROUNDS) {
    javascript = await firstLoadBytes(product);
    await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
    memory = process.platform === 'linux' ? await privateBytes(product.pid) : 0;
  }
  await product.stop();
  await rm(dataDir, { recursive: true, force: true });
}

const row = (subject: string, role: BenchRow['role'], times: number[]): BenchRow => ({
  case: 'cold start',
  subject,
  role,
  p50ms: median(times),
  p95ms: percentile(times, 0.95),
  p99ms: percentile(times, 0.99),
  opsPerSecond: 1000 / median(times),
  ratioToFloor: median(times) / median(floor),
});
await report([row('node -e 0', 'floor', floor), row('headless, console served', 'ours', cold)], json);
console.log(`private memory of the idle runtime: ${(memory / 1024 / 1024).toFixed(0)} MiB`);
console.log(`first-load JavaScript, gzipped: ${(javascript / 1024).toFixed(0)} KiB`);
