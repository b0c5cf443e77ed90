import { Chain } from '../chain.ts';
import type { PendingCommit } from './pending-commit.ts';

/** A commit waits when the oldest one under way is so many numbers behind it: the storage must still know that one's id. */
const NUMBERS_UNDER_WAY = 900;

/** Commits that were sent to the storage and are not answered yet, in the order in which they were. */
export class CommitsUnderWay {
  readonly #commits = new Chain<PendingCommit>();
  #waiting: (() => void)[] = [];

  get isEmpty(): boolean {
    return this.#commits.oldest === undefined;
  }

  /** False when the commit has to wait for `room` before it is sent. */
  add(pending: PendingCommit): boolean {
    this.#commits.add(pending);
    return this.#isRoomFor(pending);
  }

  delete(pending: PendingCommit): void {
    this.#commits.remove(pending);
  }

  /** Lets those look again who wait for room. */
  makeRoom(): void {
    if (this.#waiting.length === 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when no commit that is still under way is too far behind. */
  async room(pending: PendingCommit): Promise<void> {
    while (!this.#isRoomFor(pending)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #isRoomFor({ order }: PendingCommit): boolean {
    return order - (this.#commits.oldest?.order ?? order) < NUMBERS_UNDER_WAY;
  }
}
