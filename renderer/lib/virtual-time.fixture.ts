interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock and its timers for tests, in ms from 0: time passes only with `advance`. */
export function virtualTime() {
  let time = 0;
  let timers: Timer[] = [];
  return {
    now: () => time,
    setTimer(callback: () => void, milliseconds: number): unknown {
      const timer = { at: time + milliseconds, callback };
      timers.push(timer);
      return timer;
    },
    clearTimer(timer: unknown): void {
      timers = timers.filter((other) => other !== timer);
    },
    /** Timers that have not gone off. */
    waiting: () => timers.length,
    advance(milliseconds: number): void {
      time += milliseconds;
      const due = timers.filter((timer) => timer.at <= time);
      timers = timers.filter((timer) => timer.at > time);
      for (const timer of due) timer.callback();
    },
  };
}
