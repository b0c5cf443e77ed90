import { type CheckedOperation, toResults } from '../checked-input.ts';
import type { CommitId, Operation, OperationResult } from '../storage.ts';
import { toOperations } from './journal-lines.ts';

/** A commit on its way to the storage or into the journal. */
export class PendingCommit {
  /** Commits are journaled in the order in which they came. */
  readonly order: number;
  readonly id: CommitId;
  /** The caller has given the id, and may ask again by it. */
  readonly named: boolean;
  readonly checked: CheckedOperation[];
  readonly answer: Promise<OperationResult[]>;
  readonly resolve: (results: OperationResult[]) => void;
  readonly reject: (error: unknown) => void;
  /** What the storage was lost with when this had been sent: whether it was carried out is not known. */
  lost: unknown;
  onJournaled: (result: 'ok' | 'error') => void = () => undefined;

  constructor(order: number, id: CommitId, named: boolean, checked: CheckedOperation[]) {
    this.order = order;
    this.id = id;
    this.named = named;
    this.checked = checked;
    const { promise, resolve, reject } = Promise.withResolvers<OperationResult[]>();
    this.answer = promise;
    this.resolve = resolve;
    this.reject = reject;
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
