/** Measures in a process of its own what must not grow with the data; answers with {@link Costs} or {@link Streamed} and ends. */
import type { Operation, Storage } from '../../runtime/storage/storage.ts';
import { type AdapterName, makeOurs } from './our-storage.ts';
import { message, sessionDocument } from './work.ts';

interface Sized {
  size: number;
  /** Milliseconds of each operation. */
  latencies: number[];
}

export interface Costs {
  comparisons: { title: string; small: Sized; large: Sized }[];
}

export interface Streamed {
  bytes: number;
  seconds: number;
  idleBytes: number;
  peakBytes: number;
}

const PAGE = 50;
const MEASURED = 1_000;
const CHUNK = 5_000;
const MEBIBYTE = 1024 * 1024;

const [step = '', type = '', folder = '', places = '{}', scale = '1'] = process.argv.slice(2);
const LARGE = 100_000 * Number(scale);
const SNAPSHOT_BYTES = 1024 * MEBIBYTE * Number(scale);

// A benchmark that was killed must not leave it behind.
process.on('disconnect', () => process.exit());
const storage = await makeOurs(type as AdapterName, folder, JSON.parse(places));
await storage.open();
let answer: Costs | Streamed;
if (step === 'costs') {
  answer = { comparisons: [await appends(storage), await firstPages(storage)] };
  await fillBulk(storage);
} else {
  answer = await streamed(storage);
}
await storage.close();
process.send?.(answer);
process.disconnect?.();

async function appends(storage: Storage): Promise<Costs['comparisons'][number]> {
  const small: Sized = { size: 10, latencies: [] };
  const large: Sized = { size: LARGE, latencies: [] };
  const append = (log: string, number: number): Operation => ({
    kind: 'append',
    log,
    value: message('growing', number),
  });
  const fill = (log: string, size: number) =>
    inChunks(size, (from, to) =>
      storage.commit(Array.from({ length: to - from }, (_, i) => append(log, from + i + 1))),
    );
  await fill('messages/large', LARGE);
  // Several short ones, so that none of them becomes long by being measured.
  const shorts = Array.from({ length: MEASURED / 10 }, (_, i) => `messages/small-${i}`);
  for (const log of shorts) await fill(log, small.size);
  for (let i = 0; i < MEASURED; i++) {
    const log = shorts[i % shorts.length] as string;
    await timed(small, () => storage.commit([append(log, i)]));
    const results = await timed(large, () => storage.commit([append('messages/large', i)]));
    if (results[0]?.sequence !== LARGE + i + 1)
      throw new Error(`The wrong number: ${JSON.stringify(results)}`);
  }
  return { title: 'append to a session with so many messages', small, large };
}

async function firstPages(storage: Storage): Promise<Costs['comparisons'][number]> {
  const small: Sized = { size: 100, latencies: [] };
  const large: Sized = { size: LARGE, latencies: [] };
  const collections = [
    { sized: small, collection: 'few_sessions' },
    { sized: large, collection: 'many_sessions' },
  ];
  // By a number that jumps about, as sessions that are used in no order.
  const placeOf = (i: number, size: number) => (i * 7_919) % size;
  for (const { sized, collection } of collections) {
    await inChunks(sized.size, (from, to) =>
      storage.commit(
        Array.from({ length: to - from }, (_, i): Operation => {
          const place = placeOf(from + i, sized.size);
          const value = sessionDocument(`session-${from + i}`, place);
          const index = { title: value.title, state: value.state, updatedAt: value.updatedAt };
          return { kind: 'put', collection, id: `session-${from + i}`, value, index };
        }),
      ),
    );
  }
  for (let i = 0; i < MEASURED; i++) {
    for (const { sized, collection } of collections) {
      const { items } = await timed(sized, () =>
        storage.list<{ messages: number }>(collection, {
          orderBy: { field: 'updatedAt', direction: 'descending' },
          limit: PAGE,
        }),
      );
      if (items.length !== PAGE || items[PAGE - 1]?.value.messages !== sized.size - PAGE) {
        throw new Error(`The wrong page of ${collection}: ${JSON.stringify(items[PAGE - 1])}`);
      }
    }
  }
  return { title: `first page of ${PAGE} of so many sessions`, small, large };
}

/** What the snapshot has to stream: entries of 100 KB. */
async function fillBulk(storage: Storage): Promise<void> {
  const text = 'lorem ipsum "dolor" sit amet, '.repeat(3_300);
  const entries = Math.ceil(SNAPSHOT_BYTES / text.length);
  const append = (i: number): Operation => ({ kind: 'append', log: 'bulk', value: `${i} ${text}` });
  await inChunks(
    entries,
    (from, to) => storage.commit(Array.from({ length: to - from }, (_, i) => append(from + i))),
    50,
  );
}

async function streamed(storage: Storage): Promise<Streamed> {
  const idleBytes = await idle();
  let peakBytes = idleBytes;
  let bytes = 0;
  const begun = performance.now();
  for await (const records of storage.snapshot()) {
    for (const record of records) if (record.kind !== 'log') bytes += record.json.length;
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  }
  const seconds = (performance.now() - begun) / 1000;
  if (bytes < SNAPSHOT_BYTES) throw new Error(`The snapshot had only ${bytes} bytes.`);
  return { bytes, seconds, idleBytes, peakBytes };
}

/** The memory of the process when it has nothing to do. */
async function idle(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i++) {
    globalThis.gc?.();
    // V8 and the allocator give pages back behind the scenes and tell nobody: a second in all, of which the least counts.
    await new Promise((resolve) => setTimeout(resolve, 100));
    least = Math.min(least, process.memoryUsage.rss());
  }
  return least;
}

async function timed<T>(sized: Sized, work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const result = await work();
  sized.latencies.push(performance.now() - begun);
  return result;
}

async function inChunks(
  count: number,
  work: (from: number, to: number) => Promise<unknown>,
  chunk = CHUNK,
): Promise<void> {
  for (let from = 0; from < count; from += chunk) await work(from, Math.min(from + chunk, count));
}
