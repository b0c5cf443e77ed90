import type { RuntimeEvent } from '../contract/index.ts';

/** What the events that are kept ready may hold together, in UTF-16 units of text. */
const MAX_TEXT = 16 * 1024 * 1024;

/**
 * The newest events of the log, kept ready for those who resume: by sequence without gaps, bounded in number and in size,
 * because a single one may carry a message of a megabyte.
 */
export class EventRegistry {
  readonly #maxCount: number;
  readonly #maxText: number;
  #events: RuntimeEvent[] = [];
  #texts: number[] = [];
  /** Index of the oldest that is kept; what is before it is cut off in blocks, since single steps would cost too much. */
  #start = 0;
  #text = 0;

  constructor(maxCount: number, maxText = MAX_TEXT) {
    this.#maxCount = maxCount;
    this.#maxText = maxText;
  }

  get size(): number {
    return this.#events.length - this.#start;
  }

  /** An event that does not follow the one before it starts anew. */
  push(event: RuntimeEvent): void {
    const last = this.#events.at(-1);
    if (last !== undefined && event.sequence !== last.sequence + 1) this.clear();
    const text = textOf(event.data);
    this.#events.push(event);
    this.#texts.push(text);
    this.#text += text;
    while (this.size > this.#maxCount || (this.#text > this.#maxText && this.size > 1)) {
      this.#text -= this.#texts[this.#start] ?? 0;
      this.#start += 1;
    }
    if (this.#start > this.#maxCount || this.#start * 2 > this.#events.length + 100) {
      this.#events = this.#events.slice(this.#start);
      this.#texts = this.#texts.slice(this.#start);
      this.#start = 0;
    }
  }

  /** At most `limit` events after a sequence, the oldest first; undefined when some of them are not kept any more. */
  after(sequence: number, limit: number): RuntimeEvent[] | undefined {
    const oldest = this.#events[this.#start]?.sequence;
    if (oldest === undefined || oldest > sequence + 1) return undefined;
    const from = this.#start + sequence + 1 - oldest;
    return this.#events.slice(from, from + limit);
  }

  clear(): void {
    this.#events = [];
    this.#texts = [];
    this.#start = 0;
    this.#text = 0;
  }
}

/** The length of all text in a value: close enough to what it holds of memory, and much cheaper than its JSON. */
function textOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let length = 0;
  for (const part of Object.values(value)) length += textOf(part);
  return length;
}
