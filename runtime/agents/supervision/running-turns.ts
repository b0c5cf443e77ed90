import type { Clock, Timer } from '../../base/clock.ts';

/** A turn without any output for so long is told to be quiet; it is not ended for that (SPEC: quiet is not dead). */
export const QUIET_MS = 5 * 60_000;

/**
 * The turns that run on one agent: how many, how much of them waits for the user, and since when nothing came of them. While
 * something waits for the user the agent is not called quiet: it has nothing to say before he answers.
 */
export class RunningTurns {
  readonly #clock: Clock;
  readonly #onQuiet: (since: number | undefined) => void;
  #count = 0;
  #waiting = 0;
  /** On the monotonic clock. */
  #lastOutputAt = 0;
  #quietSince: number | undefined;
  #timer: Timer | undefined;

  /** `onQuiet` is told since when it is quiet (milliseconds since the Unix epoch), and that it is so no more. */
  constructor(clock: Clock, onQuiet: (since: number | undefined) => void) {
    this.#clock = clock;
    this.#onQuiet = onQuiet;
  }

  get count(): number {
    return this.#count;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get quietSince(): number | undefined {
    return this.#quietSince;
  }

  begin(): void {
    this.#count += 1;
    this.output();
    this.#watch();
  }

  end(): void {
    this.#count -= 1;
    if (this.#count > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#setQuiet(undefined);
  }

  /** Something came. Called for every piece of an answer, so it does next to nothing. */
  output(): void {
    this.#lastOutputAt = this.#clock.monotonic();
    if (this.#quietSince !== undefined) this.#setQuiet(undefined);
  }

  setWaiting(count: number): void {
    this.#waiting = count;
    this.output();
  }

  #watch(): void {
    if (this.#timer !== undefined || this.#count === 0) return;
    const quietMs = this.#clock.monotonic() - this.#lastOutputAt;
    // Looked at again later also while it is quiet: an output must not have to start a timer.
    const dueMs = quietMs >= QUIET_MS ? QUIET_MS : QUIET_MS - quietMs;
    this.#timer = this.#clock.after(dueMs, () => {
      this.#timer = undefined;
      const silentMs = this.#clock.monotonic() - this.#lastOutputAt;
      if (this.#waiting > 0) this.#lastOutputAt = this.#clock.monotonic();
      else if (silentMs >= QUIET_MS && this.#quietSince === undefined) {
        this.#setQuiet(this.#clock.now() - Math.round(silentMs));
      }
      this.#watch();
    });
  }

  #setQuiet(since: number | undefined): void {
    if (this.#quietSince === since) return;
    this.#quietSince = since;
    this.#onQuiet(since);
  }
}
