/** Objects that are remembered; more are forgotten, and told of sooner than they need be. */
const LARGEST = 10_000;

/** Remembers of which objects it was told lately that they were used, so that it need not be told each time. */
export class RecentUse {
  readonly #everyMs: number;
  readonly #told = new Map<string, number>();

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** True when the use of an object is to be told now. */
  isDue(object: string): boolean {
    const now = performance.now();
    const told = this.#told.get(object);
    if (told !== undefined && now - told < this.#everyMs) return false;
    if (this.#told.size >= LARGEST) this.#told.clear();
    this.#told.set(object, now);
    return true;
  }

  clear(): void {
    this.#told.clear();
  }
}
