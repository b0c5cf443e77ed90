import { toResults } from '../checked-input.ts';
import type { CommitId } from '../storage.ts';
import { CommitPlan, type PlannedCommit } from './commit-plan.ts';
import type { WaitingCommit } from './commit-queue.ts';
import type { DataIndex } from './data-index.ts';
import type { ExpirySweep } from './expiry-sweep.ts';
import type { Change, FrameBuffer, JournalCommit } from './journal-frames.ts';

/** A group takes no more commits when its frames are longer. */
const GROUP_BYTES = 16 * 1024 * 1024;

/** Commits that are written and synced together: each is worked out upon those before, and all are answered at the end. */
export class CommitGroup {
  /** What is in the frames, in their order. */
  readonly planned: JournalCommit[] = [];
  readonly #index: DataIndex;
  readonly #plan: CommitPlan;
  readonly #now: number;
  /** The serial of the last commit before the group. */
  readonly #before: number;
  readonly #frames: FrameBuffer;
  readonly #answerOf: (id: CommitId) => number[] | undefined;
  readonly #answered: WaitingCommit[] = [];
  /** What commits of this group are answered that have a name. */
  readonly #named = new Map<string, number[]>();

  constructor(options: {
    index: DataIndex;
    now: number;
    /** The serial of the last commit that is durable. */
    serial: number;
    /** Is emptied, and takes the frames. */
    frames: FrameBuffer;
    /** What a named commit that is durable answered. */
    answerOf: (id: CommitId) => number[] | undefined;
  }) {
    this.#index = options.index;
    this.#now = options.now;
    this.#plan = new CommitPlan(options.index, options.now);
    this.#before = options.serial;
    this.#frames = options.frames;
    this.#answerOf = options.answerOf;
    this.#frames.clear();
  }

  /** False when the group is full. A commit that cannot be carried out is refused at once, and leaves nothing behind. */
  add(waiting: WaitingCommit): boolean {
    if (this.#frames.length >= GROUP_BYTES) return false;
    const { id } = waiting;
    const before = id && (this.#answerOf(id) ?? this.#named.get(nameOf(id)));
    if (before !== undefined) {
      waiting.numbers = before;
      this.#answered.push(waiting);
      return true;
    }
    let commit: PlannedCommit;
    try {
      commit = this.#plan.add(waiting.operations);
    } catch (error) {
      waiting.reject(error);
      return true;
    }
    const { changes, numbers } = commit;
    waiting.numbers = numbers;
    this.#answered.push(waiting);
    if (id !== undefined) {
      this.#named.set(nameOf(id), numbers);
      this.#frame(changes, { writer: id.writer, number: id.number, at: this.#now, answer: numbers });
    } else if (changes.length > 0) this.#frame(changes);
    return true;
  }

  /** Removes expired documents along with it, when it is time for that. */
  addExpired(sweep: ExpirySweep): void {
    const expired = sweep.due(this.#index, this.#plan, this.#now);
    if (expired.length > 0) this.#frame(this.#plan.add(expired).changes);
  }

  /** Everything is durable and can be seen. */
  answer(): void {
    for (const { operations, numbers, resolve } of this.#answered) resolve(toResults(operations, numbers));
  }

  refuse(error: unknown): void {
    for (const waiting of this.#answered) waiting.reject(error);
  }

  #frame(changes: Change[], named?: JournalCommit['named']): void {
    const commit: JournalCommit = { serial: this.#before + this.planned.length + 1, changes };
    if (named !== undefined) commit.named = named;
    this.planned.push(commit);
    this.#frames.add(commit);
  }
}

function nameOf({ writer, number }: CommitId): string {
  return `${writer} ${number}`;
}
