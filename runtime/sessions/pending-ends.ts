import type { Clock, Timer } from '../base/clock.ts';
import { isCoded } from '../base/errors.ts';
import type { KeyedQueue } from './keyed-queue.ts';

const RETRY_INTERVAL_MS = 2000;

/**
 * The ends of turns that the storage did not take, such as on a full disk. They are tried again until it does: otherwise
 * the session would be "busy" with a turn that does not run, until the next start.
 */
export class PendingEnds {
  readonly #clock: Clock;
  readonly #queue: KeyedQueue;
  /** By session; what stores the end, and changes nothing when it is stored already. */
  readonly #ends = new Map<string, () => Promise<unknown>>();
  #timer: Timer | undefined;

  constructor(clock: Clock, queue: KeyedQueue) {
    this.#clock = clock;
    this.#queue = queue;
  }

  add(sessionId: string, store: () => Promise<unknown>): void {
    this.#ends.set(sessionId, store);
    this.#arm();
  }

  /** Stores the end of the session's turn, if one is pending. Call it in the queue. Rejects with what the storage says. */
  async settle(sessionId: string): Promise<void> {
    const store = this.#ends.get(sessionId);
    if (store === undefined) return;
    try {
      await store();
    } catch (error) {
      if (!isCoded(error, 'session.not_found')) throw error;
    }
    this.#ends.delete(sessionId);
  }

  /** Tries all of them once; what fails stays pending. */
  async settleAll(): Promise<void> {
    await Promise.allSettled([...this.#ends.keys()].map((id) => this.#queue.run(id, () => this.settle(id))));
  }

  /** Forgets them all: the next look at the sessions finds their turns as interrupted. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#ends.clear();
  }

  #arm(): void {
    if (this.#ends.size === 0) return;
    this.#timer ??= this.#clock.after(RETRY_INTERVAL_MS, () => {
      this.#timer = undefined;
      void this.settleAll().then(() => this.#arm());
    });
  }
}
