import type { RuntimeEvent } from '#contract';

/** The tail is drawn at most four times a second. */
export const TAIL_INTERVAL_MS = 250;
/** Events that the tail keeps. */
const TAIL_CAPACITY = 5000;

export interface TailEntry {
  event: RuntimeEvent;
  /** Its place among all: the sequence, and for an event that is only told live a place right after the one before it. */
  order: number;
}

export interface TailSnapshot {
  /** The oldest first. */
  entries: readonly TailEntry[];
  paused: boolean;
  /** Events that came since the pause and match the filter. */
  waiting: number;
  /** While paused: the newest sequence that is shown. */
  upTo: number;
  /** Events that were let go because the tail was full. */
  dropped: number;
}

export interface EventTailOptions {
  capacity?: number;
  now?: () => number;
  setTimer?: (callback: () => void, milliseconds: number) => unknown;
  clearTimer?: (timer: unknown) => void;
}

/**
 * The newest events as they come in, in a ring of fixed size. Tells its listeners at most four times a second. While
 * paused the snapshot stays the same but for the count of what waits. Made for `useSyncExternalStore`.
 */
export class EventTail {
  readonly #capacity: number;
  readonly #now: () => number;
  readonly #setTimer: (callback: () => void, milliseconds: number) => unknown;
  readonly #clearTimer: (timer: unknown) => void;
  readonly #listeners = new Set<() => void>();
  #ring: TailEntry[] = [];
  /** Where the oldest entry of the ring is. */
  #start = 0;
  #lastSequence = 0;
  #dropped = 0;
  /** Events received since the pause. */
  #sincePause = 0;
  #matches: (event: RuntimeEvent) => boolean = () => true;
  #waiting = 0;
  #timer: unknown;
  #lastTold = Number.NEGATIVE_INFINITY;
  #snapshot: TailSnapshot = { entries: [], paused: false, waiting: 0, upTo: 0, dropped: 0 };

  constructor(options: EventTailOptions = {}) {
    this.#capacity = options.capacity ?? TAIL_CAPACITY;
    this.#now = options.now ?? (() => performance.now());
    this.#setTimer = options.setTimer ?? ((callback, milliseconds) => setTimeout(callback, milliseconds));
    this.#clearTimer =
      options.clearTimer ?? ((timer) => clearTimeout(timer as ReturnType<typeof setTimeout>));
  }

  receive(event: RuntimeEvent): void {
    if (event.sequence > 0) this.#lastSequence = Math.max(this.#lastSequence, event.sequence);
    const entry = { event, order: event.sequence > 0 ? event.sequence : this.#lastSequence + 0.5 };
    if (this.#ring.length < this.#capacity) this.#ring.push(entry);
    else {
      this.#ring[this.#start] = entry;
      this.#start = (this.#start + 1) % this.#capacity;
      this.#dropped += 1;
    }
    if (this.#snapshot.paused) {
      this.#sincePause += 1;
      if (this.#matches(event)) this.#waiting += 1;
    }
    this.#schedule();
  }

  /** What counts as new while the tail is paused. */
  setFilter(matches: (event: RuntimeEvent) => boolean): void {
    this.#matches = matches;
    if (!this.#snapshot.paused) return;
    this.#waiting = this.#newest(this.#sincePause).filter((entry) => matches(entry.event)).length;
    this.#tell();
  }

  pause(): void {
    if (this.#snapshot.paused) return;
    // What has come since the last drawing is not shown yet, and is not to appear now.
    const shown = this.#snapshot.entries.at(-1);
    const entries = this.#ordered();
    const unseen = shown === undefined ? entries.length : entries.length - 1 - entries.lastIndexOf(shown);
    this.#sincePause = unseen;
    this.#waiting = this.#newest(unseen).filter((entry) => this.#matches(entry.event)).length;
    const upTo = this.#snapshot.entries.reduce((max, entry) => Math.max(max, entry.event.sequence), 0);
    this.#snapshot = { ...this.#snapshot, paused: true, upTo };
    this.#tell();
  }

  resume(): void {
    if (!this.#snapshot.paused) return;
    this.#snapshot = { ...this.#snapshot, paused: false };
    this.#tell();
  }

  /** Forgets everything, such as when the data set was replaced. */
  clear(): void {
    this.#ring = [];
    this.#start = 0;
    this.#dropped = 0;
    this.#sincePause = 0;
    this.#waiting = 0;
    this.#lastSequence = 0;
    this.#snapshot = { entries: [], paused: false, waiting: 0, upTo: 0, dropped: 0 };
    this.#tell();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stopTimer();
    };
  };

  snapshot = (): TailSnapshot => this.#snapshot;

  #schedule(): void {
    if (this.#timer !== undefined || this.#listeners.size === 0) return;
    const wait = this.#lastTold + TAIL_INTERVAL_MS - this.#now();
    if (wait <= 0) this.#tell();
    else this.#timer = this.#setTimer(() => this.#tell(), wait);
  }

  #tell(): void {
    this.#stopTimer();
    this.#lastTold = this.#now();
    this.#snapshot = this.#snapshot.paused
      ? { ...this.#snapshot, waiting: this.#waiting }
      : { entries: this.#ordered(), paused: false, waiting: 0, upTo: 0, dropped: this.#dropped };
    for (const listener of this.#listeners) listener();
  }

  #ordered(): TailEntry[] {
    return [...this.#ring.slice(this.#start), ...this.#ring.slice(0, this.#start)];
  }

  #newest(count: number): TailEntry[] {
    return count === 0 ? [] : this.#ordered().slice(-count);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#clearTimer(this.#timer);
    this.#timer = undefined;
  }
}

/**
 * The rows of the page, the newest first: what the tail holds and matches, and what was read from the log (which has been
 * filtered), each event once. While the tail is paused nothing that is newer than the pause is let in, wherever it
 * comes from.
 */
export function eventRows(
  tail: TailSnapshot,
  history: readonly RuntimeEvent[],
  matches: (event: RuntimeEvent) => boolean,
): RuntimeEvent[] {
  const rows: TailEntry[] = [];
  const seen = new Set<string>();
  for (const entry of tail.entries.toReversed()) {
    if (seen.has(entry.event.id)) continue;
    seen.add(entry.event.id);
    if (matches(entry.event)) rows.push(entry);
  }
  // Between a full tail and the log there may be a hole; rows from beyond it would look as if nothing were missing.
  if (tail.dropped === 0) {
    for (const event of history) {
      if (seen.has(event.id)) continue;
      if (tail.paused && tail.upTo > 0 && event.sequence > tail.upTo) continue;
      rows.push({ event, order: event.sequence });
    }
  }
  return rows.sort((a, b) => b.order - a.order).map((entry) => entry.event);
}
