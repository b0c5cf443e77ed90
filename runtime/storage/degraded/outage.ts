import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { CheckedOperation } from '../checked-input.ts';
import type { CommitId, Operation, OperationResult, Storage, StorageOptions } from '../storage.ts';
import { drain } from './drain.ts';
import type { Journal, JournalTarget } from './journal.ts';
import { commitLine } from './journal-lines.ts';
import type { KnownData } from './known-data.ts';
import type { ModeListener, RecoveryReport, StorageMode } from './mode.ts';
import type { PendingCommit } from './pending-commit.ts';

/** Milliseconds between two looks whether the storage is back: doubled each time, with jitter. */
const FIRST_PROBE_MS = 250;
const SLOWEST_PROBE_MS = 10_000;
/** While the journal is drained one new commit is let in for so many that went out, so that it comes to an end. */
const DRAINED_PER_ADMITTED = 2;
/** Answers to commits that their callers have named, kept for those who ask again. */
const KEPT_ANSWERS = 10_000;

/**
 * - `normal`: the storage answers.
 * - `settling`: it has just been lost; what was sent to it comes back one after the other.
 * - `degraded`: commits go into the journal.
 * - `draining`: it is back and takes the journal over; new commits wait behind that, or go into the journal, too.
 * - `sealing`: the journal is empty and being removed; new commits wait.
 */
type State = 'normal' | 'settling' | 'degraded' | 'draining' | 'sealing';

export interface OutageOptions {
  journal: Journal;
  known: KnownData;
  storage: Pick<Storage, 'get' | 'list'>;
  target: () => JournalTarget;
  /** To the storage, within a deadline. */
  commit: (operations: Operation[], id: CommitId) => Promise<OperationResult[]>;
  /** Resolves when the storage answers. */
  probe: () => Promise<unknown>;
  /** Past the journal. */
  sendDirectly: (pending: PendingCommit) => void;
  /** No commit that was sent to the storage is without its answer. */
  isQuiet: () => boolean;
  clock: Clock;
  now: () => number;
  random: () => number;
  /** A commit is about to be answered by the journal, not by the storage. */
  onJournaled: (pending: PendingCommit, result: 'ok' | 'error') => void;
  onModeChange: ModeListener;
  onFault: StorageOptions['onFault'];
}

/** The time in which the storage is away: from the first call that did not reach it until it has taken all over. */
export class Outage {
  readonly #options: OutageOptions;
  #state: State = 'normal';
  /** Commits that wait for what the state is waiting for. */
  #held: PendingCommit[] = [];
  readonly #answers = new Map<string, Promise<OperationResult[]>>();
  #since = 0;
  #begunAt = 0;
  #problem = '';
  #probes = 0;
  #nextProbe: Timer | undefined;
  #recovering: Promise<void> | undefined;
  #stopping = false;
  /** What commits of unknown fate have touched: after the outage it is not known until it is read again. */
  #uncertain: CheckedOperation[][] = [];
  #drained = { commits: 0, conflicts: 0, renumbered: 0, refused: 0 };

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  get isNormal(): boolean {
    return this.#state === 'normal';
  }

  mode(): StorageMode {
    const { commits, bytes, oldestAt } = this.#options.journal;
    const figures = {
      journalCommits: commits,
      journalBytes: bytes,
      ...(oldestAt === undefined ? {} : { oldestAt }),
    };
    if (this.#state === 'normal') return { state: 'normal', ...figures };
    const draining = this.#state === 'draining' || this.#state === 'sealing';
    const done = this.#drained.commits;
    return {
      state: draining ? 'draining' : 'degraded',
      degradedSince: this.#since,
      problem: this.#problem,
      ...figures,
      ...(draining ? { draining: { done, total: done + commits } } : {}),
    };
  }

  /** The storage was not reached. Idempotent. */
  begin(error: unknown): void {
    this.#problem = messageOf(error);
    if (this.#state !== 'normal') return;
    this.#state = 'settling';
    this.#since = this.#options.now();
    this.#begunAt = this.#options.clock.monotonic();
    this.#probes = 0;
    this.#drained = { commits: 0, conflicts: 0, renumbered: 0, refused: 0 };
    this.#tell();
    // In a turn of its own: the call that failed has its commit to hand in first.
    queueMicrotask(() => this.settled());
  }

  /**
   * A commit that cannot be sent, or whose answer was lost. It is journaled once everything that was sent before is
   * settled: until then nobody can tell what it will find.
   */
  take(pending: PendingCommit): void {
    const before = pending.named ? this.#answers.get(pending.key) : undefined;
    if (before !== undefined) {
      before.then(
        (results) => pending.resolve(results),
        (error: unknown) => pending.reject(error),
      );
    } else if (this.#state === 'normal') this.#options.sendDirectly(pending);
    else if (this.#state === 'degraded') this.#journal(pending);
    else this.#held.push(pending);
  }

  /** A commit that was sent to the storage has its answer, or has been handed in. */
  settled(): void {
    if (this.#state !== 'settling' || !this.#options.isQuiet()) return;
    this.#state = 'degraded';
    this.#journalHeld();
    this.#scheduleProbe();
  }

  /** Drains what was found at open; rejects with whatever keeps the storage from taking it. */
  async drainLeft(): Promise<void> {
    const { journal } = this.#options;
    if (journal.files.length === 0) return;
    this.#since = journal.oldestAt ?? this.#options.now();
    this.#begunAt = this.#options.clock.monotonic();
    this.#stopping = false;
    this.#drained = { commits: 0, conflicts: 0, renumbered: 0, refused: 0 };
    this.#state = 'draining';
    try {
      await this.#drainAll();
      await journal.remove();
    } finally {
      this.#state = 'normal';
    }
    this.#tell(this.#report());
  }

  /** Ends probes and a drain under way, and journals what waits. What is called later goes into the journal at once. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#nextProbe?.cancel();
    this.#nextProbe = undefined;
    await this.#recovering;
    await Promise.all(this.#options.journal.files.map((file) => file.settled()));
    if (this.#state === 'degraded') {
      for (const file of this.#options.journal.files) {
        if (this.#drained.commits > 0) await file.savePosition().catch(() => undefined);
      }
    }
    if (this.#options.isQuiet() && this.#held.length === 0) {
      this.#state = 'normal';
      this.#stopping = false;
      this.#answers.clear();
    }
  }

  #journalHeld(): void {
    const held = this.#held.sort((a, b) => a.order - b.order);
    this.#held = [];
    for (const pending of held) this.#journal(pending);
  }

  /** Answers from what is known, once the commit is in the journal. */
  #journal(pending: PendingCommit): void {
    const { journal, known, now, target } = this.#options;
    const { checked } = pending;
    const at = now();
    let numbers: number[];
    let line: string;
    try {
      numbers = known.predict(checked, at);
      // It throws when all the values together are longer than a text can be.
      line = commitLine(pending.id, at, checked, numbers);
    } catch (error) {
      this.#options.onJournaled(pending, 'error');
      // It may have been carried out all the same, and its caller is told just that. For now nothing is made of it.
      if (pending.lost !== undefined) this.#uncertain.push(checked);
      pending.reject(pending.lost ?? error);
      return;
    }
    const undo = known.apply(checked, numbers, at);
    if (pending.named) this.#keepAnswer(pending);
    journal.append(
      line,
      target(),
      () => {
        this.#options.onJournaled(pending, 'ok');
        pending.resolve(pending.resultsOf(numbers));
      },
      (error) => {
        undo();
        if (pending.lost !== undefined) this.#uncertain.push(checked);
        this.#answers.delete(pending.key);
        this.#options.onJournaled(pending, 'error');
        pending.reject(pending.lost ?? error);
      },
    );
  }

  #keepAnswer(pending: PendingCommit): void {
    this.#answers.set(pending.key, pending.answer);
    if (this.#answers.size <= KEPT_ANSWERS) return;
    const [oldest] = this.#answers.keys();
    if (oldest !== undefined) this.#answers.delete(oldest);
  }

  #scheduleProbe(): void {
    if (this.#stopping) return;
    const { clock, random } = this.#options;
    const wait = Math.min(SLOWEST_PROBE_MS, FIRST_PROBE_MS * 2 ** this.#probes);
    this.#probes += 1;
    this.#nextProbe = clock.after(wait * (0.75 + random() / 2), () => {
      this.#recovering = this.#recover().finally(() => {
        this.#recovering = undefined;
      });
    });
  }

  /** Never rejects. */
  async #recover(): Promise<void> {
    const { journal } = this.#options;
    try {
      await this.#options.probe();
      if (this.#stopping) return;
      this.#state = 'draining';
      this.#tell();
      await this.#drainAll();
      // Without a turn since the journal was found empty: from here on nothing is let into it.
      this.#state = 'sealing';
      await journal.remove();
    } catch (error) {
      const wasDraining = this.#state !== 'degraded';
      this.#state = 'degraded';
      // A drain that a close has ended is no new loss.
      if (!this.#stopping) {
        this.#problem = messageOf(error);
        if (wasDraining) this.#tell();
      }
      this.#journalHeld();
      this.#scheduleProbe();
      return;
    }
    this.#state = 'normal';
    this.#answers.clear();
    const held = this.#held.sort((a, b) => a.order - b.order);
    this.#held = [];
    for (const pending of held) this.#options.sendDirectly(pending);
    this.#tell(this.#report());
  }

  async #drainAll(): Promise<void> {
    const { journal, known, storage, commit, now, onFault } = this.#options;
    const stale: CheckedOperation[][] = [];
    while (!journal.isEmpty) {
      for (const file of journal.files) {
        await file.settled();
        await drain(file, {
          storage,
          commit,
          now,
          onNext: ({ at }) => journal.drainedTo(at),
          onCommit: () => {
            this.#drained.commits += 1;
            this.#admit();
            if (this.#stopping) throw new Error('The storage is being closed.');
          },
          onConflict: (key) => {
            this.#drained.conflicts += 1;
            const at = key.indexOf('/');
            const document = { collection: key.slice(0, at), id: key.slice(at + 1) };
            stale.push([{ kind: 'delete', ...document, expectVersion: undefined }]);
          },
          onRenumbered: (journaled) => {
            this.#drained.renumbered += 1;
            stale.push(touchedBy(journaled.operations));
          },
          onRefused: (journaled, error) => {
            this.#drained.refused += 1;
            stale.push(touchedBy(journaled.operations));
            onFault?.({
              code: 'storage.corrupt_record',
              record: `journal ${file.path}`,
              message: `The storage refuses a commit that was acknowledged while it was away: ${error.message} It is kept in ${file.path}.refused.`,
            });
          },
        });
      }
    }
    for (const operations of [...stale, ...this.#uncertain]) known.forget(operations);
    this.#uncertain = [];
  }

  /** Lets a commit that waits into the journal, for every few that have left it. */
  #admit(): void {
    if (this.#drained.commits % DRAINED_PER_ADMITTED !== 0) return;
    const next = this.#held.shift();
    if (next !== undefined) this.#journal(next);
  }

  #report(): RecoveryReport {
    return {
      since: this.#since,
      durationMs: Math.round(this.#options.clock.monotonic() - this.#begunAt),
      ...this.#drained,
    };
  }

  #tell(report?: RecoveryReport): void {
    this.#options.onModeChange(this.mode(), report);
  }
}

/** The same, as far as it matters for what is no longer known. */
function touchedBy(operations: readonly Operation[]): CheckedOperation[] {
  return operations.map((operation) =>
    operation.kind === 'put' || operation.kind === 'delete'
      ? { kind: 'delete', collection: operation.collection, id: operation.id, expectVersion: undefined }
      : { kind: 'trim', log: operation.log, through: 0 },
  );
}
