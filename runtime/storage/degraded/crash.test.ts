import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isCoded } from '../../base/errors.ts';
import { DegradedStorage } from '../degraded.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { ServerAnswer, ServerCall, Told } from './crash-child.fixture.ts';
import { journalFiles } from './journal-file.ts';
import { RemoteStorage } from './remote.fixture.ts';

/** More on demand: `SMALLTALK_CYCLES=200 npx vitest run runtime/storage/degraded/crash.test.ts`. */
const CYCLES = Number(process.env.SMALLTALK_CYCLES ?? 25);

type Weather = 'there' | 'before' | 'after' | 'hang';

/** Numbers from 0 to 1 that are the same with the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The server, over which the weather changes every few calls. */
class Server {
  readonly storage = new MemoryStorage();
  readonly seen = { commits: 0, outages: 0 };
  readonly #random: () => number;
  #weather: Weather = 'there';
  #rest = 50;

  constructor(random: () => number) {
    this.#random = random;
  }

  async answer({ call, name, input }: ServerCall): Promise<ServerAnswer | undefined> {
    const weather = this.#next();
    // Opening is bounded by the adapter, which this one does not have.
    if (weather === 'hang' && name !== 'open') return undefined;
    const lost = {
      call,
      error: { code: 'storage.unreachable', message: 'The connection was lost.', data: {} },
    };
    if (weather === 'before' || weather === 'hang') return lost;
    try {
      if (name === 'commit') this.seen.commits += 1;
      const output =
        name === 'info'
          ? { product: 'Remote 1.0', location: 'remote:1', latencyMs: 0, notices: [] }
          : await (this.storage[name] as (...all: unknown[]) => Promise<unknown>).apply(this.storage, input);
      return weather === 'after' ? lost : { call, output };
    } catch (error) {
      if (!isCoded(error)) throw error;
      return { call, error: { code: error.code, message: error.message, data: error.data } };
    }
  }

  #next(): Weather {
    this.#rest -= 1;
    if (this.#rest <= 0) {
      const was = this.#weather;
      const others: Weather[] = ['before', 'after', 'hang'];
      this.#weather = was === 'there' ? (others[Math.floor(this.#random() * 3)] ?? 'before') : 'there';
      // It is away for a few calls, which are mostly probes, and there for many.
      this.#rest = this.#weather === 'there' ? 20 + this.#random() * 400 : 1 + this.#random() * 6;
      if (was === 'there') this.seen.outages += 1;
    }
    return this.#weather;
  }
}

/** One life of a writing process, ended by SIGKILL after so many messages; told why when it ends by itself. */
async function live(server: Server, folder: string, cycle: number, messages: number) {
  const acknowledged: string[] = [];
  let ended: string | undefined;
  let left = messages;
  const child = fork(join(import.meta.dirname, 'crash-child.fixture.ts'), [folder, String(cycle)]);
  const exited = once(child, 'exit');
  // An outage brings few messages: its life is not to last for ever.
  const old = setTimeout(() => child.kill('SIGKILL'), 2_500);
  child.on('message', (told: Told) => {
    left -= 1;
    if (left === 0) child.kill('SIGKILL');
    if ('acknowledged' in told) acknowledged.push(told.acknowledged);
    else if ('ended' in told) ended = told.ended;
    else {
      void server.answer(told).then((answer) => {
        if (answer !== undefined && child.connected) child.send(answer, () => undefined);
      });
    }
  });
  await exited;
  clearTimeout(old);
  return { acknowledged, ended };
}

it('loses and doubles nothing of what was acknowledged, over outages and kills in all of their phases', {
  timeout: 30_000 + CYCLES * 10_000,
}, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = randomOf(seed);
  const folder = await mkdtemp(join(tmpdir(), 'smalltalk-degraded-crash-'));
  const server = new Server(random);
  await server.storage.open();
  const acknowledged: string[] = [];
  let leftJournals = 0;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const life = await live(server, folder, cycle, 5 + Math.floor(random() ** 2 * 4_000));
    acknowledged.push(...life.acknowledged);
    if ((await journalFiles(folder)).length > 0) leftJournals += 1;
    expect([undefined, 'storage.unreachable'], `seed ${seed}`).toContain(life.ended);
  }
  // What the last one has left behind is taken over by the next start.
  const last = new DegradedStorage({ storage: new RemoteStorage({}, server.storage), folder });
  await last.open();
  await last.close();

  const kept = await everything(server.storage, 'events');
  const counts = new Map<string, number>();
  for (const value of kept) counts.set(value, (counts.get(value) ?? 0) + 1);
  const doubled = [...counts].filter(([, count]) => count > 1);
  const lost = acknowledged.filter((value) => !counts.has(value));
  expect({ lost, doubled }, `seed ${seed}`).toEqual({ lost: [], doubled: [] });
  for (let writer = 0; writer < 4; writer++) {
    const messages = await everything(server.storage, `messages/${writer}`);
    expect(messages, `seed ${seed}`).toEqual(kept.filter((value) => value.split('.')[1] === String(writer)));
    expect(messages.toSorted(byTime), `seed ${seed}`).toEqual(messages);
    expect((await server.storage.get('last', String(writer)))?.value).toBe(messages.at(-1));
  }
  expect(acknowledged.length).toBeGreaterThan(CYCLES * 20);
  expect(server.seen.outages).toBeGreaterThan(0);
  expect(leftJournals, `seed ${seed}`).toBeGreaterThan(0);
  await server.storage.close();
  await rm(folder, { recursive: true, force: true });
});

async function everything(storage: MemoryStorage, log: string): Promise<string[]> {
  const values: string[] = [];
  for (let after = 0; ; ) {
    const page = await storage.read<string>(log, { after, limit: 10_000 });
    values.push(...page.map(({ value }) => value));
    const end = page.at(-1);
    if (end === undefined) return values;
    after = end.sequence;
  }
}

function byTime(a: string, b: string): number {
  const [cycleA = 0, , nA = 0] = a.split('.').map(Number);
  const [cycleB = 0, , nB = 0] = b.split('.').map(Number);
  return cycleA - cycleB || nA - nB;
}
