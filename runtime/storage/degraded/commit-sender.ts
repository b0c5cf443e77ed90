import { isCoded } from '../../base/errors.ts';
import type { CallDeadline } from '../call-deadline.ts';
import { type TakesChecked, takesChecked } from '../checked-commits.ts';
import type { CheckedOperation } from '../checked-input.ts';
import type { Operation, OperationResult, Storage } from '../storage.ts';
import { CommitsUnderWay } from './commits-under-way.ts';
import { isLease } from './is-lease.ts';
import type { KnownData } from './known-data.ts';
import type { Outage } from './outage.ts';
import type { PendingCommit } from './pending-commit.ts';

interface CommitSenderOptions {
  storage: Storage;
  deadline: CallDeadline;
  /** Learns what each commit has changed, and what is not known after one. */
  known: KnownData;
  /** Told when the storage was not reached; takes over what was lost with it. */
  outage: Outage;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Sends commits to a storage that can be away, and answers them, or hands over those whose answers were lost. */
export class CommitSender {
  readonly #options: CommitSenderOptions;
  /** The storage, if it takes operations that were checked already. */
  readonly #takesChecked: TakesChecked | undefined;
  readonly #underWay = new CommitsUnderWay();

  constructor(options: CommitSenderOptions) {
    this.#options = options;
    this.#takesChecked = takesChecked(options.storage) ? options.storage : undefined;
  }

  /** No commit that was sent is without its answer. */
  get isQuiet(): boolean {
    return this.#underWay.isEmpty;
  }

  /**
   * Sends a commit to the storage; when that is lost meanwhile, it goes into the journal with the id that it had. `operations`
   * are those of its caller, if they are still as they were.
   */
  send(pending: PendingCommit, operations?: Operation[]): void {
    const isRoom = this.#underWay.add(pending);
    this.#options.known.begin(pending.checked);
    if (isRoom) this.#sendNow(pending, operations);
    // The values are the caller's, who may change them as soon as there was a turn in between.
    else void this.#underWay.room(pending).then(() => this.#sendNow(pending));
  }

  #sendNow(pending: PendingCommit, operations?: Operation[]): void {
    const { checked, id } = pending;
    const { deadline, storage } = this.#options;
    const call = deadline.begin((error) => this.#failed(pending, error));
    const failed = (error: unknown) => {
      if (deadline.end(call)) this.#failed(pending, error);
    };
    if (this.#takesChecked !== undefined) {
      this.#takesChecked.commitChecked(checked, id).then(({ results }) => {
        if (deadline.end(call)) this.#carriedOut(pending, results);
      }, failed);
      return;
    }
    storage.commit(operations ?? pending.toOperations(), id).then((results) => {
      if (deadline.end(call)) this.#carriedOut(pending, results);
    }, failed);
  }

  #carriedOut(pending: PendingCommit, results: OperationResult[]): void {
    const { known, now } = this.#options;
    known.committed(pending.checked, results, now());
    this.#underWay.delete(pending);
    pending.resolve(results);
    this.#answered();
  }

  #failed(pending: PendingCommit, error: unknown): void {
    const { checked } = pending;
    const { known, outage } = this.#options;
    const isLost = isCoded(error, 'storage.unreachable');
    if (isLost) {
      pending.lost = error;
      outage.begin(error);
    } else this.#learnFrom(error, checked);
    known.end(checked);
    this.#underWay.delete(pending);
    if (isLost && !isLease(checked)) outage.take(pending);
    else {
      // It may have been carried out.
      if (isLost) known.forget(checked);
      pending.reject(error);
    }
    this.#answered();
  }

  /** A commit is not under way any more. */
  #answered(): void {
    this.#underWay.makeRoom();
    this.#options.outage.settled();
  }

  /** What a commit that was answered with an error says of what is there. */
  #learnFrom(error: unknown, operations: CheckedOperation[]): void {
    const { known, now } = this.#options;
    if (isCoded(error, 'storage.version_conflict')) known.sawConflict(operations, error, now());
    else if (!isCoded(error) || error.code === 'storage.failed') known.forget(operations);
  }
}
