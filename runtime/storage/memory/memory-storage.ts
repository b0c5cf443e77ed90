import { randomId, timeOrderedId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import {
  type CheckedOperation,
  type CheckedRead,
  checkCommitId,
  checkKey,
  checkListQuery,
  checkOperations,
  checkReadQuery,
  fieldsFromText,
  SnapshotRecordCheck,
  toResults,
} from '../checked-input.ts';
import { compareText } from '../collation.ts';
import { pageOf } from '../list-page.ts';
import { SNAPSHOT_BATCH_RECORDS } from '../snapshot-batch.ts';
import {
  type CommitId,
  type Generation,
  type Generations,
  type GenerationWriter,
  type ListPage,
  type ListQuery,
  type LogEntry,
  type Operation,
  type OperationResult,
  REMEMBERED_COMMITS,
  type ReadQuery,
  type SnapshotRecord,
  type Storage,
  type StorageInfo,
  type StorageOptions,
  type StorageStats,
  type StoredDocument,
  type Supports,
} from '../storage.ts';
import { StorageGate } from '../storage-gate.ts';
import { versionConflict } from '../version-conflict.ts';
import {
  addRecord,
  collectionOf,
  type DataSet,
  isLiving,
  type Kept,
  type KeptEntry,
  logOf,
  toDocument,
} from './data-set.ts';

/**
 * The storage for tests, and the reference that the others are compared with: plain maps, every operation by the obvious
 * way. Keeps its data over `close` and `open` of the same object, as if it were a file.
 */
export class MemoryStorage implements Storage {
  readonly type = 'memory';
  readonly supports: Supports = { durable: false, sharedByProcesses: false, remote: false };
  readonly generations: Generations;
  readonly #now: () => number;
  readonly #gate: StorageGate;
  readonly #sets = new Map<string, DataSet>();
  /** Of each writer, what its last commits answered, by their numbers. */
  readonly #carriedOut = new Map<string, Map<number, number[]>>();
  #active: DataSet;

  constructor(options: StorageOptions = {}) {
    this.#now = options.now ?? Date.now;
    this.#active = this.#newSet('first');
    this.#active.sealed = true;
    this.#gate = new StorageGate(
      {
        open: async () => {
          for (const set of this.#sets.values()) if (!set.sealed) this.#sets.delete(set.id);
        },
        close: async () => undefined,
      },
      options.onOperation,
    );
    const guard = <T>(work: () => T) => this.#gate.run(undefined, async () => work());
    this.generations = {
      list: () => guard(() => this.#listGenerations()),
      create: (reason) => guard(() => this.#createGeneration(reason)),
      activate: (id) => guard(() => this.#activate(id)),
      drop: (id) => guard(() => this.#drop(id)),
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
      return toResults(
        checked,
        this.#once(id, () => this.#apply(checked)),
      );
    });
  }

  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#gate.run('get', async () => {
      checkKey(collection, id);
      const kept = this.#find(collection, id);
      return kept && toDocument<T>(kept);
    });
  }

  list<T>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    return this.#gate.run('list', async () => {
      const checked = checkListQuery(collection, query);
      return pageOf(this.#living(collection), checked, (kept) => toDocument<T>(kept));
    });
  }

  read<T>(log: string, query: ReadQuery = {}): Promise<LogEntry<T>[]> {
    return this.#gate.run('read', async () => {
      const checked = checkReadQuery(log, query);
      return this.#entries(log, checked).map((entry) => ({
        log,
        sequence: entry.sequence,
        at: entry.at,
        value: JSON.parse(entry.json) as T,
      }));
    });
  }

  stats(): Promise<StorageStats> {
    return this.#gate.run('stats', async () => {
      const documents: [string, number][] = [];
      let sizeBytes = 0;
      for (const collection of this.#active.collections.keys()) {
        const living = this.#living(collection);
        if (living.length > 0) documents.push([collection, living.length]);
        for (const kept of living) sizeBytes += Buffer.byteLength(kept.json);
      }
      for (const log of this.#active.logs.values()) {
        for (const entry of log.entries) sizeBytes += Buffer.byteLength(entry.json);
      }
      return { documents: Object.fromEntries(documents), sizeBytes };
    });
  }

  info(): Promise<StorageInfo> {
    return this.#gate.run(undefined, async () => ({
      product: 'Memory',
      location: 'this process',
      latencyMs: 0,
      notices: [
        { code: 'memory.not_kept', message: 'Everything is gone when the process ends; it is for tests.' },
      ],
    }));
  }

  async *snapshot(
    options: { generation?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<SnapshotRecord[], void, void> {
    const records = await this.#gate.run('snapshot', async () => {
      options.signal?.throwIfAborted();
      return this.#records(
        options.generation === undefined ? this.#active : this.#sealed(options.generation),
      );
    });
    for (let i = 0; i < records.length; i += SNAPSHOT_BATCH_RECORDS) {
      options.signal?.throwIfAborted();
      this.#gate.check();
      yield records.slice(i, i + SNAPSHOT_BATCH_RECORDS);
    }
  }

  #once(id: CommitId | undefined, carryOut: () => number[]): number[] {
    if (id === undefined) return carryOut();
    const ofWriter = this.#carriedOut.get(id.writer) ?? new Map<number, number[]>();
    const before = ofWriter.get(id.number);
    if (before !== undefined) return before;
    const numbers = carryOut();
    this.#carriedOut.set(id.writer, ofWriter);
    ofWriter.set(id.number, numbers);
    ofWriter.delete(id.number - REMEMBERED_COMMITS);
    return numbers;
  }

  #apply(operations: CheckedOperation[]): number[] {
    this.#checkVersions(operations);
    const now = this.#now();
    return operations.map((operation) => this.#applyOne(operation, now));
  }

  #applyOne(operation: CheckedOperation, now: number): number {
    switch (operation.kind) {
      case 'put': {
        const { collection, id, json, expiresAt } = operation;
        const version = (this.#find(collection, id)?.version ?? 0) + 1;
        const index = fieldsFromText(operation.fields);
        collectionOf(this.#active, collection).set(id, { collection, id, version, json, index, expiresAt });
        return version;
      }
      case 'delete':
        this.#active.collections.get(operation.collection)?.delete(operation.id);
        return 0;
      case 'append': {
        const log = logOf(this.#active, operation.log);
        log.lastSequence += 1;
        log.entries.push({ sequence: log.lastSequence, at: now, json: operation.json });
        return log.lastSequence;
      }
      case 'trim': {
        const log = this.#active.logs.get(operation.log);
        if (log !== undefined)
          log.entries = log.entries.filter((entry) => entry.sequence > operation.through);
        return 0;
      }
    }
  }

  /** Goes through the operations in thought before any is carried out: all or nothing. */
  #checkVersions(operations: CheckedOperation[]): void {
    const versions = new Map<string, number>();
    for (const operation of operations) {
      if (operation.kind !== 'put' && operation.kind !== 'delete') continue;
      const { collection, id, expectVersion } = operation;
      const key = `${collection}/${id}`;
      const current = versions.get(key) ?? this.#find(collection, id)?.version ?? 0;
      if (expectVersion !== undefined && expectVersion !== current) {
        throw versionConflict(collection, id, expectVersion, current);
      }
      const living =
        operation.kind === 'put' && (operation.expiresAt === null || operation.expiresAt > this.#now());
      versions.set(key, living ? current + 1 : 0);
    }
  }

  #find(collection: string, id: string): Kept | undefined {
    const kept = this.#active.collections.get(collection)?.get(id);
    return kept !== undefined && isLiving(kept, this.#now()) ? kept : undefined;
  }

  #living(collection: string, set = this.#active): Kept[] {
    const now = this.#now();
    return [...(set.collections.get(collection)?.values() ?? [])].filter((kept) => isLiving(kept, now));
  }

  #entries(log: string, { after, before, limit, reverse }: CheckedRead): KeptEntry[] {
    const entries = this.#active.logs.get(log)?.entries ?? [];
    const found = entries.filter((entry) => entry.sequence > after && entry.sequence < before);
    return (reverse ? found.reverse() : found).slice(0, limit);
  }

  #records(set: DataSet): SnapshotRecord[] {
    const records: SnapshotRecord[] = [];
    for (const collection of [...set.collections.keys()].sort(compareText)) {
      const living = this.#living(collection, set).sort((a, b) => compareText(a.id, b.id));
      for (const { id, version, json, index, expiresAt } of living) {
        const expiry = expiresAt === null ? {} : { expiresAt };
        records.push({ kind: 'document', collection, id, version, json, index: { ...index }, ...expiry });
      }
    }
    for (const [log, { lastSequence, entries }] of [...set.logs].sort(([a], [b]) => compareText(a, b))) {
      records.push({ kind: 'log', log, lastSequence });
      for (const { sequence, at, json } of entries) records.push({ kind: 'entry', log, sequence, at, json });
    }
    return records;
  }

  #newSet(reason: string): DataSet {
    const createdAt = this.#now();
    const id = timeOrderedId(createdAt, randomId);
    const set = { id, createdAt, reason, sealed: false, collections: new Map(), logs: new Map() };
    this.#sets.set(id, set);
    return set;
  }

  #sealed(id: string): DataSet {
    const set = this.#sets.get(id);
    if (!set?.sealed) throw fault('storage.invalid', `There is no sealed generation ${id}.`);
    return set;
  }

  #listGenerations(): Generation[] {
    return [...this.#sets.values()]
      .filter((set) => set.sealed)
      .map(({ id, createdAt, reason, previous, activatedAt }) => ({
        id,
        createdAt,
        reason,
        active: id === this.#active.id,
        ...(previous !== undefined && this.#sets.has(previous) ? { previous } : {}),
        ...(activatedAt === undefined ? {} : { activatedAt }),
      }));
  }

  #createGeneration(reason: string): GenerationWriter {
    const set = this.#newSet(reason);
    const check = new SnapshotRecordCheck();
    const unsealed = <T>(work: () => T) =>
      this.#gate.run(undefined, async () => {
        if (set.sealed || !this.#sets.has(set.id)) {
          throw fault('storage.invalid', `The generation ${set.id} takes nothing more.`);
        }
        return work();
      });
    return {
      id: set.id,
      write: (records) =>
        unsealed(() => {
          for (const record of records) {
            check.check(record);
            addRecord(set, record);
          }
        }),
      seal: () =>
        unsealed(() => {
          set.sealed = true;
        }),
      discard: () =>
        this.#gate.run(undefined, async () => {
          if (!set.sealed) this.#sets.delete(set.id);
        }),
    };
  }

  #activate(id: string): void {
    const next = this.#sealed(id);
    if (next === this.#active) return;
    for (const [name, log] of this.#active.logs) {
      const its = logOf(next, name);
      its.lastSequence = Math.max(its.lastSequence, log.lastSequence);
    }
    next.previous = this.#active.id;
    next.activatedAt = this.#now();
    this.#active = next;
  }

  #drop(id: string): void {
    if (this.#sealed(id) === this.#active) {
      throw fault('storage.invalid', 'The active generation cannot be dropped.');
    }
    this.#sets.delete(id);
  }
}
