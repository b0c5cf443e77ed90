import { programPath } from '../../base/program.ts';
import { fault } from '../../contract/error-codes.ts';
import {
  checkKey,
  checkListQuery,
  checkOperations,
  checkReadQuery,
  SnapshotRecordCheck,
  toResults,
} from '../checked-input.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type {
  Generations,
  GenerationWriter,
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
import { StorageGate } from '../storage-gate.ts';
import type { CallName, Calls, WorkerCounts } from './protocol.ts';
import { RowVerifier } from './row-verifier.ts';
import { encodeOperations } from './wire-operations.ts';
import { WorkerLink } from './worker-link.ts';

export interface SqliteStorageOptions extends StorageOptions {
  /** Where the files lie; made with mode 0700 if it is not there. */
  folder: string;
}

/**
 * The default storage: SQLite in a worker thread. This side checks and writes JSON, the worker speaks SQL; see
 * `docs/decisions/2026-11-21-storage-port.md` for why.
 */
export class SqliteStorage implements Storage {
  readonly type = 'sqlite';
  readonly supports: Supports = { durable: true, sharedByProcesses: false, remote: false };
  readonly generations: Generations;
  readonly #folder: string;
  readonly #now: () => number;
  readonly #gate: StorageGate;
  readonly #verifier: RowVerifier;
  #link: WorkerLink | undefined;
  /** A new worker on its way, after one that ended by itself. */
  #replacement: Promise<WorkerLink> | undefined;

  constructor(options: SqliteStorageOptions) {
    this.#folder = options.folder;
    this.#now = options.now ?? Date.now;
    this.#gate = new StorageGate(
      {
        open: async () => {
          this.#link = await this.#startWorker();
        },
        close: () => this.#stop(),
      },
      options.onOperation,
    );
    this.#verifier = new RowVerifier(options.onFault, (record) => this.#call('setAside', record));
    const guard = <T>(work: () => Promise<T>) => this.#gate.run(undefined, work);
    this.generations = {
      list: () => guard(() => this.#call('generation.list', null)),
      create: (reason) => guard(() => this.#createGeneration(reason)),
      activate: (id) => guard(() => this.#call('generation.activate', id).then(() => undefined)),
      drop: (id) => guard(() => this.#call('generation.drop', id).then(() => undefined)),
    };
  }

  open(): Promise<void> {
    return this.#gate.open();
  }

  close(): Promise<void> {
    return this.#gate.close();
  }

  commit(operations: Operation[]): Promise<OperationResult[]> {
    return this.#gate.run('commit', async () => {
      const checked = checkOperations(operations);
      return toResults(checked, await this.#call('commit', encodeOperations(checked)));
    });
  }

  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#gate.run('get', async () => {
      checkKey(collection, id);
      const row = await this.#call('get', [collection, id]);
      return row === null ? undefined : this.#verifier.document<T>(row);
    });
  }

  list<T>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    return this.#gate.run('list', async () => {
      const checked = checkListQuery(collection, query);
      const start = decodeCursor(checked);
      const { rows, next } = await this.#call('list', { collection, query: checked, start });
      const items = rows
        .map((row) => this.#verifier.document<T>(row))
        .filter((document) => document !== undefined);
      return next === null ? { items } : { items, nextCursor: encodeCursor(checked, next) };
    });
  }

  read<T>(log: string, query: ReadQuery = {}): Promise<LogEntry<T>[]> {
    return this.#gate.run('read', async () => {
      const checked = checkReadQuery(log, query);
      return this.#verifier.entries<T>(log, await this.#call('read', { log, query: checked }));
    });
  }

  stats(): Promise<StorageStats> {
    return this.#gate.run('stats', () => this.#call('stats', null));
  }

  info(): Promise<StorageInfo> {
    return this.#gate.run(undefined, async () => {
      const asked = performance.now();
      const version = await this.#call('version', null);
      const latencyMs = performance.now() - asked;
      return { product: `SQLite ${version}`, location: this.#folder, latencyMs, notices: [] };
    });
  }

  async *snapshot(
    options: { generation?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<SnapshotRecord[], void, void> {
    const { generation, signal } = options;
    const handle = await this.#gate.run('snapshot', async () => {
      signal?.throwIfAborted();
      return this.#call('snapshot.open', { generation });
    });
    const next = () => {
      const batch = this.#gate.run(undefined, () => this.#call('snapshot.next', handle));
      // Asked for ahead of its use: when the iteration ends before, its failure is nobody's.
      batch.catch(() => undefined);
      return batch;
    };
    try {
      for (let coming = next(); ; ) {
        signal?.throwIfAborted();
        const rows = await coming;
        if (rows === null) return;
        coming = next();
        signal?.throwIfAborted();
        const records = this.#verifier.snapshot(rows, generation === undefined);
        if (records.length > 0) yield records;
      }
    } finally {
      // Fails only when the worker is gone, and the snapshot with it.
      await this.#call('snapshot.end', handle).catch(() => undefined);
    }
  }

  /** What the worker has done since it was started; for tests and benchmarks. */
  workerCounts(): Promise<WorkerCounts> {
    return this.#gate.run(undefined, () => this.#call('counts', null));
  }

  async #createGeneration(reason: string): Promise<GenerationWriter> {
    const id = await this.#call('generation.create', { reason });
    const check = new SnapshotRecordCheck();
    const guard = (work: () => Promise<unknown>) =>
      this.#gate.run(undefined, () => work().then(() => undefined));
    return {
      id,
      write: (records) =>
        guard(async () => {
          for (const record of records) check.check(record);
          return this.#call('generation.write', { id, records });
        }),
      seal: () => guard(() => this.#call('generation.seal', id)),
      discard: () => guard(() => this.#call('generation.discard', id)),
    };
  }

  #call<Name extends CallName>(name: Name, input: Calls[Name]['input']): Promise<Calls[Name]['output']> {
    if (this.#link !== undefined) return this.#link.call(name, input);
    // Behind the gate, because the end of a snapshot and a record to set aside come unasked, after `close`, too: they must
    // not bring up a worker that nobody closes and that keeps the data folder locked.
    return this.#gate.run(undefined, () => this.#replaced()).then((link) => link.call(name, input));
  }

  async #startWorker(): Promise<WorkerLink> {
    const link = new WorkerLink({
      program: programPath('sqlite-worker'),
      now: this.#now,
      onFaults: (faults) => {
        for (const notice of faults) this.#verifier.report(notice);
      },
      onEnd: () => {
        if (this.#link !== link) return;
        this.#link = undefined;
        // At once, so that the data folder is not without an owner until somebody calls. A failure is told to the next
        // caller, for whom it is tried again.
        this.#replaced().catch(() => undefined);
      },
    });
    try {
      await link.call('open', { folder: this.#folder });
      // Its answer and its end may arrive together; nobody would be told of the end later.
      if (link.ended) throw fault('storage.failed', 'The storage worker ended as soon as it had started.');
      return link;
    } catch (error) {
      await link.terminate();
      throw error;
    }
  }

  /** One replacement for all who wait for it. */
  #replaced(): Promise<WorkerLink> {
    this.#replacement ??= this.#startWorker()
      .then((link) => {
        this.#link = link;
        return link;
      })
      .finally(() => {
        this.#replacement = undefined;
      });
    return this.#replacement;
  }

  async #stop(): Promise<void> {
    // A replacement on its way has taken the lock; it is let arrive and then closed like any other.
    await this.#replacement?.catch(() => undefined);
    const link = this.#link;
    this.#link = undefined;
    if (link === undefined) return;
    // The worker answers in order: when it has closed, all that was asked before has been answered. One that ended instead
    // has closed, too, and has rejected what it owed.
    await link.call('close', null).catch(() => undefined);
    await link.terminate();
  }
}
