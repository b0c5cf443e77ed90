/** When a process that ended with an error is started again, and when that is given up. */
import type { Clock } from '../../base/clock.ts';

/** All in milliseconds. */
export interface BackOff {
  /** Before the first restart after an isolated failure. */
  firstMs: number;
  /** Before the second restart within the window; doubles with each further one. */
  baseMs: number;
  longestMs: number;
}

/** The next prompt after an isolated failure is to be served within 2 s (SPEC §8). */
const BACK_OFF: BackOff = { firstMs: 50, baseMs: 500, longestMs: 30_000 };

/** The breaker: so many failures within the window (DESIGN §3), however long the process lived in between. */
export const BREAKER_FAILURES = 5;
export const BREAKER_WINDOW_MS = 10 * 60_000;
/** An open breaker makes one try by itself after so long; the wait doubles each time that the try fails. */
export const HALF_OPEN_MS = 5 * 60_000;
export const LONGEST_HALF_OPEN_MS = 30 * 60_000;
/** So long the process of such a try has to serve until it is trusted: one that dies once a minute is not cured. */
export const TRIAL_MS = 2 * 60_000;

export type RestartDecision =
  /** `attempt` counts the failures in the window, this one included. */
  | { kind: 'restart'; attempt: number; delayMs: number }
  /** The breaker is open; one try is due after `halfOpenMs`. */
  | { kind: 'give-up'; attempt: number; halfOpenMs: number };

/** What outlives the app. Times are milliseconds since the Unix epoch. */
export interface RestartHistory {
  failures: number[];
  /** How often in a row the breaker has opened. */
  openings: number;
}

/**
 * A sliding window over the failures of one agent, and the breaker over it. It reckons with the monotonic clock, so that a
 * change of the time of day neither opens nor closes anything.
 */
export class RestartPolicy {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #backOff: BackOff;
  #failures: { at: number; seenAt: number }[] = [];
  #openings = 0;
  /** The half-open try under way: since when it serves, on the monotonic clock; undefined while it does not yet. */
  #trial: { servingSince?: number } | undefined;

  /** `random` gives numbers from 0 to below 1, for the jitter. */
  constructor(options: { clock: Clock; random: () => number; backOff?: BackOff }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#backOff = options.backOff ?? BACK_OFF;
  }

  /** The failures in the window, the oldest first: milliseconds since the Unix epoch. */
  get failures(): number[] {
    this.#slide();
    return this.#failures.map(({ at }) => at);
  }

  get history(): RestartHistory {
    return { failures: this.failures, openings: this.#openings };
  }

  /** Takes over what an earlier app knew. */
  restore(history: RestartHistory): void {
    const { now, monotonic } = { now: this.#clock.now(), monotonic: this.#clock.monotonic() };
    // A failure in the future means that the time of day was changed: it counts as one of just now.
    this.#failures = history.failures.map((at) => ({ at, seenAt: monotonic - Math.max(0, now - at) }));
    this.#openings = history.openings;
    this.#slide();
  }

  /**
   * What to do about a failure that was just seen. The delay is the exponential one times a random factor from 0.5 to 1, so
   * that agents that died together do not come back together.
   */
  failed(): RestartDecision {
    const seenAt = this.#clock.monotonic();
    const trial = this.#trial;
    this.#trial = undefined;
    const isTrialLost =
      trial !== undefined && (trial.servingSince === undefined || seenAt - trial.servingSince < TRIAL_MS);
    if (trial !== undefined && !isTrialLost) this.reset();
    this.#slide();
    this.#failures.push({ at: this.#clock.now(), seenAt });
    const attempt = this.#failures.length;
    if (isTrialLost || attempt >= BREAKER_FAILURES) {
      this.#openings += 1;
      const halfOpenMs = Math.min(LONGEST_HALF_OPEN_MS, HALF_OPEN_MS * 2 ** (this.#openings - 1));
      return { kind: 'give-up', attempt, halfOpenMs };
    }
    return { kind: 'restart', attempt, delayMs: this.#delay(attempt) };
  }

  /** The next process is a try: when it fails, the breaker is open again at once. */
  halfOpen(): void {
    this.#trial = {};
  }

  /** A process serves. */
  served(): void {
    if (this.#trial !== undefined) this.#trial.servingSince ??= this.#clock.monotonic();
  }

  /** The delay of a restart that is not held against the agent, such as the one after a drill. */
  get firstDelayMs(): number {
    return this.#delay(1);
  }

  /** Closes the breaker and forgets the failures. */
  reset(): void {
    this.#failures = [];
    this.#openings = 0;
    this.#trial = undefined;
  }

  #slide(): void {
    const oldest = this.#clock.monotonic() - BREAKER_WINDOW_MS;
    this.#failures = this.#failures.filter(({ seenAt }) => seenAt > oldest);
  }

  #delay(attempt: number): number {
    const { firstMs, baseMs, longestMs } = this.#backOff;
    const whole = attempt === 1 ? firstMs : Math.min(longestMs, baseMs * 2 ** (attempt - 2));
    return Math.round(whole * (0.5 + this.#random() / 2));
  }
}
