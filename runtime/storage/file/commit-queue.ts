import type { CheckedOperation } from '../checked-input.ts';
import type { CommitId, OperationResult } from '../storage.ts';

/** A client whose commit was answered has its next one ready after about so many µs. */
const PREPARING_US = 4;
/** A group is not begun early with fewer commits. */
const LEAST_EARLY = 16;
/** How much a new measurement of a sync weighs against those before. */
const WEIGHT = 0.25;
/** A measurement counts as at most so many times what is usual. */
const MOST_AT_ONCE = 2;

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

export interface CommitQueueSteps {
  /** Recovers and makes room if that is necessary, undefined when it is not; rejects when nothing can be written. */
  ready(): Promise<void> | undefined;
  /** Takes commits off the queue and makes them durable; never rejects. */
  commitGroup(): Promise<void>;
}

/**
 * Commits that wait to be written, in the order of their calls, one group at a time; and between them what must not run
 * beside any.
 *
 * A group is begun at the end of a tick, so that all who were answered together go into the next one together. Where a sync
 * is quicker than the preparing of the commits, it is begun as soon as it holds as many as can be prepared meanwhile: the
 * disk and this thread then work at the same time.
 */
export class CommitQueue {
  readonly #steps: CommitQueueSteps;
  #waiting: (WaitingCommit | WaitingTask)[] = [];
  #working: PromiseWithResolvers<void> | undefined;
  /** True while a group waits for the end of the tick. */
  #gathering = false;
  #syncMs = Number.POSITIVE_INFINITY;

  constructor(steps: CommitQueueSteps) {
    this.#steps = steps;
  }

  commit(operations: CheckedOperation[], id: CommitId | undefined): Promise<OperationResult[]> {
    return new Promise((resolve, reject) => this.#add({ operations, id, numbers: [], resolve, reject }));
  }

  /** `run` must not reject. */
  exclusive(run: () => Promise<void>): void {
    this.#add({ run });
  }

  /** Resolves when nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working.promise;
  }

  /** Takes the commits from the front of the queue that `fits` wants, up to the next exclusive task. */
  take(fits: (commit: WaitingCommit) => boolean): void {
    let taken = 0;
    for (; taken < this.#waiting.length; taken++) {
      const waiting = this.#waiting[taken] as WaitingCommit | WaitingTask;
      if ('run' in waiting || !fits(waiting)) break;
    }
    this.#waiting = taken === this.#waiting.length ? [] : this.#waiting.slice(taken);
  }

  /** Learns how long a group took to become durable. */
  measured(syncMs: number): void {
    // One that stood still says little about the next.
    const usual = Math.min(syncMs, this.#syncMs * MOST_AT_ONCE);
    this.#syncMs =
      this.#syncMs === Number.POSITIVE_INFINITY ? syncMs : this.#syncMs + (usual - this.#syncMs) * WEIGHT;
  }

  #add(waiting: WaitingCommit | WaitingTask): void {
    this.#waiting.push(waiting);
    if (this.#working === undefined) {
      this.#working = Promise.withResolvers();
      this.#gather();
    } else if (this.#gathering && this.#isEnough) this.#begin();
  }

  get #isEnough(): boolean {
    const { length } = this.#waiting;
    return length >= LEAST_EARLY && length * PREPARING_US >= this.#syncMs * 1000;
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
    this.#next().then(
      () => this.#goOn(),
      (error: unknown) => {
        this.#rejectCommits(error);
        this.#goOn();
      },
    );
  }

  #goOn(): void {
    if (this.#waiting.length === 0) {
      // In the same step in which nothing was found waiting: what comes next starts it again.
      const working = this.#working;
      this.#working = undefined;
      working?.resolve();
    } else if (this.#isEnough) this.#begin();
    else this.#gather();
  }

  #next(): Promise<void> {
    const [first] = this.#waiting;
    if (first !== undefined && 'run' in first) {
      this.#waiting.shift();
      return first.run();
    }
    const ready = this.#steps.ready();
    return ready === undefined ? this.#steps.commitGroup() : ready.then(() => this.#steps.commitGroup());
  }

  #rejectCommits(error: unknown): void {
    const task = this.#waiting.findIndex((waiting) => 'run' in waiting);
    const rejected = this.#waiting.splice(0, task < 0 ? this.#waiting.length : task);
    for (const waiting of rejected) if (!('run' in waiting)) waiting.reject(error);
  }
}
