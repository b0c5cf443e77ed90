import type { Clock, Timer } from '../base/clock.ts';
import { fault } from '../contract/error-codes.ts';
import { Chain, type Linked } from './chain.ts';

/** A call that was begun and is not answered yet. */
export interface PendingCall extends Linked<PendingCall> {
  /** By the monotonic clock, in ms. */
  readonly expires: number;
  readonly expired: (error: Error) => void;
}

/**
 * Rejects calls with `storage.unreachable` that take too long. All may take equally long, so that they expire in the order in
 * which they came and one timer serves them all: one for each would cost as much as a small read.
 */
export class CallDeadline {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #pending = new Chain<PendingCall>();
  #timer: Timer | undefined;

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  run<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const pending = this.begin(reject);
      call().then(
        (result) => {
          if (this.end(pending)) resolve(result);
        },
        (error: unknown) => {
          if (this.end(pending)) reject(error);
        },
      );
    });
  }

  /** For a call that is not worth a promise more: calls `expired` unless {@link end} comes before. */
  begin(expired: (error: Error) => void): PendingCall {
    const expires = this.#clock.monotonic() + this.#ms;
    const pending: PendingCall = { expires, expired, older: undefined, newer: undefined };
    this.#pending.add(pending);
    this.#timer ??= this.#clock.after(this.#ms, this.#expire);
    return pending;
  }

  /** The call is answered; false when it has expired before. */
  end(pending: PendingCall): boolean {
    return this.#pending.remove(pending);
  }

  /** Lets go of the timer: what is still under way has no deadline, unless another call begins. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (let pending = this.#pending.oldest; pending !== undefined; pending = this.#pending.oldest) {
      if (pending.expires > now) {
        this.#timer = this.#clock.after(pending.expires - now, this.#expire);
        return;
      }
      this.#pending.remove(pending);
      pending.expired(
        fault('storage.unreachable', `The storage did not answer within ${this.#ms / 1000} s.`),
      );
    }
  };
}
