import { fault } from '../../contract/error-codes.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
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
  StorageOptions,
  StorageStats,
  StoredDocument,
  Supports,
} from '../storage.ts';

/** How a call fails: before anything was done, after it was carried out, or not at all but without an answer. */
export type Outage = 'before' | 'after' | 'hang';

/**
 * For tests: a storage in memory that behaves as one behind a network. Its data outlives `close`, as a server's does, and
 * several may be open on it.
 */
export class RemoteStorage implements Storage {
  readonly type = 'remote';
  readonly supports: Supports = { durable: false, sharedByProcesses: false, remote: true };
  readonly generations: Generations;
  /** Decides for each call; undefined: it succeeds. */
  fails: (call: string) => Outage | undefined = () => undefined;
  /** Calls that reached it. */
  readonly calls: string[] = [];
  /** Commits that were carried out or answered. */
  readonly commits: (CommitId | undefined)[] = [];
  readonly #server: MemoryStorage;
  readonly #own: boolean;

  /** `server`: one that the test has opened and closes itself. */
  constructor(options: StorageOptions = {}, server?: MemoryStorage) {
    this.#own = server === undefined;
    this.#server = server ?? new MemoryStorage(options);
    const { generations } = this.#server;
    this.generations = {
      list: () => this.#call('generations', () => generations.list()),
      create: (reason) => this.#call('generations', () => generations.create(reason)),
      activate: (id) => this.#call('generations', () => generations.activate(id)),
      drop: (id) => this.#call('generations', () => generations.drop(id)),
    };
  }

  open(): Promise<void> {
    return this.#call('open', () => this.#server.open());
  }

  async close(): Promise<void> {
    if (this.#own) await this.#server.close();
  }

  commit(operations: Operation[], id?: CommitId): Promise<OperationResult[]> {
    return this.#call('commit', () => {
      this.commits.push(id);
      return this.#server.commit(operations, id);
    });
  }

  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#call('get', () => this.#server.get<T>(collection, id));
  }

  list<T>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    return this.#call('list', () => this.#server.list<T>(collection, query));
  }

  read<T>(log: string, query?: ReadQuery): Promise<LogEntry<T>[]> {
    return this.#call('read', () => this.#server.read<T>(log, query));
  }

  stats(): Promise<StorageStats> {
    return this.#call('stats', () => this.#server.stats());
  }

  info(): Promise<StorageInfo> {
    return this.#call('info', async () => ({
      ...(await this.#server.info()),
      product: 'Remote 1.0',
      location: 'remote:1',
    }));
  }

  snapshot(options?: { generation?: string; signal?: AbortSignal }): AsyncIterable<SnapshotRecord[]> {
    return this.#server.snapshot(options);
  }

  async #call<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.calls.push(name);
    const outage = this.fails(name);
    if (outage === 'hang') return new Promise(() => undefined);
    const lost = () => fault('storage.unreachable', `The connection to remote:1 was lost (${name}).`);
    if (outage === 'before') throw lost();
    const result = await work();
    if (outage === 'after') throw lost();
    return result;
  }
}
