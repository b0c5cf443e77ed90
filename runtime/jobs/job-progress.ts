import type { Clock } from '../base/clock.ts';
import type { Job } from '../contract/index.ts';

/** A guess from less than this (milliseconds) would jump about more than it helps. */
const FIRST_ESTIMATE_AFTER = 3000;
/** Milliseconds over which a change of speed shows in the estimate. */
const SMOOTHING = 5000;
/** Rates over a shorter time than this (milliseconds) are mostly noise. */
const SAMPLE_EVERY = 250;

type Phase = Pick<Job, 'phase' | 'unit' | 'done' | 'total' | 'etaMs'>;

/** How far a job has come in its phase, and how long the rest of the phase will take at its smoothed rate. */
export class JobProgress {
  readonly #clock: Clock;
  #phase: string;
  #unit: Job['unit'];
  #done = 0;
  #total: number | undefined;
  #startedAt: number;
  #sample: { at: number; done: number };
  /** Units a millisecond. */
  #rate: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#phase = 'Starting';
    this.#unit = 'steps';
    this.#startedAt = clock.monotonic();
    this.#sample = { at: this.#startedAt, done: 0 };
  }

  begin(phase: string, unit: Job['unit'], total: number | undefined): void {
    this.#phase = phase;
    this.#unit = unit;
    this.#total = total;
    this.#done = 0;
    this.#rate = undefined;
    this.#startedAt = this.#clock.monotonic();
    this.#sample = { at: this.#startedAt, done: 0 };
  }

  advance(done: number): void {
    this.#done = done;
    const now = this.#clock.monotonic();
    const elapsed = now - this.#sample.at;
    if (elapsed < SAMPLE_EVERY) return;
    const rate = (done - this.#sample.done) / elapsed;
    const weight = 1 - Math.exp(-elapsed / SMOOTHING);
    this.#rate = this.#rate === undefined ? rate : this.#rate + weight * (rate - this.#rate);
    this.#sample = { at: now, done };
  }

  describe(): Phase {
    const phase: Phase = { phase: this.#phase, unit: this.#unit, done: this.#done };
    if (this.#total === undefined) return phase;
    // What is being read can grow meanwhile; more done than there is would look broken.
    phase.total = Math.max(this.#total, this.#done);
    const longEnough = this.#clock.monotonic() - this.#startedAt >= FIRST_ESTIMATE_AFTER;
    if (longEnough && this.#rate !== undefined && this.#rate > 0) {
      phase.etaMs = Math.round((phase.total - this.#done) / this.#rate);
    }
    return phase;
  }
}
