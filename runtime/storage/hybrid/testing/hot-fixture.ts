import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { CheckedOperation } from '../../checked-input.ts';
import { MemoryStorage } from '../../memory/memory-storage.ts';
import type { CommitId, Operation, OperationResult, StorageOptions } from '../../storage.ts';
import { type RedisServer, startRedis } from '../../testing/servers/redis-server.ts';
import type { HotCommand } from '../hot-link.ts';
import type { HotScript } from '../hot-scripts.ts';
import { type ColdStorage, type HotConnection, HybridStorage } from '../hybrid-storage.ts';

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
    if (fate === 'not sent') return this.#fail();
    const answer = await this.#redis.eval(script.lua, 1, key, ...args);
    return fate === 'answer lost' ? this.#fail() : answer;
  }

  async call(commands: readonly HotCommand[]): Promise<unknown[]> {
    const fate = this.fate();
    if (fate === 'not sent') return this.#fail();
    const answers = await Promise.all(commands.map(([name, ...args]) => this.#redis.call(name, ...args)));
    this.answered += 1;
    for (const [i, answer] of answers.entries()) {
      const found = commands[i]?.[0] === 'MGET' ? (answer as unknown[]).slice(2) : answer;
      if (Array.isArray(found) && found.some((one) => one !== null)) this.hits += 1;
    }
    return fate === 'answer lost' ? this.#fail() : answers;
  }

  /** From now on it is away. */
  lose(): void {
    this.#told?.onLost();
  }

  async comeBack(): Promise<void> {
    this.#told?.onReady();
    // Behind what it has asked when it was back.
    await this.#redis.ping();
  }

  async product(): Promise<string> {
    return 'Redis';
  }

  async close(): Promise<void> {
    this.#told = undefined;
    await this.#redis.quit();
  }

  #fail(): never {
    this.lose();
    setTimeout(() => this.#told?.onReady(), 2);
    throw new Error('The connection was lost.');
  }
}

/** One instance, with its way to Redis. */
export interface HotInstance {
  storage: HybridStorage;
  connection: TestConnection;
}

/** The two sides that the instances of a case share; both are empty when it begins. */
export interface TwoSides {
  readonly redis: Redis;
  readonly cold: SlowStorage;
  /** One more instance, which trusts its Redis; closed after the case. `beatMs`: as in `HybridStorageOptions`. */
  start(beatMs?: number): Promise<HotInstance>;
}

/** Registers what starts and ends them for the cases of a suite. */
export function useTwoSides(namespace: string): TwoSides {
  let server: RedisServer;
  let redis: Redis;
  let cold: SlowStorage;
  const open: HybridStorage[] = [];
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  afterAll(async () => {
    await redis.quit();
    await server.stop();
  });
  beforeEach(async () => {
    await redis.flushall();
    cold = new SlowStorage();
    await cold.open();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((storage) => storage.close()));
  });
  return {
    get redis() {
      return redis;
    },
    get cold() {
      return cold;
    },
    async start(beatMs) {
      const connection = new TestConnection(server.url);
      const beat = beatMs === undefined ? {} : { beatMs };
      const storage = new HybridStorage({ cold, hot: connection, hotHours: 1, namespace, ...beat });
      open.push(storage);
      await storage.open();
      await expect
        .poll(async () => (await storage.info()).notices.map(({ code }) => code))
        .toEqual(['memory.not_kept']);
      return { storage, connection };
    },
  };
}
