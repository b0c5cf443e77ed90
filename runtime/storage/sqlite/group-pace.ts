/**
 * A transaction may take this many times as long to fill as its sync takes: the syncs of a full load then cost an eighth of
 * the worker's time, whatever the disk.
 */
const FILL_PER_SYNC = 8;

/** How much a new measurement weighs against those before. */
const WEIGHT = 0.1;

/**
 * Decides when a transaction is full. Taking everything that waits is best where a sync is slow; where it is fast, answering
 * a part early lets the clients prepare their next commits while the worker is still busy with the rest.
 */
export class GroupPace {
  readonly #monotonic: () => number;
  /** Milliseconds; undefined until the first one was measured. */
  #syncMs: number | undefined;
  #begun = 0;

  /** `monotonic` gives milliseconds. */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  begin(): void {
    this.#begun = this.#monotonic();
  }

  get full(): boolean {
    return this.#syncMs !== undefined && this.#monotonic() - this.#begun > this.#syncMs * FILL_PER_SYNC;
  }

  /** Carries out the end of a transaction and learns from how long its sync takes; one that wrote nothing has none. */
  measure(sync: () => void, wrote: boolean): void {
    const begun = this.#monotonic();
    sync();
    if (!wrote) return;
    const took = this.#monotonic() - begun;
    this.#syncMs = this.#syncMs === undefined ? took : this.#syncMs + (took - this.#syncMs) * WEIGHT;
  }
}
