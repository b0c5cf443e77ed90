/** Keeps the last lines of a stream of text: what a process said before it ended. Its size is bounded whatever comes. */
export class LastLines {
  readonly #limit: number;
  readonly #lineLength: number;
  readonly #lines: string[] = [];
  #open = '';

  /** `limit` lines of at most `lineLength` UTF-16 units each; what is longer is cut. */
  constructor(limit: number, lineLength: number) {
    this.#limit = limit;
    this.#lineLength = lineLength;
  }

  add(text: string): void {
    const pieces = text.split(/\r?\n/);
    const last = pieces.pop() ?? '';
    for (const piece of pieces.slice(-this.#limit - 1)) {
      this.#keep(this.#open + piece);
      this.#open = '';
    }
    this.#open = (this.#open + last).slice(0, this.#lineLength);
  }

  toString(): string {
    return [...this.#lines, this.#open].join('\n').trim();
  }

  #keep(line: string): void {
    this.#lines.push(line.slice(0, this.#lineLength));
    if (this.#lines.length > this.#limit) this.#lines.shift();
  }
}
