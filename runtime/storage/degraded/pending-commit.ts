import type { CallsUnderWay } from '../calls-under-way.ts';
import type { Linked } from '../chain.ts';
import { type CheckedOperation, toResults } from '../checked-input.ts';
import { toOperations } from '../operation-text.ts';
import type { CommitId, Operation, OperationResult } from '../storage.ts';

/** A commit on its way to the storage or into the journal. */
export class PendingCommit implements Linked<PendingCommit> {
  /** Commits are journaled in the order in which they came. */
  readonly order: number;
  readonly id: CommitId;
  /** The caller has given the id, and may ask again by it. */
  readonly named: boolean;
  readonly checked: CheckedOperation[];
  /** When it came, in ms of `performance.now`. */
  readonly begun: number;
  readonly answer: Promise<OperationResult[]>;
  /** What the storage was lost with when this had been sent: whether it was carried out is not known. */
  lost: unknown;
  older: PendingCommit | undefined;
  newer: PendingCommit | undefined;
  readonly #unanswered: CallsUnderWay;
  // Set by the promise, at once.
  #resolve!: (results: OperationResult[]) => void;
  #reject!: (error: unknown) => void;

  /** Counted in `unanswered` until it is resolved or rejected, one of which must be done once. */
  constructor(
    order: number,
    id: CommitId,
    named: boolean,
    checked: CheckedOperation[],
    begun: number,
    unanswered: CallsUnderWay,
  ) {
    this.order = order;
    this.id = id;
    this.named = named;
    this.checked = checked;
    this.begun = begun;
    this.#unanswered = unanswered;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    unanswered.begin();
  }

  resolve(results: OperationResult[]): void {
    this.#resolve(results);
    this.#unanswered.end();
  }

  reject(error: unknown): void {
    this.#reject(error);
    this.#unanswered.end();
  }

  get key(): string {
    return `${this.id.writer} ${this.id.number}`;
  }

  /** The operations as they were when they came, whatever the caller has done to them since. */
  toOperations(): Operation[] {
    return toOperations(this.checked);
  }

  resultsOf(numbers: number[]): OperationResult[] {
    return toResults(this.checked, numbers);
  }
}
