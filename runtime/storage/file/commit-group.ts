import { toResults } from '../checked-input.ts';
import type { CommitId } from '../storage.ts';
import { CommitPlan, type PlannedCommit } from './commit-plan.ts';
import type { WaitingCommit } from './commit-queue.ts';
import type { DataIndex } from './data-index.ts';
import type { ExpirySweep } from './expiry-sweep.ts';
import type { TextPlace } from './held-text.ts';
import type { Change, FrameBuffer, JournalCommit, Valued } from './journal-frames.ts';

/** A group takes no more commits when its frames are longer. */
const GROUP_BYTES = 16 * 1024 * 1024;

/** What a group is worked out upon. */
interface Ground {
  index: DataIndex;
  /** Those of the group follow those of the one before. */
  frames: FrameBuffer;
  /** The group that is being written, which is not seen in the index yet. */
  before: CommitGroup | undefined;
  /** Of the last commit before the group. */
  serial: number;
  /** What a named commit answered, if it is known. */
  answerOf(id: CommitId): number[] | undefined;
}

/**
 * Commits that become durable together: what they change, worked out one after the other, as frames for the journal; and who
 * waits for an answer. It may be made while the group before is being written; if that fails, it is worth nothing.
 */
export class CommitGroup {
  /** What is to be written, in order. */
  readonly planned: JournalCommit[] = [];
  /** Who is to be answered. */
  readonly waiting: WaitingCommit[] = [];
  readonly #index: DataIndex;
  readonly #frames: FrameBuffer;
  readonly #plan: CommitPlan;
  readonly #answerOf: (id: CommitId) => number[] | undefined;
  readonly #serialBefore: number;
  #before: CommitGroup | undefined;
  #named: Map<string, number[]> | undefined;
  #failure: unknown;

  constructor({ index, frames, before, serial, answerOf }: Ground) {
    this.#index = index;
    this.#frames = frames;
    frames.begin();
    this.#plan = new CommitPlan(index, before === undefined ? undefined : before.#plan);
    this.#answerOf = answerOf;
    this.#serialBefore = serial;
    this.#before = before;
  }

  /** Of its last commit. */
  get serial(): number {
    return this.#serialBefore + this.planned.length;
  }

  /** The frames, as long as no other group was begun. */
  get bytes(): Buffer {
    return this.#frames.bytes;
  }

  /** False when there is no room for it. One that is refused is told so. */
  add(waiting: WaitingCommit, now: number): boolean {
    if (this.#frames.length >= GROUP_BYTES) return false;
    const { id } = waiting;
    const before = id && (this.#numbersOf(id) ?? this.#answerOf(id));
    if (before !== undefined) {
      waiting.numbers = before;
      this.waiting.push(waiting);
      return true;
    }
    let commit: PlannedCommit;
    try {
      commit = this.#plan.add(waiting.operations, now);
    } catch (error) {
      waiting.reject(error);
      return true;
    }
    const { changes, numbers } = commit;
    waiting.numbers = numbers;
    this.waiting.push(waiting);
    if (id !== undefined) {
      this.#named ??= new Map();
      this.#named.set(nameOf(id), numbers);
      this.#write(changes, { writer: id.writer, number: id.number, at: now, answer: numbers });
    } else if (changes.length > 0) this.#write(changes);
    return true;
  }

  /** Adds the removal of documents that have expired, when it is time for it. */
  sweep(sweep: ExpirySweep, now: number): void {
    const expired = sweep.due(this.#index, this.#plan, now);
    if (expired.length > 0) this.#write(this.#plan.add(expired, now).changes);
  }

  /** Takes over that what the group before changed is seen in the index. */
  settled(): void {
    this.#before = undefined;
    this.#plan.settled();
  }

  /** Has everybody be told of a failure instead of an answer. */
  fail(error: unknown): void {
    this.#failure = error;
  }

  answer(): void {
    if (this.#failure !== undefined) for (const { reject } of this.waiting) reject(this.#failure);
    else for (const { operations, numbers, resolve } of this.waiting) resolve(toResults(operations, numbers));
  }

  #write(changes: Change[], named?: JournalCommit['named']): void {
    const commit: JournalCommit = { serial: this.serial + 1, changes };
    if (named !== undefined) commit.named = named;
    this.planned.push(commit);
    this.#frames.add(commit, keepPlace);
  }

  #numbersOf(id: CommitId): number[] | undefined {
    const own = this.#named?.get(nameOf(id));
    return own !== undefined || this.#before === undefined ? own : this.#before.#numbersOf(id);
  }
}

function keepPlace(change: Valued, place: TextPlace): void {
  change.place = place;
}

function nameOf({ writer, number }: CommitId): string {
  return `${writer} ${number}`;
}
