/** Notes that wait, at most. */
const MAXIMUM_LATE = 256;

/**
 * What is to be noted when there is time for it, in its order: when this turn of the event loop is over, and at the latest
 * when it is settled.
 */
export class LateNotes<Note> {
  readonly #take: (note: Note) => void;
  #late: Note[] = [];

  constructor(take: (note: Note) => void) {
    this.#take = take;
  }

  add(note: Note): void {
    this.#late.push(note);
    if (this.#late.length === 1) setImmediate(this.settle);
    else if (this.#late.length > MAXIMUM_LATE) this.settle();
  }

  readonly settle = (): void => {
    if (this.#late.length === 0) return;
    const late = this.#late;
    this.#late = [];
    for (const note of late) this.#take(note);
  };
}
