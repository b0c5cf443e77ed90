import type { Clock } from '../../base/clock.ts';
import { PlannedRestart } from './planned-restart.ts';
import {
  type BackOff,
  BREAKER_WINDOW_MS,
  LONGEST_HALF_OPEN_MS,
  type RestartDecision,
  type RestartHistory,
  RestartPolicy,
} from './restart-policy.ts';

export interface RecoveryOptions {
  clock: Clock;
  /** From 0 to below 1. */
  random: () => number;
  backOff?: BackOff;
  /** The restart, or the try of the open breaker, is due; `reason` is that of the failure. */
  onDue: (kind: 'restart' | 'half-open', reason: string) => void;
}

/** How one agent is brought back: since when it is down, what is planned, and how often that has failed. */
export class Recovery {
  readonly #clock: Clock;
  readonly #onDue: RecoveryOptions['onDue'];
  readonly #policy: RestartPolicy;
  readonly #restart: PlannedRestart;
  readonly #halfOpen: PlannedRestart;
  #attempt = 0;
  /** When the open breaker allows a try; kept while that try is on trial. Milliseconds since the Unix epoch. */
  #openUntil: number | undefined;
  /** When the failure was seen that has not been recovered from yet, on the monotonic clock. */
  #downSince: number | undefined;

  constructor(options: RecoveryOptions) {
    this.#clock = options.clock;
    this.#onDue = options.onDue;
    this.#policy = new RestartPolicy(options);
    this.#restart = new PlannedRestart(options.clock);
    this.#halfOpen = new PlannedRestart(options.clock);
  }

  /** How many restarts in a row have failed so far. */
  get attempt(): number {
    return this.#attempt;
  }

  /** Milliseconds since the Unix epoch, like all times that it gives. */
  get nextRestartAt(): number | undefined {
    return this.#restart.at;
  }

  get halfOpenAt(): number | undefined {
    return this.#halfOpen.at;
  }

  /** What is to outlive the app. */
  get history(): RestartHistory & { halfOpenAt?: number | undefined } {
    return { ...this.#policy.history, halfOpenAt: this.#openUntil };
  }

  /** Takes over what an earlier app knew. True when its breaker is still open: then a try is planned. */
  restore({ halfOpenAt, ...history }: RestartHistory & { halfOpenAt?: number | undefined }): boolean {
    this.#policy.restore(history);
    if (halfOpenAt === undefined) return false;
    // More than the longest wait means that the time of day was changed.
    const remainingMs = Math.min(halfOpenAt - this.#clock.now(), LONGEST_HALF_OPEN_MS);
    if (remainingMs > 0) this.#planHalfOpen(remainingMs);
    // The next process is the try that was allowed; unless that is so long ago that the failures count no more.
    else if (remainingMs > -BREAKER_WINDOW_MS) {
      this.#openUntil = halfOpenAt;
      this.#policy.halfOpen();
    }
    return remainingMs > 0;
  }

  /** It failed: plans what is to be done about it. One that was rehearsed is not held against the agent. */
  failed(reason: string, isRehearsed: boolean): RestartDecision {
    this.#downSince ??= this.#clock.monotonic();
    const decision: RestartDecision = isRehearsed
      ? { kind: 'restart', attempt: 1, delayMs: this.#policy.firstDelayMs }
      : this.#policy.failed();
    this.#attempt = decision.attempt;
    if (decision.kind === 'give-up') this.#planHalfOpen(decision.halfOpenMs);
    else {
      this.#openUntil = undefined;
      this.#restart.plan(decision.delayMs, () => this.#onDue('restart', reason));
    }
    return decision;
  }

  /** The next process is the try of an open breaker. */
  halfOpen(): void {
    // Also when it is made earlier than planned: what serves by it is not in a crash loop after a restart of the app.
    this.#openUntil = this.#clock.now();
    this.#policy.halfOpen();
  }

  /** A process serves. For how many milliseconds none did, when it was down. */
  served(): number | undefined {
    this.#policy.served();
    this.#attempt = 0;
    if (this.#downSince === undefined) return undefined;
    const durationMs = Math.round(this.#clock.monotonic() - this.#downSince);
    this.#downSince = undefined;
    return durationMs;
  }

  /** Nothing is to be recovered from any more: it was stopped, it ended by itself, or there is nothing to start. */
  end(): void {
    this.cancel();
    this.#attempt = 0;
    this.#downSince = undefined;
  }

  /** Closes the breaker and forgets the failures: the user wants a fresh start. */
  reset(): void {
    this.end();
    this.#policy.reset();
    this.#openUntil = undefined;
  }

  /** Nothing is planned any more. */
  cancel(): void {
    this.#restart.cancel();
    this.#halfOpen.cancel();
  }

  #planHalfOpen(delayMs: number): void {
    this.#openUntil = this.#clock.now() + delayMs;
    this.#halfOpen.plan(delayMs, () => this.#onDue('half-open', 'One more try after the crash loop'));
  }
}
