import { type Clock, systemClock } from '../base/clock.ts';
import { isCoded } from '../base/errors.ts';
import { type MakeId, randomId } from '../base/ids.ts';
import { fault } from '../contract/error-codes.ts';
import { CallDeadline } from './call-deadline.ts';
import { CallsUnderWay } from './calls-under-way.ts';
import {
  type CheckedOperation,
  checkCommitId,
  checkKey,
  checkListQuery,
  checkOperations,
  checkReadQuery,
} from './checked-input.ts';
import { CommitSender } from './degraded/commit-sender.ts';
import { guardedGenerations } from './degraded/guarded-generations.ts';
import { isLease } from './degraded/is-lease.ts';
import { Journal, type JournalTarget } from './degraded/journal.ts';
import { KnownData } from './degraded/known-data.ts';
import type { ModeListener, StorageMode } from './degraded/mode.ts';
import { journalNotices, unreachableWithJournal } from './degraded/notices.ts';
import type { DegradedStorageOptions } from './degraded/options.ts';
import { Outage } from './degraded/outage.ts';
import { PendingCommit } from './degraded/pending-commit.ts';
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
  StorageStats,
  StoredDocument,
  Supports,
} from './storage.ts';
import { StorageGate } from './storage-gate.ts';

/** What is remembered for the time in which the storage is away. */
const KNOWN_BYTES = 64 * 1024 * 1024;
/** An adapter answers within its own budgets; this is for one that does not. */
const DEADLINE_MS = 15_000;
/**
 * Keeps a remote storage usable while it is away. While it answers, everything is passed on; each commit gets a name, and
 * a part of what is read and written is remembered. When it cannot be reached, commits go into a journal on the local disk,
 * and answers come from what is remembered, or reject with `storage.not_known_now`, but never tell something that may be
 * wrong. When it is back, the journal is drained into it in order. See `docs/decisions/2026-11-21-degradation-mode.md`.
 */
export class DegradedStorage implements Storage {
  readonly supports: Supports;
  readonly generations: Generations;
  readonly #inner: Storage;
  readonly #options: DegradedStorageOptions;
  readonly #clock: Clock;
  readonly #makeId: MakeId;
  readonly #now: () => number;
  readonly #gate: StorageGate;
  readonly #known: KnownData;
  readonly #journal: Journal;
  readonly #outage: Outage;
  readonly #sender: CommitSender;
  readonly #deadline: CallDeadline;
  readonly #unanswered = new CallsUnderWay();
  readonly #listeners = new Set<ModeListener>();
  #writer = '';
  #lastNumber = 0;
  #lastOrder = 0;
  #info: StorageInfo;
  #stats: StorageStats | undefined;

  constructor(options: DegradedStorageOptions) {
    this.#options = options;
    this.#inner = options.storage;
    this.#clock = options.clock ?? systemClock;
    this.#makeId = options.makeId ?? randomId;
    this.#now = options.now ?? (() => this.#clock.now());
    this.supports = options.storage.supports;
    this.#info = { product: this.#inner.type, location: '', latencyMs: 0, notices: [] };
    this.#deadline = new CallDeadline(this.#clock, options.deadlineMs ?? DEADLINE_MS);
    this.#known = new KnownData(options.knownBytes ?? KNOWN_BYTES);
    this.#journal = new Journal({
      folder: options.folder,
      now: this.#now,
      makeId: this.#makeId,
      onFault: options.onFault,
    });
    if (options.onModeChange !== undefined) this.#listeners.add(options.onModeChange);
    this.#outage = new Outage({
      journal: this.#journal,
      known: this.#known,
      storage: {
        get: (collection, id) => this.#inTime(() => this.#inner.get(collection, id)),
        list: (collection, query) => this.#inTime(() => this.#inner.list(collection, query)),
      },
      target: () => this.#target,
      commit: (operations, id) => this.#inTime(() => this.#inner.commit(operations, id)),
      probe: () => this.#inTime(() => this.#inner.info()),
      sendDirectly: (pending) => this.#sender.send(pending),
      isQuiet: () => this.#sender.isQuiet,
      clock: this.#clock,
      now: this.#now,
      random: options.random ?? Math.random,
      onJournaled: (pending, result) => this.#tell('commit', result, pending.begun),
      onModeChange: (mode, report) => {
        for (const listener of this.#listeners) listener(mode, report);
      },
      onFault: options.onFault,
    });
    this.#sender = new CommitSender({
      storage: this.#inner,
      deadline: this.#deadline,
      known: this.#known,
      outage: this.#outage,
      now: this.#now,
    });
    this.#gate = new StorageGate({ open: () => this.#open(), close: () => this.#close() }, undefined);
    this.generations = guardedGenerations(
      this.#inner.generations,
      (call) => this.#passOn(call),
      () => this.#known.clear(),
    );
  }

  get type(): string {
    return this.#inner.type;
  }

  /** Whether the storage is there, and what waits for it. */
  mode(): StorageMode {
    return this.#outage.mode();
  }

  /** Calls `listener` whenever the state of the mode changes. Returns the function that ends that. */
  onModeChange(listener: ModeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * What an earlier process has left in the journal is drained before this resolves. Rejects as the port says; with
   * `storage.unreachable` it also tells how many journaled commits wait.
   */
  open(): Promise<void> {
    return this.#gate.open();
  }

  /** What is not drained by then stays in the journal for the next `open`. */
  close(): Promise<void> {
    return this.#gate.close();
  }

  commit(operations: Operation[], id?: CommitId): Promise<OperationResult[]> {
    return this.#gate.run(undefined, () => {
      const begun = performance.now();
      let checked: CheckedOperation[];
      let own: CommitId | undefined;
      try {
        own = checkCommitId(id);
        checked = checkOperations(operations);
        if (!this.#outage.isNormal && isLease(checked)) throw this.#waitingForIt();
      } catch (error) {
        this.#tell('commit', 'error', begun);
        throw error;
      }
      this.#lastOrder += 1;
      const named = own !== undefined;
      own ??= this.#nextId();
      const pending = new PendingCommit(this.#lastOrder, own, named, checked, begun, this.#unanswered);
      if (this.#outage.isNormal) this.#sender.send(pending, operations);
      else this.#outage.take(pending);
      return pending.answer;
    });
  }

  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#read(
      'get',
      () => this.#inner.get<T>(collection, id),
      (found, since) => this.#known.sawDocument(collection, id, found, since),
      () => {
        checkKey(collection, id);
        return this.#known.get<T>(collection, id, this.#now());
      },
    );
  }

  list<T>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    return this.#read(
      'list',
      () => this.#inner.list<T>(collection, query),
      ({ items }, since) => {
        for (const item of items) this.#known.sawDocument(collection, item.id, item, since);
      },
      () => this.#known.list<T>(collection, checkListQuery(collection, query), this.#now()),
    );
  }

  read<T>(log: string, query: ReadQuery = {}): Promise<LogEntry<T>[]> {
    // The caller may change its own before the answer is there, which would then be taken for that of another part of the log.
    const asked = { ...query };
    return this.#read(
      'read',
      () => this.#inner.read<T>(log, asked),
      (found, since) => this.#known.sawEntries(log, checkReadQuery(log, asked), found, since),
      () => this.#known.read<T>(log, checkReadQuery(log, asked)),
    );
  }

  /** While the storage is away: the last figures that it told. */
  stats(): Promise<StorageStats> {
    return this.#read(
      'stats',
      () => this.#inner.stats(),
      (stats) => {
        this.#stats = stats;
      },
      () => {
        if (this.#stats !== undefined) return this.#stats;
        throw fault('storage.not_known_now', 'The storage cannot be reached, and has never told its size.');
      },
    );
  }

  info(): Promise<StorageInfo> {
    return this.#read(
      undefined,
      () => this.#inner.info(),
      (info) => {
        this.#info = info;
      },
      () => this.#info,
    ).then((info) => ({
      ...info,
      notices: [
        ...info.notices,
        ...journalNotices(this.mode(), this.#journal.elsewhere, this.#options.folder),
      ],
    }));
  }

  async *snapshot(
    options: { generation?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<SnapshotRecord[], void, void> {
    await this.#gate.run(undefined, async () => this.#refuseUnlessNormal());
    try {
      yield* this.#inner.snapshot(options);
    } catch (error) {
      this.#notice(error);
      throw error;
    }
  }

  get #target(): JournalTarget {
    return { type: this.#inner.type, location: this.#info.location };
  }

  #nextId(): CommitId {
    this.#lastNumber += 1;
    return { writer: this.#writer, number: this.#lastNumber };
  }

  async #open(): Promise<void> {
    this.#writer = this.#makeId(20);
    this.#lastNumber = 0;
    this.#known.clear();
    try {
      await this.#inner.open();
    } catch (error) {
      throw isCoded(error, 'storage.unreachable') ? await this.#withJournalNamed(error) : error;
    }
    try {
      this.#info = await this.#inTime(() => this.#inner.info());
      await this.#journal.openLeft(this.#target);
      await this.#outage.drainLeft();
    } catch (error) {
      const said = isCoded(error, 'storage.unreachable') ? await this.#withJournalNamed(error) : error;
      await this.#journal.close();
      await this.#inner.close();
      throw said;
    }
  }

  async #withJournalNamed(error: Error): Promise<Error> {
    const left = this.#journal.files.length > 0 ? this.#journal.commits : await this.#countLeft();
    return left === 0 ? error : unreachableWithJournal(error, left, this.#options.folder);
  }

  async #countLeft(): Promise<number> {
    try {
      return await this.#journal.countLeft();
    } catch {
      // Another process has them; it will tell.
      return 0;
    } finally {
      await this.#journal.close();
    }
  }

  async #close(): Promise<void> {
    await this.#outage.stop();
    await this.#unanswered.settled();
    await this.#outage.stop();
    await this.#journal.close();
    await this.#inner.close();
    this.#deadline.close();
  }

  /** From the storage; when it is away, from what is known of it. */
  #read<T>(
    operation: StorageOperationName | undefined,
    fromStorage: () => Promise<T>,
    remember: (found: T, since: number) => void,
    fromMemory: () => T,
  ): Promise<T> {
    return this.#gate.run(undefined, async () => {
      if (this.#outage.isNormal) {
        const since = this.#known.mark();
        try {
          const found = await this.#inTime(fromStorage);
          remember(found, since);
          return found;
        } catch (error) {
          if (!isCoded(error, 'storage.unreachable')) throw error;
          this.#outage.begin(error);
        }
      }
      const begun = performance.now();
      try {
        const found = fromMemory();
        this.#tell(operation, 'ok', begun);
        return found;
      } catch (error) {
        this.#tell(operation, 'error', begun);
        throw error;
      }
    });
  }

  /** For what makes no sense from memory. */
  #passOn<T>(call: () => Promise<T>): Promise<T> {
    return this.#gate.run(undefined, async () => {
      this.#refuseUnlessNormal();
      try {
        return await call();
      } catch (error) {
        this.#notice(error);
        throw error;
      }
    });
  }

  #notice(error: unknown): void {
    if (isCoded(error, 'storage.unreachable')) this.#outage.begin(error);
  }

  #refuseUnlessNormal(): void {
    if (!this.#outage.isNormal) throw this.#waitingForIt();
  }

  #waitingForIt(): Error {
    const { problem = '' } = this.#outage.mode();
    return fault(
      'storage.unreachable',
      `This has to wait until the storage is back and has taken over the journal. ${problem}`.trim(),
    );
  }

  #tell(operation: StorageOperationName | undefined, result: 'ok' | 'error', begun: number): void {
    if (operation !== undefined)
      this.#options.onOperation?.(operation, result, (performance.now() - begun) / 1000);
  }

  #inTime<T>(call: () => Promise<T>): Promise<T> {
    return this.#deadline.run(call);
  }
}

/** The mode of a storage that may be one that can degrade. */
export function modeOf(storage: Storage): StorageMode {
  return storage instanceof DegradedStorage
    ? storage.mode()
    : { state: 'normal', journalCommits: 0, journalBytes: 0 };
}
