import type { SnapshotRecord, Storage, StorageFault } from '../storage.ts';
import { type FaultRig, openRig } from './rig-storage.ts';

/** A commit after the last failure must be acknowledged, and the data opened, at the latest the so-manieth time. */
const TRIES = 5;

/** The numbers of the commits. */
export interface SentCommits {
  acknowledged: number[];
  attempted: number[];
}

/** One use of a storage while something fails under it, with what it must and what it may hold. */
export class Trial {
  readonly #rig: FaultRig;
  readonly #dataDir: string;
  /** What is wrong for certain. */
  readonly problems: string[] = [];
  readonly faults: StorageFault[] = [];
  /** What was refused, and with which words. */
  readonly refusals: { what: string; thrown: unknown }[] = [];
  readonly #acknowledged: Set<number>;
  readonly #attempted: Set<number>;
  #last: number;

  constructor(rig: FaultRig, dataDir: string, sent: SentCommits = { acknowledged: [], attempted: [] }) {
    this.#rig = rig;
    this.#dataDir = dataDir;
    this.#acknowledged = new Set(sent.acknowledged);
    this.#attempted = new Set(sent.attempted);
    this.#last = Math.max(0, ...sent.attempted);
  }

  /** `failNoMore` is called when nothing may fail from there on: what does not work then is a problem. */
  async use(failNoMore: () => void): Promise<void> {
    const storage = await this.#openAtLast(failNoMore);
    if (storage === undefined) return;
    for (let i = 0; i < 3; i++) await this.#commit(storage);
    await Promise.all(Array.from({ length: 4 }, () => this.#commit(storage)));
    await this.#compare(storage, 'in use');
    await this.#switchGeneration(storage);
    await this.#commit(storage);
    await this.#compare(storage, 'after the switch');
    failNoMore();

    for (let tries = 1; !(await this.#commit(storage)); tries++) {
      if (tries < TRIES) continue;
      this.problems.push(`nothing is acknowledged after ${tries} tries, though nothing fails any more`);
      break;
    }
    await this.#compare(storage, 'recovered');
    await storage.close();
  }

  /** What is there must be what was acknowledged. Nothing may fail. */
  async check(): Promise<void> {
    const storage = await this.#open();
    await this.#compare(storage, 'opened again');
    await this.#commit(storage);
    await this.#compare(storage, 'written to again');
    await storage.close();
    this.problems.push(...this.refusals.map(({ what, thrown }) => `${what} rejected with ${String(thrown)}`));
    this.problems.push(...this.faults.map(({ message }) => message));
  }

  /** What another process needs to go on with `check`. */
  sent(): SentCommits {
    return { acknowledged: [...this.#acknowledged], attempted: [...this.#attempted] };
  }

  #open(): Promise<Storage> {
    return openRig(this.#rig, this.#dataDir, this.faults);
  }

  /** Undefined when it could not be opened: then nothing was served, either, and `check` is what counts. */
  async #openAtLast(failNoMore: () => void): Promise<Storage | undefined> {
    for (let tries = 1; tries <= TRIES; tries++) {
      const storage = await this.#attempt('open', () => this.#open());
      if (storage !== undefined) return storage;
      failNoMore();
    }
    return undefined;
  }

  /** Each commit puts a document of its own and one that all share, and appends: all of it is there, or nothing. */
  async #commit(storage: Storage): Promise<boolean> {
    this.#last += 1;
    const number = this.#last;
    this.#attempted.add(number);
    const committed = await this.#attempt(`commit ${number}`, () =>
      storage.commit([
        { kind: 'put', collection: 'documents', id: `document-${number}`, value: number, index: { number } },
        { kind: 'put', collection: 'documents', id: 'shared', value: number },
        { kind: 'append', log: 'numbers', value: number },
      ]),
    );
    if (committed !== undefined) this.#acknowledged.add(number);
    return committed !== undefined;
  }

  /** Undefined when it was refused. */
  async #attempt<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      this.refusals.push({ what, thrown });
      return undefined;
    }
  }

  /** Reads everything by every way, and compares what could be read. */
  async #compare(storage: Storage, when: string): Promise<void> {
    const problem = (text: string) => this.problems.push(`${when}: ${text}`);
    const entries = await this.#attempt(`${when}: read`, () => storage.read<number>('numbers'));
    const listed = await this.#attempt(`${when}: list`, () =>
      storage.list<number>('documents', { limit: 1000 }),
    );
    const ranked = await this.#attempt(`${when}: list by index`, () =>
      storage.list<number>('documents', {
        orderBy: { field: 'number', direction: 'ascending' },
        limit: 1000,
      }),
    );
    const numbers = entries?.map(({ value }) => value) ?? [];
    if (entries !== undefined) {
      if (new Set(numbers).size < numbers.length) problem(`doubled: ${numbers.join()}`);
      for (const number of this.#acknowledged) if (!numbers.includes(number)) problem(`lost ${number}`);
      for (const number of numbers) if (!this.#attempted.has(number)) problem(`never sent ${number}`);
    }
    if (entries !== undefined && listed !== undefined && ranked !== undefined) {
      const own = (items: { id: string; value: number }[]) =>
        items.filter(({ id }) => id !== 'shared').map(({ value }) => value);
      const inOrder = [...numbers].sort((a, b) => a - b).join();
      const byId = own(listed.items).sort((a, b) => a - b);
      if (byId.join() !== inOrder) problem(`documents ${byId.join()}, entries ${inOrder}`);
      if (own(ranked.items).join() !== inOrder) problem(`index ${own(ranked.items).join()}`);
      const shared = listed.items.find(({ id }) => id === 'shared')?.value;
      if (shared !== numbers.at(-1)) problem(`the shared document says ${shared}, the log ${numbers.at(-1)}`);
    }
    const last = this.#acknowledged.size === 0 ? undefined : Math.max(...this.#acknowledged);
    const found = await this.#attempt(`${when}: get`, async () => [
      last === undefined ? undefined : await storage.get<number>('documents', `document-${last}`),
    ]);
    if (found !== undefined && found[0]?.value !== last)
      problem(`get answers ${found[0]?.value}, not ${last}`);
  }

  /** Copies everything into a new generation, and goes over to it: what is there stays the same. */
  async #switchGeneration(storage: Storage): Promise<void> {
    await this.#attempt('generation', async () => {
      const before = (await storage.generations.list()).find(({ active }) => active)?.id ?? '';
      const writer = await storage.generations.create('test');
      const records: SnapshotRecord[] = [];
      for await (const batch of storage.snapshot()) records.push(...batch);
      await writer.write(records);
      await writer.seal();
      await storage.generations.activate(writer.id);
      await storage.generations.drop(before);
    });
  }
}
