/** A timer that was started by a {@link Clock}; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

/** Time as a parameter, so that tests can use virtual time. All times are milliseconds. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump when the user changes the time. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes backwards. Use it for durations. */
  monotonic(): number;
  /** Calls `run` once after `ms`. The timer does not keep the process alive. */
  after(ms: number, run: () => void): Timer;
  /** Calls `run` every `ms` until cancelled. The timer does not keep the process alive. */
  every(ms: number, run: () => void): Timer;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms).unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(ms, run) {
    const timer = setInterval(run, ms).unref();
    return { cancel: () => clearInterval(timer) };
  },
};

/** Resolves after `ms` on `clock`; rejects with the signal's reason when aborted first. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** A clock that stands still until `advance` is called; for tests. Timers run in the order of their due times. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #start: number;
  #timers = new Set<{ due: number; every?: number; run: () => void }>();

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
    this.#start = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  after(ms: number, run: () => void): Timer {
    return this.#add({ due: this.#now + ms, run });
  }

  every(ms: number, run: () => void): Timer {
    return this.#add({ due: this.#now + ms, every: ms, run });
  }

  /** Moves time forward by `ms`, running what falls due, and lets promises settle between timers. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      let next: { due: number; every?: number; run: () => void } | undefined;
      for (const timer of this.#timers) {
        if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
      }
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.due);
      if (next.every === undefined) this.#timers.delete(next);
      else next.due += next.every;
      next.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** How many timers are pending; tests use it to find leaks. */
  get pending(): number {
    return this.#timers.size;
  }

  #add(timer: { due: number; every?: number; run: () => void }): Timer {
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }
}
