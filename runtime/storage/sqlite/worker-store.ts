import type { Database, Statement } from 'better-sqlite3';
import { type CodedError, isCoded, systemCodeOf } from '../../base/errors.ts';
import { randomId, timeOrderedId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import { type CheckedOperation, MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { logChecksum } from '../checksum.ts';
import type { Position } from '../cursor.ts';
import type { Generation, ListQuery, SnapshotRecord, StorageStats } from '../storage.ts';
import { CommitWriter } from './commit-writer.ts';
import { mendDocument, setAsideIfDamaged } from './damaged-records.ts';
import { DataFolder } from './data-folder.ts';
import { GenerationBuilder } from './generation-builder.ts';
import { GroupPace } from './group-pace.ts';
import { type ListedRows, ListReader } from './list-reader.ts';
import { ENTRY_SEQUENCE, entryKey, LogTable } from './log-table.ts';
import type { DamagedRecord, FaultNotice, SnapshotRow, WorkerCounts } from './protocol.ts';
import { RecordReader } from './record-reader.ts';
import { credibleLastSequence } from './rows.ts';
import { SnapshotReader } from './snapshot-reader.ts';
import { asStorageFault } from './sqlite-errors.ts';

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

/** The storage as the worker has it: one open generation, and what is being read from and written beside it. */
export class WorkerStore {
  readonly counts: WorkerCounts = { commits: 0, transactions: 0, recoveries: 0 };
  readonly #onFault: (notice: FaultNotice) => void;
  readonly #snapshots = new Map<number, { generation: string; reader: SnapshotReader }>();
  readonly #builders = new Map<string, { builder: GenerationBuilder; createdAt: number; reason: string }>();
  readonly #folder: DataFolder;
  readonly #pace = new GroupPace(() => performance.now());
  /** Undefined after a write that failed, until the file was opened again. */
  #connection: Connection | undefined;
  #lastHandle = 0;
  #lastSweep = Number.NEGATIVE_INFINITY;

  static async open(path: string, now: number, onFault: (notice: FaultNotice) => void): Promise<WorkerStore> {
    try {
      const folder = await DataFolder.open(path, now);
      const store = new WorkerStore(folder, onFault);
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

  private constructor(folder: DataFolder, onFault: (notice: FaultNotice) => void) {
    this.#folder = folder;
    this.#onFault = onFault;
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
   * pages is not known, and a second fsync would say that all is well.
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
   * Carries out the first of these commits, as many as make a good transaction, with one sync. Each answers for itself: with
   * its numbers, or with the error that was its own. After a failed write all of them fail.
   */
  commit(commits: CheckedOperation[][], now: number): (number[] | CodedError)[] {
    const answers: (number[] | CodedError)[] = [];
    try {
      this.#transaction((writer) => {
        for (const operations of commits) {
          answers.push(applyOrConflict(writer, operations, now));
          if (this.#pace.full) break;
        }
      });
    } catch (error) {
      if (!this.usable) return commits.map(() => asStorageFault(error, this.#activeFile));
      if (commits.length === 1) return [asStorageFault(error, this.#activeFile)];
      // One of them is to blame and the others need not suffer for it: those that were tried go one by one.
      return commits.slice(0, answers.length + 1).flatMap((one) => this.commit([one], now));
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
    const removed = this.#transaction((writer) => writer.removeExpired(now, SWEEP_LIMIT));
    if (removed === SWEEP_LIMIT) this.#lastSweep = Number.NEGATIVE_INFINITY;
  }

  setAside(record: DamagedRecord, now: number): boolean {
    return this.#transaction(({ logs }) => setAsideIfDamaged(this.#open().database, logs, record, now));
  }

  version(): string {
    return String(this.#open().database.prepare('SELECT sqlite_version()').pluck().get());
  }

  async stats(now: number): Promise<StorageStats> {
    const { database } = this.#open();
    const count = (condition: string, ...values: unknown[]) =>
      database
        .prepare(`SELECT collection, count(*) FROM document ${condition} GROUP BY collection`)
        .raw()
        .all(...values) as [string, number][];
    const expired = new Map(count('WHERE expires_at <= ?', now));
    const living = count('').map(([name, all]) => [name, all - (expired.get(name) ?? 0)] as const);
    return {
      documents: Object.fromEntries(living.filter(([, documents]) => documents > 0)),
      sizeBytes: await this.#folder.sizeOf(this.#folder.active),
    };
  }

  openSnapshot(generation: string | undefined, now: number): number {
    const id = generation ?? this.#folder.active;
    this.#folder.require(id);
    const reader = new SnapshotReader(this.#folder.fileOf(id), now);
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
    return snapshot.reader.next();
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
    try {
      builder.write(records);
    } catch (error) {
      // Said of its own file: the active one is not in doubt because another could not be written.
      throw asStorageFault(error, builder.file);
    }
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
    if (!this.usable) await this.recover();
    this.#folder.require(id);
    if (id === this.#folder.active) return;
    const active = this.#open();
    const next = await this.#folder.openGeneration(id);
    try {
      carryCounters(active.database, next, this.#onFault);
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
    this.#use(await this.#folder.openActive());
  }

  #use(database: Database): void {
    this.#connection = {
      database,
      begin: database.prepare('BEGIN IMMEDIATE'),
      commit: database.prepare('COMMIT'),
      lists: new ListReader(database),
      reader: new RecordReader(database),
      writer: new CommitWriter(database, this.#onFault),
    };
  }

  #mend(misleading: Set<number>, now: number): void {
    const keys = [...misleading];
    misleading.clear();
    try {
      const { database } = this.#open();
      const found = this.#transaction(() => keys.map((key) => mendDocument(database, key, now)));
      for (const notice of found) if (notice !== undefined) this.#onFault(notice);
    } catch {
      // The page was right without it. It is found again by the next list that meets it.
    }
  }

  #transaction<T>(work: (writer: CommitWriter) => T): T {
    const { database, begin, commit, writer } = this.#open();
    try {
      begin.run();
      this.#pace.begin();
      const result = work(writer);
      this.#pace.measure(() => commit.run());
      writer.logs.committed();
      return result;
    } catch (error) {
      writer.logs.rolledBack();
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

/** A conflict is an answer: it comes before the first write of its commit, so that the others are not touched by it. */
function applyOrConflict(
  writer: CommitWriter,
  operations: CheckedOperation[],
  now: number,
): number[] | CodedError {
  try {
    return writer.apply(operations, now);
  } catch (error) {
    if (isCoded(error, 'storage.version_conflict')) return error;
    throw error;
  }
}

/** Makes every log of the next generation count on from where the active one is, so that no number is used twice. */
function carryCounters(active: Database, next: Database, onFault: (notice: FaultNotice) => void): void {
  const logs = new LogTable(next, onFault);
  next.transaction(() => {
    const counters = active
      .prepare(
        `SELECT name, number, last_sequence, crc, coalesce((
           SELECT ${ENTRY_SEQUENCE} FROM entry
           WHERE key > ${entryKey('number', '0')} AND key <= ${entryKey('number', '?')} ORDER BY key DESC LIMIT 1), 0)
         FROM log`,
      )
      .raw();
    for (const counter of counters.iterate(MAXIMUM_SEQUENCE)) {
      const [name, number, stored, crc, greatest] = counter as [string, number, number, number, number];
      const whole = logChecksum(name, number, stored) === crc;
      logs.advance(name, whole ? Math.max(stored, greatest) : credibleLastSequence(stored, greatest));
    }
  })();
}
