import type { PendingCommit } from './pending-commit.ts';

/** A commit waits when the oldest one under way is so many numbers behind it: the storage must still know that one's id. */
const NUMBERS_UNDER_WAY = 900;

/** Commits that were sent to the storage and are not answered yet, by their order. */
export class CommitsUnderWay {
  readonly #commits = new Map<number, PendingCommit>();
  #waiting: (() => void)[] = [];

  get size(): number {
    return this.#commits.size;
  }

  /** False when the commit has to wait for `room` before it is sent. */
  add(pending: PendingCommit): boolean {
    this.#commits.set(pending.order, pending);
    return this.#isRoomFor(pending.order);
  }

  delete(pending: PendingCommit): void {
    this.#commits.delete(pending.order);
  }

  /** Lets those look again who wait for room. */
  makeRoom(): void {
    if (this.#waiting.length === 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when no commit that is still under way is too far behind. */
  async room({ order }: PendingCommit): Promise<void> {
    while (!this.#isRoomFor(order)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #isRoomFor(order: number): boolean {
    const [oldest = order] = this.#commits.keys();
    return order - oldest < NUMBERS_UNDER_WAY;
  }
}
