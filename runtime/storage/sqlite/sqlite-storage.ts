import { setTimeout as pause } from 'node:timers/promises';
import { isCoded } from '../../base/errors.ts';
import { programPath } from '../../base/program.ts';
import { fault } from '../../contract/error-codes.ts';
import {
  checkCommitId,
  checkKey,
  checkListQuery,
  checkOperations,
  checkReadQuery,
  SnapshotRecordCheck,
  toResults,
} from '../checked-input.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type {
  CommitId,
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
  StorageNotice,
  StorageOptions,
  StorageStats,
  StoredDocument,
  Supports,
} from '../storage.ts';
import { StorageGate } from '../storage-gate.ts';
import { DirectReader } from './direct-reader.ts';
import type { CallName, Calls, WorkerCounts } from './protocol.ts';
import { RestartPace } from './restart-pace.ts';
import { RowVerifier } from './row-verifier.ts';
import { setActiveAside } from './set-aside.ts';
import { encodeCommit } from './wire-operations.ts';
import { WorkerLink } from './worker-link.ts';

export interface SqliteStorageOptions extends StorageOptions {
  /** Where the files lie; made with mode 0700 if it is not there. */
  folder: string;
  /**
   * Start without data when the active data file cannot be used, instead of rejecting with `storage.corrupt`: the file is
   * renamed, `info` says so (`storage.set_aside`), and a backup can be restored. Default: false.
   */
  setCorruptAside?: boolean;
}

/** A log is read in the calling thread up to so many entries; more would keep the event loop for too long at a time. */
const DIRECT_ENTRIES = 1_000;

/**
 * The default storage: SQLite in a worker thread. This side checks and writes JSON, the worker speaks SQL; see
 * `docs/decisions/2026-11-21-storage-port.md` for why, and `2026-11-21-sqlite-reads-in-the-calling-thread.md` for what is
 * read on this side.
 */
export class SqliteStorage implements Storage {
  readonly type = 'sqlite';
  readonly supports: Supports = { durable: true, sharedByProcesses: false, remote: false };
  readonly generations: Generations;
  readonly #folder: string;
  readonly #now: () => number;
  readonly #gate: StorageGate;
  readonly #verifier: RowVerifier;
  readonly #reader = new DirectReader();
  readonly #pace = new RestartPace(() => performance.now());
  /** What was set aside at the last open. */
  #setAside: StorageNotice | undefined;
  #link: WorkerLink | undefined;
  /** A new worker on its way, after one that ended by itself; `hurry` ends its pause. */
  #replacement: { arrives: Promise<WorkerLink>; hurry: AbortController } | undefined;

  constructor(options: SqliteStorageOptions) {
    this.#folder = options.folder;
    this.#now = options.now ?? Date.now;
    this.#gate = new StorageGate(
      {
        open: async () => {
          this.#setAside = undefined;
          this.#link = await this.#startOrSetAside(options.setCorruptAside === true);
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
      activate: (id) => guard(() => this.#activate(id)),
      drop: (id) => guard(() => this.#call('generation.drop', id).then(() => undefined)),
    };
  }

  open(): Promise<void> {
    return this.#gate.open();
  }

  close(): Promise<void> {
    return this.#gate.close();
  }

  commit(operations: Operation[], id?: CommitId): Promise<OperationResult[]> {
    return this.#gate.run('commit', async () => {
      checkCommitId(id);
      const checked = checkOperations(operations);
      return toResults(checked, await this.#call('commit', encodeCommit({ operations: checked, id })));
    });
  }

  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#gate.run('get', async () => {
      checkKey(collection, id);
      const found = this.#reader.attempt((records) => records.get(collection, id, this.#now()));
      const row = found === undefined ? await this.#askWorker('get', [collection, id]) : found;
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
      const reader = checked.limit > DIRECT_ENTRIES ? undefined : this.#reader;
      const texts =
        reader?.attempt((records) => records.read(log, checked)) ??
        (await this.#askWorker('read', { log, query: checked }));
      const entries = this.#verifier.entries<T>(log, texts);
      if (entries !== undefined) return entries;
      const rows =
        reader?.attempt((records) => records.readSingly(log, checked)) ??
        (await this.#askWorker('readSingly', { log, query: checked }));
      return this.#verifier.entriesSingly<T>(log, rows);
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
      const notices = this.#setAside === undefined ? [] : [this.#setAside];
      return { product: `SQLite ${version}`, location: this.#folder, latencyMs, notices };
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

  /** For the time of the switch there is no file that this side could know to be the active one. */
  async #activate(id: string): Promise<void> {
    this.#reader.close();
    await this.#call('generation.activate', id);
  }

  async #askWorker<Name extends 'get' | 'read' | 'readSingly'>(
    name: Name,
    input: Calls[Name]['input'],
  ): Promise<Calls[Name]['output']> {
    const output = await this.#call(name, input);
    this.#reader.resume();
    return output;
  }

  #call<Name extends CallName>(name: Name, input: Calls[Name]['input']): Promise<Calls[Name]['output']> {
    if (this.#link !== undefined) return this.#link.call(name, input);
    // Behind the gate, because the end of a snapshot and a record to set aside come unasked, after `close`, too: they must
    // not bring up a worker that nobody closes and that keeps the data folder locked.
    return this.#gate.run(undefined, () => this.#replaced()).then((link) => link.call(name, input));
  }

  async #startOrSetAside(mayBeSetAside: boolean): Promise<WorkerLink> {
    try {
      return await this.#startWorker();
    } catch (error) {
      if (!mayBeSetAside || !isCoded(error, 'storage.corrupt')) throw error;
      const message = await setActiveAside(this.#folder, this.#now());
      if (message === undefined) throw error;
      this.#setAside = { code: 'storage.set_aside', message };
      return this.#startWorker();
    }
  }

  async #startWorker(): Promise<WorkerLink> {
    const link = new WorkerLink({
      program: programPath('sqlite-worker'),
      now: this.#now,
      onFaults: (faults) => {
        for (const notice of faults) this.#verifier.report(notice);
      },
      onFile: (file) => (file === undefined ? this.#reader.close() : this.#reader.use(file)),
      onEnd: () => {
        this.#pace.ended();
        if (this.#link !== link) return;
        this.#link = undefined;
        this.#reader.close();
        // At once, so that the data folder is not without an owner until somebody calls. A failure is told to the next
        // caller, for whom it is tried again.
        this.#replaced().catch(() => undefined);
      },
    });
    this.#pace.started();
    try {
      await link.call('open', { folder: this.#folder });
      // Its answer and its end may arrive together; nobody would be told of the end later.
      if (link.ended) throw fault('storage.failed', 'The storage worker ended as soon as it had started.');
      return link;
    } catch (error) {
      this.#reader.close();
      await link.terminate();
      throw error;
    }
  }

  /** One replacement for all who wait for it. */
  #replaced(): Promise<WorkerLink> {
    if (this.#replacement === undefined) {
      const hurry = new AbortController();
      const start = async () => {
        const { pauseMs } = this.#pace;
        if (pauseMs > 0) await pause(pauseMs, undefined, { signal: hurry.signal }).catch(() => undefined);
        if (hurry.signal.aborted) throw fault('storage.closed', 'The storage was closed.');
        return this.#startWorker();
      };
      const arrives = start()
        .then((link) => {
          this.#link = link;
          return link;
        })
        .finally(() => {
          this.#replacement = undefined;
        });
      this.#replacement = { arrives, hurry };
    }
    return this.#replacement.arrives;
  }

  async #stop(): Promise<void> {
    // A replacement on its way has taken the lock; it is let arrive and then closed like any other.
    this.#replacement?.hurry.abort();
    await this.#replacement?.arrives.catch(() => undefined);
    // Before the worker, whose connection is then the last one: it writes the WAL into the file and removes it.
    this.#reader.close();
    const link = this.#link;
    this.#link = undefined;
    if (link === undefined) return;
    // The worker answers in order: when it has closed, all that was asked before has been answered. One that ended instead
    // has closed, too, and has rejected what it owed.
    await link.call('close', null).catch(() => undefined);
    await link.terminate();
  }
}
