/** What must not grow with the data: the price of an append and of a page, and the memory that a snapshot takes. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type BenchRow, median, percentile } from './bench-table.ts';
import type { Costs, Streamed } from './storage-subjects/growth-child.ts';
import type { AdapterName } from './storage-subjects/our-storage.ts';
import type { Places } from './storage-subjects/work.ts';

/**
 * Two rows for each of: an append to a log of 10 and of 100,000 entries, the first page of a list of 100 and of 100,000
 * documents. What the memory of the process grew by while a snapshot was streamed is printed.
 */
export async function measureGrowth(
  adapter: AdapterName,
  folder: string,
  places: Places,
  quick: boolean,
): Promise<BenchRow[]> {
  const scale = quick ? 0.1 : 1;
  const { comparisons } = await ask<Costs>('costs', adapter, folder, places, scale);
  // In a process that has not worked before: one that has holds memory that it could use again, and would look frugal.
  const snapshot = await ask<Streamed>('snapshot', adapter, folder, places, scale);
  const mebibytes = (bytes: number) => Math.round(bytes / 1024 / 1024);
  console.log(
    `${adapter}: while a snapshot of ${mebibytes(snapshot.bytes)} MiB streamed in ${snapshot.seconds.toFixed(1)} s, ` +
      `the process held at most ${mebibytes(snapshot.peakBytes - snapshot.idleBytes)} MiB more than idle ` +
      `(${mebibytes(snapshot.idleBytes)} MiB).`,
  );
  return comparisons.flatMap(({ title, small, large }) => {
    const floor = percentile(small.latencies, 0.5);
    return [small, large].map(({ size, latencies }): BenchRow => {
      return {
        case: `${adapter}: ${title}`,
        subject: size.toLocaleString('en-US'),
        role: size === small.size ? 'floor' : 'ours',
        p50ms: median(latencies),
        p95ms: percentile(latencies, 0.95),
        p99ms: percentile(latencies, 0.99),
        opsPerSecond: 1000 / median(latencies),
        ratioToFloor: percentile(latencies, 0.5) / floor,
      };
    });
  });
}

/** Runs one step of `growth-child.ts` and resolves with its answer. */
async function ask<Answer>(
  step: 'costs' | 'snapshot',
  adapter: AdapterName,
  folder: string,
  places: Places,
  scale: number,
): Promise<Answer> {
  const program = join(import.meta.dirname, 'storage-subjects', 'growth-child.ts');
  const child = fork(program, [step, adapter, folder, JSON.stringify(places), String(scale)], {
    execArgv: ['--expose-gc'],
  });
  const ended = once(child, 'exit');
  const [answer] = await Promise.race([
    once(child, 'message'),
    ended.then(() => {
      throw new Error(`The growth of ${adapter} could not be measured (${step}); see above.`);
    }),
  ]);
  await ended;
  return answer as Answer;
}
