/** Notes that wait, at most. */
const MAXIMUM_LATE = 256;

/**
 * What is to be noted when there is time for it, in its order: when this turn of the event loop is over, and at the latest
 * when it is settled.
 */
export class LateNotes {
  #late: (() => void)[] = [];

  add(note: () => void): void {
    this.#late.push(note);
    if (this.#late.length === 1) setImmediate(() => this.settle());
    else if (this.#late.length > MAXIMUM_LATE) this.settle();
  }

  settle(): void {
    if (this.#late.length === 0) return;
    const late = this.#late;
    this.#late = [];
    for (const note of late) note();
  }
}
