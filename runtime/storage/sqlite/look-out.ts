import { availableParallelism } from 'node:os';

/** Whoever makes one commit after the other has the next one ready within this many ms. */
const SOON_MS = 0.05;

/**
 * Decides whether the worker looks for its next message by itself before it sleeps: being woken takes some 10 µs, a fifth of
 * a commit. It looks only as long as it takes somebody who commits one thing after the other, and only when the message before
 * came as soon, so that it costs nothing when nothing is going on, and next to nothing when something is now and then.
 */
export class LookOut {
  readonly #monotonic: () => number;
  readonly #worthwhile: boolean;
  #asleepSince = Number.NEGATIVE_INFINITY;
  #expectsSoon = false;

  /** `monotonic` gives milliseconds. With one processor, whoever looks keeps back the one that he is looking for. */
  constructor(monotonic: () => number, processors = availableParallelism()) {
    this.#monotonic = monotonic;
    this.#worthwhile = processors > 1;
  }

  /** Calls `look` until it has found something, as long as that is to be expected; false when the worker may sleep now. */
  finds(look: () => boolean): boolean {
    if (look()) return true;
    if (this.#expectsSoon) {
      const until = this.#monotonic() + SOON_MS;
      while (this.#monotonic() < until) if (look()) return true;
      this.#expectsSoon = false;
    }
    this.#asleepSince = this.#monotonic();
    return false;
  }

  /** A message has woken the worker. */
  woken(): void {
    this.#expectsSoon = this.#worthwhile && this.#monotonic() - this.#asleepSince < SOON_MS * 2;
  }
}
