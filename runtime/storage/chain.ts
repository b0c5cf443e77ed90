/** What a {@link Chain} is made of: it stands in one at a time. */
export interface Linked<Item> {
  older: Item | undefined;
  newer: Item | undefined;
}

/**
 * Items in the order in which they were added, for what comes and goes with every call: a `Map` or a `Set` of them would have its
 * table replaced again and again, and each table that V8 has given up refers to the next one. As soon as one has become old
 * for the garbage collector, all that was added since lives on until it collects what is old, which took longer than the calls.
 */
export class Chain<Item extends Linked<Item>> {
  #oldest: Item | undefined;
  #newest: Item | undefined;

  get oldest(): Item | undefined {
    return this.#oldest;
  }

  /** Adds an item that stands in no chain. */
  add(item: Item): void {
    item.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
  }

  /** Takes an item out; false when it does not stand in the chain any more. */
  remove(item: Item): boolean {
    const { older, newer } = item;
    if (older === undefined && item !== this.#oldest) return false;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    // Otherwise it would do what a table does.
    item.older = undefined;
    item.newer = undefined;
    return true;
  }
}
