import type { Clock, Timer } from '../../base/clock.ts';

const SAME_MS = 50;

/** The next restart of an agent: at most one is planned at a time. */
export class PlannedRestart {
  readonly #clock: Clock;
  /** When it is due: on the monotonic clock, and by the time of day as it was told last. */
  #planned: { due: number; told: number; timer: Timer } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * When it is due, in milliseconds since the Unix epoch as things are now: while the machine sleeps, and by a change of the
   * time of day, that moves. Undefined when none is planned.
   */
  get at(): number | undefined {
    const planned = this.#planned;
    if (planned === undefined) return undefined;
    const at = Math.round(this.#clock.now() + planned.due - this.#clock.monotonic());
    // The clocks differ by a millisecond now and then, which is no news.
    if (Math.abs(at - planned.told) > SAME_MS) planned.told = at;
    return planned.told;
  }

  /** Plans a restart in place of the one that was planned. */
  plan(delayMs: number, run: () => void): void {
    this.cancel();
    this.#planned = {
      due: this.#clock.monotonic() + delayMs,
      told: this.#clock.now() + delayMs,
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
