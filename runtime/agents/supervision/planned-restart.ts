import type { Clock, Timer } from '../../base/clock.ts';

/** The next restart of an agent: at most one is planned at a time. */
export class PlannedRestart {
  readonly #clock: Clock;
  /** When it is due, on the monotonic clock. */
  #planned: { due: number; timer: Timer } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * When it is due, in milliseconds since the Unix epoch as things are now: while the machine sleeps, and by a change of the
   * time of day, that moves. Undefined when none is planned.
   */
  get at(): number | undefined {
    if (this.#planned === undefined) return undefined;
    return Math.round(this.#clock.now() + this.#planned.due - this.#clock.monotonic());
  }

  /** Plans a restart in place of the one that was planned. */
  plan(delayMs: number, run: () => void): void {
    this.cancel();
    this.#planned = {
      due: this.#clock.monotonic() + delayMs,
      timer: this.#clock.after(delayMs, () => {
        this.#planned = undefined;
        run();
      }),
    };
  }

  cancel(): void {
    this.#planned?.timer.cancel();
    this.#planned = undefined;
  }
}
