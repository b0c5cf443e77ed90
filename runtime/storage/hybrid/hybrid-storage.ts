import { isCoded } from '../../base/errors.ts';
import { CallsUnderWay } from '../calls-under-way.ts';
import {
  type CheckedOperation,
  type CheckedRead,
  checkCommitId,
  checkKey,
  checkOperations,
  checkReadQuery,
  MAXIMUM_SEQUENCE,
} from '../checked-input.ts';
import type {
  CommitId,
  Generations,
  ListPage,
  ListQuery,
  LogEntry,
  Operation,
  OperationResult,
  ReadQuery,
  SnapshotRecord,
  Storage,
  StorageInfo,
  StorageOperationName,
  StorageOptions,
  StorageStats,
  StoredDocument,
  Supports,
} from '../storage.ts';
import { StorageGate } from '../storage-gate.ts';
import type { Fence } from './fence.ts';
import { HotCopies } from './hot-copies.ts';
import type { HotServer } from './hot-link.ts';

/** The side that holds everything. */
export interface ColdStorage extends Storage {
  /**
   * A commit whose operations were checked already; `at` is the time that its entries were given, `again` says that it had
   * been carried out before.
   */
  commitChecked(operations: readonly CheckedOperation[], id?: CommitId): Promise<Carried>;
}

interface Carried {
  results: OperationResult[];
  at: number;
  again: boolean;
}

/** The Redis side: where the scripts run, and when it is there. */
export interface HotConnection extends HotServer {
  /** Address without its secrets. */
  readonly location: string;
  /** Rejects only when the server is there and cannot be used; tells `onReady` when it is. */
  open(told: { onReady: () => void; onLost: () => void }): Promise<void>;
  close(): Promise<void>;
  /** `Redis 7.0.15`; undefined while it is away. */
  product(): Promise<string | undefined>;
}

export interface HybridStorageOptions extends StorageOptions {
  cold: ColdStorage;
  hot: HotConnection;
  /** Hours without use after which a session is on the cold side alone. */
  hotHours: number;
  /** Hash tag of the keys in Redis. */
  namespace: string;
  /** How often the lease of this instance on what it writes is prolonged, in ms; default 1000. */
  beatMs?: number;
  /**
   * After how long without that, in ms, what this instance has claimed is free for others; default 120,000. It relies on its claims
   * for a quarter of it, and what is left must be longer than PostgreSQL may take for a commit.
   */
  lapseMs?: number;
}

/** Half of what a writer waits for a Redis that is lost: by then the others have noticed as well, also those that are idle. */
const BEAT_MS = 1_000;
const LAPSE_MS = 120_000;

/**
 * PostgreSQL holds everything and decides; Redis holds copies of what is in use, which are fenced against being old (see
 * {@link HotCopies} and `docs/decisions/2026-11-21-hybrid-adapter.md`). So a session moves out of Redis by being forgotten
 * there, comes back by being read, and the loss of Redis loses nothing.
 */
export class HybridStorage implements Storage {
  readonly type = 'hybrid';
  readonly supports: Supports = { durable: true, sharedByProcesses: true, remote: true };
  readonly generations: Generations;
  readonly #now: () => number;
  readonly #gate: StorageGate;
  readonly #cold: ColdStorage;
  readonly #connection: HotConnection;
  readonly #hot: HotCopies;
  /** Calls under way, and copies that are being brought up to date behind an answer; `close` waits for them. */
  readonly #underWay = new CallsUnderWay();
  /** Resolves when the commit that was called last is with the cold side; undefined when it is. */
  #handedOver: Promise<void> | undefined;

  constructor(options: HybridStorageOptions) {
    this.#now = options.now ?? Date.now;
    this.#cold = options.cold;
    this.#connection = options.hot;
    this.#hot = new HotCopies({
      server: options.hot,
      namespace: options.namespace,
      hotMs: options.hotHours * 3_600_000,
      beatMs: options.beatMs ?? BEAT_MS,
      lapseMs: options.lapseMs ?? LAPSE_MS,
    });
    this.#gate = new StorageGate(
      { open: () => this.#openBoth(), close: () => this.#closeBoth() },
      options.onOperation,
    );
    const guard = <T>(work: () => Promise<T>) => this.#run(undefined, work);
    const { generations } = this.#cold;
    this.generations = {
      list: () => guard(() => generations.list()),
      create: (reason) => guard(() => generations.create(reason)),
      activate: (id) => guard(() => this.#hot.without(() => generations.activate(id))),
      drop: (id) => guard(() => generations.drop(id)),
    };
  }

  /** As the port has it. A Redis that is away does not keep it from opening; one that refuses the user does. */
  open(): Promise<void> {
    return this.#gate.open();
  }

  close(): Promise<void> {
    return this.#gate.close();
  }

  commit(operations: Operation[], id?: CommitId): Promise<OperationResult[]> {
    return this.#run('commit', async () => {
      const own = checkCommitId(id);
      return (await this.#commit(checkOperations(operations), own)).results;
    });
  }

  /** {@link commit} for operations that were checked already. */
  commitChecked(
    operations: readonly CheckedOperation[],
    id?: CommitId,
  ): Promise<{ results: OperationResult[] }> {
    return this.#run('commit', () => this.#commit(operations, id));
  }

  async #commit(
    operations: readonly CheckedOperation[],
    id: CommitId | undefined,
  ): Promise<{ results: OperationResult[] }> {
    const fence = this.#hot.fence(operations);
    let carried: Carried;
    try {
      carried = await this.#handOver(fence, operations, id);
    } catch (error) {
      if (fence !== undefined) {
        if (isRefusal(error)) this.#hot.refused(fence);
        else this.#underWay.track(this.#hot.doubt(fence));
      }
      throw error;
    }
    const { results, at, again } = carried;
    // Until what it wrote has arrived behind the copies, the readers of other instances go to the cold side, which has it.
    if (fence !== undefined) {
      await this.#hot.carriedOut(fence, operations, again ? undefined : results, at);
    }
    return { results };
  }

  /**
   * Gives a commit to the cold side, in the order of the calls: one that need not be announced must not overtake one that is
   * being announced.
   */
  #handOver(
    fence: Fence | undefined,
    operations: readonly CheckedOperation[],
    id: CommitId | undefined,
  ): Promise<Carried> {
    const commit = () => {
      const done = this.#cold.commitChecked(operations, id);
      if (fence !== undefined) this.#hot.handedOver(fence);
      return done;
    };
    const before = this.#handedOver;
    if (before === undefined && fence?.ready === undefined) return commit();
    const { promise, resolve } = Promise.withResolvers<Carried>();
    const handedOver = Promise.all([fence?.ready, before]).then(() => {
      resolve(commit());
      if (this.#handedOver === handedOver) this.#handedOver = undefined;
    });
    this.#handedOver = handedOver;
    return promise;
  }

  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#run('get', async () => {
      checkKey(collection, id);
      const { hit, lease } = await this.#hot.document<T>(collection, id);
      if (hit !== undefined) return this.#isLiving(hit) ? hit : undefined;
      const document = await this.#cold.get<T>(collection, id);
      if (document !== undefined && lease !== undefined)
        this.#underWay.track(this.#hot.keepDocument(document, lease));
      return document;
    });
  }

  list<T>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    return this.#run('list', () => this.#cold.list<T>(collection, query));
  }

  read<T>(log: string, query: ReadQuery = {}): Promise<LogEntry<T>[]> {
    return this.#run('read', async () => {
      const checked = checkReadQuery(log, query);
      const { hit, lease } = await this.#hot.log<T>(log, checked);
      if (hit !== undefined) return hit;
      const entries = await this.#cold.read<T>(log, query);
      if (lease !== undefined) {
        const from = completeFrom(entries, checked);
        const ascending = checked.reverse ? entries.toReversed() : entries;
        if (from !== undefined) this.#underWay.track(this.#hot.keepLog(log, from, ascending, lease));
      }
      return entries;
    });
  }

  stats(): Promise<StorageStats> {
    return this.#run('stats', () => this.#cold.stats());
  }

  info(): Promise<StorageInfo> {
    return this.#gate.run(undefined, async () => {
      const [cold, product] = await Promise.all([this.#cold.info(), this.#connection.product()]);
      const away = {
        code: 'hybrid.redis_away',
        message:
          'Redis cannot be reached: everything is read from and written to PostgreSQL alone, nothing is lost.',
      };
      return {
        product: `${cold.product} + ${product ?? 'Redis'}`,
        location: `${cold.location} + ${this.#connection.location}`,
        latencyMs: cold.latencyMs,
        notices: [...cold.notices, ...(this.#hot.trusted ? [] : [away])],
      };
    });
  }

  async *snapshot(
    options: { generation?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<SnapshotRecord[], void, void> {
    const batches = await this.#gate.run('snapshot', async () => this.#cold.snapshot(options));
    for await (const batch of batches) {
      this.#gate.check();
      yield batch;
    }
  }

  async #openBoth(): Promise<void> {
    // Writers wait for it from now on, not from when the first of them comes.
    this.#hot.distrust();
    try {
      await this.#connection.open({
        onReady: () => this.#underWay.track(this.#hot.renew()),
        onLost: () => this.#hot.distrust(),
      });
      await this.#cold.open();
    } catch (error) {
      await this.#closeHot();
      throw error;
    }
  }

  /** Runs a call of the port, if the storage is open; `close` waits for it, because half-way it is with neither side. */
  #run<T>(operation: StorageOperationName | undefined, work: () => Promise<T>): Promise<T> {
    return this.#gate.run(operation, () => this.#underWay.track(work()));
  }

  async #closeBoth(): Promise<void> {
    await this.#underWay.settled();
    await this.#closeHot();
    await this.#cold.close();
  }

  /** At once one after the other: a connection that comes back in between would begin anew what was ended. */
  async #closeHot(): Promise<void> {
    await this.#hot.close();
    await this.#connection.close();
  }

  #isLiving({ expiresAt }: StoredDocument): boolean {
    return expiresAt === undefined || expiresAt > this.#now();
  }
}

/** From which sequence on these are all the entries of their log; undefined when they end before it does. */
function completeFrom(entries: readonly LogEntry[], query: CheckedRead): number | undefined {
  if (query.before <= MAXIMUM_SEQUENCE) return undefined;
  if (entries.length < query.limit) return query.after + 1;
  return query.reverse ? entries.at(-1)?.sequence : undefined;
}

/** True when the commit was surely not carried out. */
function isRefusal(error: unknown): boolean {
  return isCoded(error) && (error.code === 'storage.version_conflict' || error.code === 'storage.invalid');
}
