import type { Clock, Timer } from '../../base/clock.ts';

/** The next restart of an agent: at most one is planned at a time. */
export class PlannedRestart {
  readonly #clock: Clock;
  #planned: { at: number; timer: Timer } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** When it is due, in milliseconds since the Unix epoch; undefined when none is planned. */
  get at(): number | undefined {
    return this.#planned?.at;
  }

  /** Plans a restart in place of the one that was planned. */
  plan(delayMs: number, run: () => void): void {
    this.cancel();
    this.#planned = {
      at: this.#clock.now() + delayMs,
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
