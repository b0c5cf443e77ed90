/** The longest block of lines that is looked at for being said again. */
const LONGEST_BLOCK = 16;

/** So much more of a line that is not complete is kept than is told: a secret through which the cut goes is seen whole. */
const MARGIN = 2048;

interface Line {
  text: string;
  /** The same for lines that differ in nothing but numbers. */
  shape: string;
  /** How often the block that ends here was said before, and how many lines it has. */
  repeated?: { times: number; lines: number };
}

/**
 * Keeps the last lines of a stream of text: what a process said before it ended. Its size is bounded whatever comes. What is
 * said again and again with nothing but other numbers in it is kept once, the newest: many agents write several lines about
 * each of our probes, and would push out what they had to say themselves.
 */
export class LastLines {
  readonly #limit: number;
  readonly #lineLength: number;
  readonly #redact: (text: string) => string;
  readonly #lines: Line[] = [];
  #open = '';

  /**
   * `limit` lines of at most `lineLength` UTF-16 units each; what is longer is cut, its secrets masked by `redact` before:
   * half of one could not be recognised any more.
   */
  constructor(limit: number, lineLength: number, redact: (text: string) => string = (text) => text) {
    this.#limit = limit;
    this.#lineLength = lineLength;
    this.#redact = redact;
  }

  add(text: string): void {
    const pieces = text.split(/\r?\n/);
    const last = pieces.pop() ?? '';
    for (const piece of pieces.slice(-this.#limit - 1)) {
      this.#keep(this.#open + piece);
      this.#open = '';
    }
    this.#open = (this.#open + last).slice(0, this.#lineLength + MARGIN);
  }

  toString(): string {
    const told = this.#lines.flatMap(({ text, repeated }) =>
      repeated === undefined ? text : [text, inWords(repeated)],
    );
    return [...told, this.#cut(this.#open)].join('\n').trim();
  }

  #cut(line: string): string {
    if (line.length <= this.#lineLength) return line;
    return this.#redact(line.slice(0, this.#lineLength + MARGIN)).slice(0, this.#lineLength);
  }

  #keep(line: string): void {
    const text = this.#cut(line);
    this.#lines.push({ text, shape: text.replaceAll(/\d+/g, '0') });
    this.#fold();
    if (this.#lines.length > this.#limit) this.#lines.shift();
  }

  /** Drops the block before the newest lines when they say it again. */
  #fold(): void {
    const lines = this.#lines;
    for (let length = 1; length <= LONGEST_BLOCK && 2 * length <= lines.length; length++) {
      const newest = lines.length - length;
      const isSame = lines.slice(newest).every(({ shape }, i) => shape === lines[newest - length + i]?.shape);
      if (!isSame) continue;
      const before = lines[newest - 1]?.repeated;
      const times = before?.lines === length ? before.times + 1 : 1;
      (lines.at(-1) as Line).repeated = { times, lines: length };
      lines.splice(newest - length, length);
      return;
    }
  }
}

function inWords({ times, lines }: { times: number; lines: number }): string {
  const what = lines === 1 ? 'this line' : `these ${lines} lines`;
  return `[${what}, or the same with other numbers: ${times} more before]`;
}
