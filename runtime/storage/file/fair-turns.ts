import { setImmediate as nextTurn } from 'node:timers/promises';

/** The event loop gets its turn after so many ms of reading. */
const TURN_MS = 4;

/**
 * Lets the event loop have its turn among reads that are answered at once: somebody who reads again and again would otherwise
 * keep everything waiting that comes from outside, the end of a sync for instance.
 */
export class FairTurns {
  /** When the first read of this turn of the event loop began. */
  #begun: number | undefined;

  /** True when the reads of this turn took long enough; then wait for `next`. */
  get over(): boolean {
    if (this.#begun !== undefined) return performance.now() - this.#begun > TURN_MS;
    this.#begun = performance.now();
    setImmediate(() => {
      this.#begun = undefined;
    });
    return false;
  }

  async next(): Promise<void> {
    await nextTurn();
  }
}
