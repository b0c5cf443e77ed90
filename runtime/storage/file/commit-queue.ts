import type { CheckedOperation } from '../checked-input.ts';
import type { CommitId, OperationResult } from '../storage.ts';

/** A client whose commit was answered has its next one staged after at most about so many ms. */
const PREPARING_MS = 0.008;
/** A group is not begun early with fewer commits. */
const LEAST_EARLY = 16;
/** How much a new measurement of a sync weighs against those before. */
const WEIGHT = 0.25;

export interface WaitingCommit {
  readonly operations: CheckedOperation[];
  readonly id: CommitId | undefined;
  /** What it is answered when it is durable: a version, a sequence or 0 for each operation. */
  numbers: number[];
  resolve(results: OperationResult[]): void;
  reject(error: unknown): void;
}

/** Something that is done between two groups of commits. */
interface WaitingTask {
  run(): Promise<void>;
}

/** A group of commits whose fate is known. */
interface WrittenGroup {
  /** Tells those who wait. */
  answer(): void;
}

export interface CommitQueueSteps {
  /** Adds a commit to the group that is written next; false when it must wait for a later one. */
  stage(commit: WaitingCommit): boolean;
  /** Recovers and makes room if that is necessary, undefined when it is not; rejects when nothing can be written. */
  ready(): Promise<void> | undefined;
  /** Writes the group that was staged; never rejects. */
  write(): Promise<WrittenGroup>;
}

/**
 * Commits that wait to be written, in the order of their calls, one group at a time; and between them what must not run
 * beside any.
 *
 * A commit is staged as soon as it is there, while the disk is at work for the group before, which is answered when the disk
 * has begun with the next. A group is begun at the end of a tick, so that all who were answered together go into the next one
 * together. Where a sync is quicker than the preparing of all their commits, it is begun as soon as half of them are there:
 * the disk then works for one half while this thread prepares the other.
 */
export class CommitQueue {
  readonly #steps: CommitQueueSteps;
  /** What is not staged. */
  #waiting: (WaitingCommit | WaitingTask)[] = [];
  /** Commits that are staged. */
  #staged = 0;
  #working: PromiseWithResolvers<void> | undefined;
  /** True while a group waits for the end of the tick. */
  #gathering = false;
  /** True while a task runs. */
  #excluded = false;
  /** Who is still to be answered. */
  #written: WrittenGroup | undefined;
  #syncMs = Number.POSITIVE_INFINITY;
  /** Commits that were in the last group or waited for it: so many are expected again. */
  #expected = 0;

  constructor(steps: CommitQueueSteps) {
    this.#steps = steps;
  }

  commit(operations: CheckedOperation[], id: CommitId | undefined): Promise<OperationResult[]> {
    return new Promise((resolve, reject) => {
      const commit: WaitingCommit = { operations, id, numbers: [], resolve, reject };
      if (this.#waiting.length === 0 && !this.#excluded && this.#steps.stage(commit)) this.#staged += 1;
      else this.#waiting.push(commit);
      this.#added();
    });
  }

  /** `run` must not reject. */
  exclusive(run: () => Promise<void>): void {
    this.#waiting.push({ run });
    this.#added();
  }

  /** Resolves when nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working.promise;
  }

  /** Takes back commits that were staged; they are staged anew. */
  takeBack(commits: WaitingCommit[]): void {
    this.#waiting = [...commits, ...this.#waiting];
    this.#staged = 0;
  }

  /** Learns that a group of so many commits became durable, and how long that took. */
  measured(commits: number, syncMs: number): void {
    this.#expected = commits + this.#staged + this.#waiting.length;
    // What took much longer than those before is given no more weight than twice as long: most often it stays alone.
    this.#syncMs =
      this.#syncMs === Number.POSITIVE_INFINITY
        ? syncMs
        : this.#syncMs + (Math.min(syncMs, this.#syncMs * 2) - this.#syncMs) * WEIGHT;
  }

  #added(): void {
    if (this.#working === undefined) {
      this.#working = Promise.withResolvers();
      this.#gather();
    } else if (this.#gathering && this.#isEnough) this.#begin();
  }

  get #isEnough(): boolean {
    return (
      this.#staged >= Math.max(this.#expected / 2, LEAST_EARLY) &&
      this.#expected * PREPARING_MS >= this.#syncMs
    );
  }

  /** Begins the next group at the end of the tick. */
  #gather(): void {
    this.#gathering = true;
    process.nextTick(() => {
      if (this.#gathering) this.#begin();
    });
  }

  #begin(): void {
    this.#gathering = false;
    const [first] = this.#waiting;
    if (this.#staged === 0 && first !== undefined && 'run' in first) {
      this.#waiting.shift();
      this.#excluded = true;
      void first.run().then(() => {
        this.#excluded = false;
        this.#goOn();
      });
      return;
    }
    const ready = this.#steps.ready();
    if (ready === undefined) this.#write();
    else {
      this.#answer();
      ready.then(
        () => this.#write(),
        (error: unknown) => {
          this.#rejectCommits(error);
          this.#goOn();
        },
      );
    }
  }

  #write(): void {
    let taken = 0;
    for (; taken < this.#waiting.length; taken++) {
      const waiting = this.#waiting[taken] as WaitingCommit | WaitingTask;
      if ('run' in waiting || !this.#steps.stage(waiting)) break;
    }
    if (taken > 0) this.#waiting = this.#waiting.slice(taken);
    this.#staged = 0;
    const writing = this.#steps.write();
    this.#answer();
    void writing.then((written) => {
      this.#written = written;
      this.#goOn();
    });
  }

  #goOn(): void {
    if (this.#isEnough) {
      this.#begin();
      return;
    }
    this.#answer();
    if (this.#staged > 0 || this.#waiting.length > 0) this.#gather();
    else {
      // In the same step in which nothing was found waiting: what comes next starts it again.
      const working = this.#working;
      this.#working = undefined;
      working?.resolve();
    }
  }

  #answer(): void {
    this.#written?.answer();
    this.#written = undefined;
  }

  #rejectCommits(error: unknown): void {
    const task = this.#waiting.findIndex((waiting) => 'run' in waiting);
    const rejected = this.#waiting.splice(0, task < 0 ? this.#waiting.length : task);
    for (const waiting of rejected) if (!('run' in waiting)) waiting.reject(error);
  }
}
