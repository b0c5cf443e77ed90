import type { Clock, Timer } from '../base/clock.ts';
import { fault } from '../contract/error-codes.ts';

interface PendingCall {
  /** By the monotonic clock, in ms. */
  readonly expires: number;
  reject(error: unknown): void;
}

/**
 * Rejects calls with `storage.unreachable` that take too long. All may take equally long, so that they expire in the order in
 * which they came and one timer serves them all: one for each would cost as much as a small read.
 */
export class CallDeadline {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #pending = new Set<PendingCall>();
  #timer: Timer | undefined;

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  run<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const pending: PendingCall = { expires: this.#clock.monotonic() + this.#ms, reject };
      this.#pending.add(pending);
      this.#timer ??= this.#clock.after(this.#ms, this.#expire);
      call().then(
        (result) => {
          this.#pending.delete(pending);
          resolve(result);
        },
        (error: unknown) => {
          this.#pending.delete(pending);
          reject(error);
        },
      );
    });
  }

  /** Lets go of the timer. What is still under way has no deadline any more. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pending.clear();
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const pending of this.#pending) {
      if (pending.expires > now) {
        this.#timer = this.#clock.after(pending.expires - now, this.#expire);
        return;
      }
      this.#pending.delete(pending);
      pending.reject(fault('storage.unreachable', `The storage did not answer within ${this.#ms / 1000} s.`));
    }
  };
}
