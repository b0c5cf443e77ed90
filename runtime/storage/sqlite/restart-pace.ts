/** A worker that lived for so long was well: what ended it has nothing to do with the ends before. */
const WELL_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Decides how long to wait before a worker that ended by itself is replaced: not at all the first time, then longer and
 * longer while its successors keep ending as soon as they are there.
 */
export class RestartPace {
  readonly #monotonic: () => number;
  #startedAt = 0;
  #shortLives = 0;

  /** `monotonic` gives milliseconds. */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  started(): void {
    this.#startedAt = this.#monotonic();
  }

  ended(): void {
    const lived = this.#monotonic() - this.#startedAt;
    this.#shortLives = lived < WELL_MS ? this.#shortLives + 1 : 0;
  }

  /** Milliseconds to wait before the next start. */
  get pauseMs(): number {
    if (this.#shortLives < 2) return 0;
    return Math.min(FIRST_PAUSE_MS * 2 ** (this.#shortLives - 2), LONGEST_PAUSE_MS);
  }
}
