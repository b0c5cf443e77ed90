/** The longest block of lines that is looked at for being said again. */
const LONGEST_BLOCK = 8;

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
  readonly #lines: Line[] = [];
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
    const told = this.#lines.flatMap(({ text, repeated }) =>
      repeated === undefined ? text : [text, inWords(repeated)],
    );
    return [...told, this.#open].join('\n').trim();
  }

  #keep(line: string): void {
    const text = line.slice(0, this.#lineLength);
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
