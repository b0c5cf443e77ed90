/** When a process that ended with an error is started again, and when that is given up. */

/** Milliseconds before the first restart after an isolated failure: the next prompt is to be served within 2 s (SPEC §8). */
const FIRST_DELAY_MS = 50;
/** Milliseconds before the second restart within the window; doubles with each further one. */
const BASE_DELAY_MS = 500;
const FACTOR = 2;
const LONGEST_DELAY_MS = 30_000;
/** The breaker: so many failures within the window (DESIGN §3), however long the process lived in between. */
const BREAKER_FAILURES = 5;
export const BREAKER_WINDOW_MS = 10 * 60_000;

export type RestartDecision =
  /** `attempt` counts the failures in the window, this one included. */
  | { kind: 'restart'; attempt: number; delayMs: number }
  /** The breaker is open. */
  | { kind: 'give-up'; attempt: number };

/** A sliding window over the failures of one agent. Times are milliseconds of a clock that never goes backwards. */
export class RestartPolicy {
  readonly #random: () => number;
  #failures: number[] = [];

  /** `random` gives numbers from 0 to below 1, for the jitter. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /**
   * What to do about a failure now. The delay is the exponential one times a random factor from 0.5 to 1, so that agents
   * that died together do not come back together.
   */
  failed(now: number): RestartDecision {
    this.#failures = this.#failures.filter((at) => at > now - BREAKER_WINDOW_MS);
    this.#failures.push(now);
    const attempt = this.#failures.length;
    if (attempt >= BREAKER_FAILURES) return { kind: 'give-up', attempt };
    return { kind: 'restart', attempt, delayMs: this.#delay(attempt) };
  }

  /** The delay of a restart that is not held against the agent, such as the one after a drill. */
  get firstDelayMs(): number {
    return this.#delay(1);
  }

  /** Closes the breaker and forgets the failures. */
  reset(): void {
    this.#failures = [];
  }

  #delay(attempt: number): number {
    const whole =
      attempt === 1 ? FIRST_DELAY_MS : Math.min(LONGEST_DELAY_MS, BASE_DELAY_MS * FACTOR ** (attempt - 2));
    return Math.round(whole * (0.5 + this.#random() / 2));
  }
}
