/** Runs the work of each key at most once in `intervalMs`, however often it is asked for. */
export interface Coalescer {
  /** Asks for the work of `key`: at once if it rests, else when the interval and the work in flight are over. */
  request(key: string, work: () => Promise<unknown>): void;
  /** Forgets what has been asked for and not begun. */
  stop(): void;
}

interface Slot {
  busy: boolean;
  next: (() => Promise<unknown>) | undefined;
  cancel: (() => void) | undefined;
}

/**
 * Work of a key never overlaps itself: what is asked for while it runs waits for its end, so that a slow answer is never
 * thrown away by the next request for the same, and the last request always sees what was true after it was made.
 */
export function createCoalescer(options: {
  readonly intervalMs: number;
  readonly schedule: (callback: () => void, delayMs: number) => () => void;
}): Coalescer {
  const slots = new Map<string, Slot>();

  const run = (key: string, slot: Slot, work: () => Promise<unknown>): void => {
    slot.busy = true;
    let waiting = 2;
    const rest = (): void => {
      waiting -= 1;
      if (waiting > 0) return;
      slot.busy = false;
      slot.cancel = undefined;
      const next = slot.next;
      slot.next = undefined;
      if (next === undefined) slots.delete(key);
      else run(key, slot, next);
    };
    slot.cancel = options.schedule(rest, options.intervalMs);
    // Failed work is shown by whoever owns it (a query keeps its error); here it only means that it is over.
    work().then(rest, rest);
  };

  return {
    request(key, work) {
      const slot = slots.get(key) ?? { busy: false, next: undefined, cancel: undefined };
      slots.set(key, slot);
      if (slot.busy) slot.next = work;
      else run(key, slot, work);
    },
    stop() {
      for (const slot of slots.values()) {
        slot.cancel?.();
        slot.next = undefined;
      }
      slots.clear();
    },
  };
}
