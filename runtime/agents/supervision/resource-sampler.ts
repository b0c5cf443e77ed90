import type { Clock, Timer } from '../../base/clock.ts';

const SAMPLE_MS = 5000;

/**
 * Looks every 5 s at what the agents take of the machine, at all of them in one go, so that what is read of the system for
 * one of them serves for the others. A round that takes longer than that is not overtaken by the next. `sample` must not
 * reject.
 */
export class ResourceSampler {
  readonly #clock: Clock;
  readonly #sample: () => Promise<void>;
  #timer: Timer | undefined;
  #isUnderWay = false;

  constructor(clock: Clock, sample: () => Promise<void>) {
    this.#clock = clock;
    this.#sample = sample;
  }

  start(): void {
    this.#timer ??= this.#clock.every(SAMPLE_MS, () => void this.#round());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #round(): Promise<void> {
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    await this.#sample();
    this.#isUnderWay = false;
  }
}
