import { CallsUnderWay } from './calls-under-way.ts';
import { checkCommitId, checkOperations, UNSUMMED } from './checked-input.ts';
import { toOperations } from './operation-text.ts';
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
  StorageStats,
  StoredDocument,
  Supports,
} from './storage.ts';

/**
 * A storage in whose place another can be put while everybody goes on holding this one. Thin: each call goes to the one
 * that is in force when it is made. Only commits can be made to wait, for the time in which the data is copied.
 */
export class SwitchableStorage implements Storage {
  #current: Storage;
  readonly #committing = new CallsUnderWay();
  /** What begins the commits that wait, in their order; undefined while none is held. */
  #waiting: (() => void)[] | undefined;

  constructor(first: Storage) {
    this.#current = first;
  }

  get current(): Storage {
    return this.#current;
  }

  get type(): string {
    return this.#current.type;
  }

  get supports(): Supports {
    return this.#current.supports;
  }

  get generations(): Generations {
    return this.#current.generations;
  }

  /**
   * Lets no commit through any more: those under way are awaited, those that come wait for {@link release}, and then go
   * to the storage that is in force. Reads go on. A second hold before the release is a mistake of the caller and throws.
   */
  async hold(): Promise<void> {
    if (this.#waiting !== undefined) throw new Error('The commits are held already');
    this.#waiting = [];
    await this.#committing.settled();
  }

  /** Begins what waits, before anything that comes after this call. Idempotent. */
  release(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const begin of waiting) begin();
  }

  /** Puts an open storage in the place of the one before, which the caller closes when nobody reads it any more. */
  replace(next: Storage): Storage {
    const before = this.#current;
    this.#current = next;
    return before;
  }

  open(): Promise<void> {
    return this.#current.open();
  }

  /** What waits for a release is let go to the storage, which refuses it: nobody is left waiting for ever. */
  async close(): Promise<void> {
    const closed = this.#current.close();
    this.release();
    await closed;
  }

  commit(operations: Operation[], id?: CommitId): Promise<OperationResult[]> {
    const waiting = this.#waiting;
    if (waiting === undefined) return this.#commitNow(operations, id);
    try {
      // The values are the caller's, who may change them while they wait.
      const ownId = checkCommitId(id);
      const own = toOperations(checkOperations(operations, UNSUMMED));
      return new Promise((resolve) => waiting.push(() => resolve(this.#commitNow(own, ownId))));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #commitNow(operations: Operation[], id: CommitId | undefined): Promise<OperationResult[]> {
    return this.#committing.track(this.#current.commit(operations, id));
  }

  get<T = unknown>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#current.get<T>(collection, id);
  }

  list<T = unknown>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    return this.#current.list<T>(collection, query);
  }

  read<T = unknown>(log: string, query?: ReadQuery): Promise<LogEntry<T>[]> {
    return this.#current.read<T>(log, query);
  }

  stats(): Promise<StorageStats> {
    return this.#current.stats();
  }

  info(): Promise<StorageInfo> {
    return this.#current.info();
  }

  snapshot(options?: { generation?: string; signal?: AbortSignal }): AsyncIterable<SnapshotRecord[]> {
    return this.#current.snapshot(options);
  }
}
