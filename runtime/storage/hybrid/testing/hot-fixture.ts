import { Redis } from 'ioredis';
import type { CheckedOperation } from '../../checked-input.ts';
import { MemoryStorage } from '../../memory/memory-storage.ts';
import type { CommitId, Operation, OperationResult, StorageOptions } from '../../storage.ts';
import type { HotCommand } from '../hot-link.ts';
import type { HotScript } from '../hot-scripts.ts';
import type { ColdStorage, HotConnection } from '../hybrid-storage.ts';

/** A cold side that takes its time, before and after it has carried a commit out. */
export class SlowStorage extends MemoryStorage implements ColdStorage {
  reads = 0;
  delay = async (): Promise<void> => undefined;

  constructor(options: StorageOptions = {}) {
    super({ ...options, now: () => 1_000 });
  }

  /** Several share it, and it goes on when one of them has closed. */
  override async close(): Promise<void> {}

  override async get<T>(collection: string, id: string) {
    this.reads += 1;
    await this.delay();
    const document = await super.get<T>(collection, id);
    await this.delay();
    return document;
  }

  override async read<T>(log: string, query = {}) {
    this.reads += 1;
    await this.delay();
    const entries = await super.read<T>(log, query);
    await this.delay();
    return entries;
  }

  async commitChecked(
    operations: readonly CheckedOperation[],
    id?: CommitId,
  ): Promise<{ results: OperationResult[]; at: number; again: boolean }> {
    await this.delay();
    const results = await super.commit(operations.map(unchecked), id);
    await this.delay();
    return { results, at: 1_000, again: false };
  }
}

function unchecked(operation: CheckedOperation): Operation {
  switch (operation.kind) {
    case 'put': {
      const { kind, collection, id, json, expectVersion } = operation;
      const expectation = expectVersion === undefined ? {} : { expectVersion };
      return { kind, collection, id, value: JSON.parse(json), ...expectation };
    }
    case 'append':
      return { kind: 'append', log: operation.log, value: JSON.parse(operation.json) };
    case 'delete':
      return { kind: 'delete', collection: operation.collection, id: operation.id };
    case 'trim':
      return operation;
  }
}

/** A connection that can be lost, and whose calls and answers can be lost. */
export class TestConnection implements HotConnection {
  readonly cluster = false;
  readonly location = 'test';
  /** What becomes of the next call. */
  fate: () => 'answered' | 'not sent' | 'answer lost' = () => 'answered';
  /** Reads that were served from a copy. */
  hits = 0;
  /** Questions in plain commands that were answered. */
  answered = 0;
  /** Names of the scripts that were run. */
  readonly scripts: string[] = [];
  readonly #redis: Redis;
  #told: { onReady: () => void; onLost: () => void } | undefined;

  constructor(url: string) {
    this.#redis = new Redis(url, { lazyConnect: true });
  }

  async open(told: { onReady: () => void; onLost: () => void }): Promise<void> {
    await this.#redis.connect();
    this.#told = told;
    told.onReady();
  }

  async run(script: HotScript, key: string, args: readonly (string | number)[]): Promise<unknown> {
    const fate = this.fate();
    this.scripts.push(script.name);
    if (fate === 'not sent') return this.#lose();
    const answer = await this.#redis.eval(script.lua, 1, key, ...args);
    return fate === 'answer lost' ? this.#lose() : answer;
  }

  async call(commands: readonly HotCommand[]): Promise<unknown[]> {
    const fate = this.fate();
    if (fate === 'not sent') return this.#lose();
    const answers = await Promise.all(commands.map(([name, ...args]) => this.#redis.call(name, ...args)));
    this.answered += 1;
    for (const [i, answer] of answers.entries()) {
      const found = commands[i]?.[0] === 'MGET' ? (answer as unknown[]).slice(2) : answer;
      if (Array.isArray(found) && found.some((one) => one !== null)) this.hits += 1;
    }
    return fate === 'answer lost' ? this.#lose() : answers;
  }

  async product(): Promise<string> {
    return 'Redis';
  }

  async close(): Promise<void> {
    this.#told = undefined;
    await this.#redis.quit();
  }

  #lose(): never {
    this.#told?.onLost();
    setTimeout(() => this.#told?.onReady(), 2);
    throw new Error('The connection was lost.');
  }
}

/** Mulberry32: the same numbers in each run. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
