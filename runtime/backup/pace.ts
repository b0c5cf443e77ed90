import type { Clock } from '../base/clock.ts';

/** Milliseconds that long work keeps the event loop before others have their turn. */
const TURN = 5;

/** Long work asks it after each small step, so that everything else in the process goes on meanwhile. */
export class Pace {
  readonly #clock: Clock;
  #turnEnds: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#turnEnds = clock.monotonic() + TURN;
  }

  /** True when the turn is over: `await pass()` then. */
  get over(): boolean {
    return this.#clock.monotonic() >= this.#turnEnds;
  }

  /** Lets whatever waits run first. */
  async pass(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#turnEnds = this.#clock.monotonic() + TURN;
  }
}
