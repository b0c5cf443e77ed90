/** Most items in one part; a fuller one is halved. */
const PART = 512;

/**
 * Items in an order, in parts of a few hundred: an insertion moves at most a part, and walking from anywhere is cheap. No
 * two items may be equal in the order.
 */
export class SortedList<T> {
  readonly #compare: (a: T, b: T) => number;
  /** None is empty. */
  #parts: T[][] = [];
  #size = 0;

  constructor(compare: (a: T, b: T) => number, items: Iterable<T> = []) {
    this.#compare = compare;
    const sorted = [...items].sort(compare);
    this.#size = sorted.length;
    for (let i = 0; i < sorted.length; i += PART / 2) this.#parts.push(sorted.slice(i, i + PART / 2));
  }

  get size(): number {
    return this.#size;
  }

  add(item: T): void {
    this.#size += 1;
    const number = Math.min(
      this.#partOf((other) => this.#compare(other, item) < 0),
      this.#parts.length - 1,
    );
    const part = this.#parts[number];
    if (part === undefined) {
      this.#parts.push([item]);
      return;
    }
    part.splice(
      firstNot(part, (other) => this.#compare(other, item) < 0),
      0,
      item,
    );
    if (part.length > PART) this.#parts.splice(number + 1, 0, part.splice(PART / 2));
  }

  delete(item: T): void {
    const before = (other: T) => this.#compare(other, item) < 0;
    const number = this.#partOf(before);
    const part = this.#parts[number];
    if (part === undefined) return;
    const at = firstNot(part, before);
    if (at >= part.length || this.#compare(part[at] as T, item) !== 0) return;
    part.splice(at, 1);
    this.#size -= 1;
    if (part.length === 0) this.#parts.splice(number, 1);
  }

  /** How many items there are before the first for which `before` does not hold; it must hold for a beginning of the list. */
  rank(before: (item: T) => boolean): number {
    const number = this.#partOf(before);
    let rank = 0;
    for (let i = 0; i < number; i++) rank += (this.#parts[i] as T[]).length;
    const part = this.#parts[number];
    return part === undefined ? rank : rank + firstNot(part, before);
  }

  /** The items from the first on for which `before` does not hold; the list must not be changed meanwhile. */
  *from(before: (item: T) => boolean): Generator<T, void, void> {
    const first = this.#partOf(before);
    for (let number = first; number < this.#parts.length; number++) {
      const part = this.#parts[number] as T[];
      for (let i = number === first ? firstNot(part, before) : 0; i < part.length; i++) yield part[i] as T;
    }
  }

  /** The items for which `before` holds, the last of them first; the list must not be changed meanwhile. */
  *backFrom(before: (item: T) => boolean): Generator<T, void, void> {
    const last = Math.min(this.#partOf(before), this.#parts.length - 1);
    for (let number = last; number >= 0; number--) {
      const part = this.#parts[number] as T[];
      for (let i = (number === last ? firstNot(part, before) : part.length) - 1; i >= 0; i--) {
        yield part[i] as T;
      }
    }
  }

  /** The part in which the first item is for which `before` does not hold. */
  #partOf(before: (item: T) => boolean): number {
    return firstNot(this.#parts, (part) => before(part[part.length - 1] as T));
  }
}

/** The first place in an array whose item does not fulfil a condition that holds for a beginning of it. */
function firstNot<T>(items: T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
