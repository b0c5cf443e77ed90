import type { Database, Statement } from 'better-sqlite3';
import { type CodedError, systemCodeOf } from '../../base/errors.ts';
import { randomId, timeOrderedId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import type { Position } from '../cursor.ts';
import type { Generation, ListQuery, SnapshotRecord, StorageStats } from '../storage.ts';
import { carryOver } from './carry-over.ts';
import { CommitWriter } from './commit-writer.ts';
import { mendDocument, setAsideIfDamaged } from './damaged-records.ts';
import { DataFolder } from './data-folder.ts';
import { GenerationBuilder } from './generation-builder.ts';
import { GroupPace } from './group-pace.ts';
import { type ListedRows, ListReader } from './list-reader.ts';
import { checkLogs } from './log-check.ts';
import type { DamagedRecord, FaultNotice, SnapshotRow, WorkerCounts } from './protocol.ts';
import { RecordReader } from './record-reader.ts';
import { SnapshotReader } from './snapshot-reader.ts';
import { asStorageFault } from './sqlite-errors.ts';
import { checkStructure } from './structure-check.ts';
import { checkWal } from './wal-check.ts';
import type { CheckedCommit } from './wire-operations.ts';

/** Expired documents are looked for this often, by the adapter's clock, … */
const SWEEP_INTERVAL_MS = 60_000;
/** … and so many removed at a time, so that nobody waits long behind it. */
const SWEEP_LIMIT = 500;

interface Connection {
  database: Database;
  begin: Statement;
  commit: Statement;
  reader: RecordReader;
  lists: ListReader;
  writer: CommitWriter;
}

export interface StoreListeners {
  /** Told of a damaged record that was met on the way to a commit. */
  onFault(notice: FaultNotice): void;
  /** Told the data file of the active generation whenever one was opened, and undefined when it was given up. */
  onFile(file: string | undefined): void;
}

/** The storage as the worker has it: one open generation, and what is being read from and written beside it. */
export class WorkerStore {
  readonly counts: WorkerCounts = { commits: 0, transactions: 0, recoveries: 0 };
  readonly #listeners: StoreListeners;
  readonly #openedAt: number;
  readonly #snapshots = new Map<number, { generation: string; reader: SnapshotReader }>();
  readonly #builders = new Map<string, { builder: GenerationBuilder; createdAt: number; reason: string }>();
  readonly #folder: DataFolder;
  readonly #pace = new GroupPace(() => performance.now());
  /** Undefined after a write that failed, until the file was opened again. */
  #connection: Connection | undefined;
  #lastHandle = 0;
  #lastSweep = Number.NEGATIVE_INFINITY;
  /** Once is enough: writers are remembered for days. */
  #ringSwept = false;

  static async open(path: string, now: number, listeners: StoreListeners): Promise<WorkerStore> {
    try {
      const folder = await DataFolder.open(path, now);
      const store = new WorkerStore(folder, listeners, now);
      try {
        await store.#connect();
      } catch (error) {
        folder.release();
        throw error instanceof Error ? asStorageFault(error, folder.fileOf(folder.active)) : error;
      }
      return store;
    } catch (error) {
      throw asStorageFault(error, path);
    }
  }

  private constructor(folder: DataFolder, listeners: StoreListeners, openedAt: number) {
    this.#folder = folder;
    this.#listeners = listeners;
    this.#openedAt = openedAt;
  }

  close(): void {
    this.#closeReaders();
    for (const { builder } of this.#builders.values()) builder.close();
    this.#builders.clear();
    this.#connection?.database.close();
    this.#connection = undefined;
    this.#folder.release();
  }

  /** False after a write that failed: `recover` must be called, and nothing else works until it has succeeded. */
  get usable(): boolean {
    return this.#connection !== undefined;
  }

  /**
   * Opens the file again after a write that failed. The failed handle is never used again: what the kernel did with its
   * pages is not known, and a second fsync would say that all is well. Nobody else may have the file open, or SQLite
   * would go by the index of the WAL that they share instead of reading what is there.
   */
  async recover(): Promise<void> {
    try {
      await this.#folder.reread();
      await this.#connect();
      this.counts.recoveries += 1;
    } catch (error) {
      throw asStorageFault(error, this.#folder.fileOf(this.#folder.active));
    }
  }

  /** Reads documents and logs of the active generation. */
  get reader(): RecordReader {
    return this.#open().reader;
  }

  list(collection: string, query: ListQuery, start: Position | undefined, now: number): ListedRows {
    const { lists } = this.#open();
    const page = lists.list(collection, query, start, now);
    if (lists.misleading.size > 0) this.#mend(lists.misleading, now);
    return page;
  }

  /**
   * Carries out these commits from the one at `from` on, as many as make a good transaction, with one sync. Each answers for
   * itself: with its numbers, or with the error that was its own. After a failed write all of them fail.
   */
  commit(commits: CheckedCommit[], from: number, now: number): (number[] | CodedError)[] {
    const answers: (number[] | CodedError)[] = [];
    try {
      this.#transaction((writer) => {
        for (let i = from; i < commits.length; i++) {
          answers.push(writer.apply(commits[i] as CheckedCommit, now));
          if (this.#pace.full) break;
        }
      });
    } catch (error) {
      const waiting = commits.slice(from);
      if (!this.usable) return waiting.map(() => asStorageFault(error, this.#activeFile));
      if (waiting.length === 1) return [asStorageFault(error, this.#activeFile)];
      // One of them is to blame and the others need not suffer for it: those that were tried go one by one.
      return waiting.slice(0, answers.length + 1).flatMap((one) => this.commit([one], 0, now));
    }
    this.counts.commits += answers.length;
    this.counts.transactions += 1;
    return answers;
  }

  /** Removes some of the documents that have expired, when it is time to look for them. */
  sweep(now: number): void {
    // A clock that was set back must not put the next look off for longer than an interval.
    if (!this.usable || Math.abs(now - this.#lastSweep) < SWEEP_INTERVAL_MS) return;
    this.#lastSweep = now;
    const removed = this.#transaction((writer) => {
      if (!this.#ringSwept) writer.ring.dropOldWriters(now);
      return writer.removeExpired(now, SWEEP_LIMIT);
    });
    this.#ringSwept = true;
    if (removed === SWEEP_LIMIT) this.#lastSweep = Number.NEGATIVE_INFINITY;
  }

  setAside(record: DamagedRecord, now: number): boolean {
    return this.#transaction(({ documents, logs }) => {
      documents.forget();
      return setAsideIfDamaged(this.#open().database, logs, record, now);
    });
  }

  version(): string {
    return String(this.#open().database.prepare('SELECT sqlite_version()').pluck().get());
  }

  async stats(now: number): Promise<StorageStats> {
    const documents = this.#open().writer.documents.counts(now);
    return { documents, sizeBytes: await this.#folder.sizeOf(this.#folder.active) };
  }

  openSnapshot(generation: string | undefined, now: number): number {
    const id = generation ?? this.#folder.active;
    this.#folder.require(id);
    const file = this.#folder.fileOf(id);
    const reader = blaming(file, () => new SnapshotReader(file, now));
    this.#lastHandle += 1;
    this.#snapshots.set(this.#lastHandle, { generation: id, reader });
    return this.#lastHandle;
  }

  nextOfSnapshot(handle: number): SnapshotRow[] | null {
    const snapshot = this.#snapshots.get(handle);
    if (snapshot === undefined) {
      throw fault(
        'storage.failed',
        'The snapshot was ended: its generation is gone, or the storage had to recover.',
      );
    }
    return blaming(this.#folder.fileOf(snapshot.generation), () => snapshot.reader.next());
  }

  endSnapshot(handle: number): void {
    this.#snapshots.get(handle)?.reader.end();
    this.#snapshots.delete(handle);
  }

  generations(): Generation[] {
    return this.#folder.list();
  }

  async createGeneration(reason: string, now: number): Promise<string> {
    const id = timeOrderedId(now, randomId);
    const builder = await GenerationBuilder.create(this.#folder.fileOf(id));
    this.#builders.set(id, { builder, createdAt: now, reason });
    return id;
  }

  writeGeneration(id: string, records: SnapshotRecord[]): void {
    const { builder } = this.#builder(id);
    blaming(builder.file, () => builder.write(records));
  }

  async sealGeneration(id: string): Promise<void> {
    const { builder, createdAt, reason } = this.#builder(id);
    try {
      await builder.seal();
    } catch (error) {
      throw asStorageFault(error, builder.file);
    }
    await this.#changeFolder(() => this.#folder.add({ id, createdAt, reason }));
    this.#builders.delete(id);
  }

  async discardGeneration(id: string): Promise<void> {
    const found = this.#builders.get(id);
    if (found === undefined) return;
    this.#builders.delete(id);
    found.builder.close();
    // When sealing failed at its very end, only the disk can tell whether it has a name now.
    if (!this.usable) await this.#folder.reread();
    if (this.#folder.has(id)) await this.dropGeneration(id);
    else await this.#folder.remove(id);
  }

  async activateGeneration(id: string, now: number): Promise<void> {
    try {
      await this.#activate(id, now);
    } finally {
      // Also when another one was not opened: the other side has let go of the file that it knew.
      if (this.usable) this.#listeners.onFile(this.#activeFile);
    }
  }

  async #activate(id: string, now: number): Promise<void> {
    if (!this.usable) await this.recover();
    this.#folder.require(id);
    if (id === this.#folder.active) return;
    const active = this.#open();
    const next = await this.#folder.openGeneration(id).catch((error: unknown) => {
      throw asStorageFault(error, this.#folder.fileOf(id));
    });
    try {
      blaming(this.#folder.fileOf(id), () => carryOver(active.database, next, this.#listeners.onFault));
    } catch (error) {
      next.close();
      throw error;
    }
    try {
      await this.#changeFolder(() => this.#folder.point(id, now));
    } catch (error) {
      next.close();
      throw error;
    }
    active.database.close();
    this.#use(next);
  }

  async dropGeneration(id: string): Promise<void> {
    this.#folder.require(id);
    if (id === this.#folder.active)
      throw fault('storage.invalid', 'The active generation cannot be dropped.');
    for (const [handle, { generation }] of this.#snapshots) if (generation === id) this.endSnapshot(handle);
    await this.#changeFolder(() => this.#folder.drop(id));
  }

  /** Says what an error of a call was about; one that leaves the handle in doubt ends it. */
  faultOf(error: unknown): CodedError {
    if (isFatal(error)) this.#abandon();
    return asStorageFault(error, this.#activeFile);
  }

  get #activeFile(): string {
    return this.#folder.fileOf(this.#folder.active);
  }

  #builder(id: string) {
    const found = this.#builders.get(id);
    if (found === undefined) throw fault('storage.invalid', `The generation ${id} takes nothing more.`);
    return found;
  }

  #open(): Connection {
    if (this.#connection === undefined)
      throw fault('storage.failed', 'The storage is recovering from a failed write.');
    return this.#connection;
  }

  async #connect(): Promise<void> {
    const file = this.#activeFile;
    const notices = await checkWal(file);
    const database = await this.#folder.openActive();
    try {
      notices.push(...checkStructure(database, file, this.#openedAt), ...checkLogs(database));
    } catch (error) {
      database.close();
      throw error;
    }
    for (const notice of notices) this.#listeners.onFault(notice);
    this.#use(database);
  }

  #use(database: Database): void {
    this.#connection = {
      database,
      begin: database.prepare('BEGIN IMMEDIATE'),
      commit: database.prepare('COMMIT'),
      lists: new ListReader(database),
      reader: new RecordReader(database),
      writer: new CommitWriter(database, this.#listeners.onFault),
    };
    this.#listeners.onFile(this.#activeFile);
  }

  #mend(misleading: Set<number>, now: number): void {
    const keys = [...misleading];
    misleading.clear();
    try {
      const { database } = this.#open();
      const found = this.#transaction(({ documents }) => {
        documents.forget();
        return keys.flatMap((key) => mendDocument(database, key, now));
      });
      for (const notice of found) this.#listeners.onFault(notice);
    } catch {
      // The page was right without it. It is found again by the next list that meets it.
    }
  }

  #transaction<T>(work: (writer: CommitWriter) => T): T {
    const { database, begin, commit, writer } = this.#open();
    try {
      begin.run();
      this.#pace.begin();
      writer.wrote = false;
      const result = work(writer);
      this.#pace.measure(() => commit.run(), writer.wrote);
      writer.committed();
      return result;
    } catch (error) {
      writer.rolledBack();
      if (isFatal(error)) this.#abandon();
      else if (database.inTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }

  /** A change of the pointer file that failed may have reached the disk: only a fresh look can tell. */
  async #changeFolder(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      this.#abandon();
      throw error;
    }
  }

  /** Lets go of the open file; `recover` opens it again. */
  #abandon(): void {
    this.#closeReaders();
    this.#listeners.onFile(undefined);
    const database = this.#connection?.database;
    this.#connection = undefined;
    try {
      if (database?.inTransaction) database.exec('ROLLBACK');
    } catch {
      // The file is closed next; what was not committed is gone with it.
    }
    database?.close();
  }

  #closeReaders(): void {
    for (const handle of [...this.#snapshots.keys()]) this.endSnapshot(handle);
  }
}

/** After these nobody knows what is on the disk and what only in the kernel's memory. */
function isFatal(error: unknown): boolean {
  return /^SQLITE_(FULL|IOERR|CANTOPEN|READONLY|NOMEM|PROTOCOL)/.test(systemCodeOf(error) ?? '');
}

/**
 * Says of an error that it was about this file. Once said, it is not mistaken for one of the active file, whose handle would
 * be given up for it.
 */
function blaming<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asStorageFault(error, file);
  }
}
