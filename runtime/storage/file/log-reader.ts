import fs from 'node:fs';
import { LineScanner } from './line-scanner.ts';
import {
  claimedSequence,
  headerLength,
  type LineEncoding,
  nextOpening,
  seedOf,
  sequenceIn,
} from './log-lines.ts';

/** Up to this size a file is read from its beginning; a larger one is searched. */
const SMALL = 64 * 1024;
/** The largest buffer that is kept: one for a huge line would be filled for every part after it. */
const MOST_KEPT = 256 * 1024;
/** Most missing numbers that one damaged place is given the blame for. */
const MOST_NAMED = 100;

/** What of a log is wanted: numbers greater than `after`, up to and including `through`. */
export interface Range {
  after: number;
  through: number;
  limit: number;
}

/** Where in which file a part ended. */
export interface Place {
  file: bigint;
  position: number;
}

export interface EntryVisitor {
  /**
   * Called for each whole entry in the range, in order; the bytes are valid only during the call. False when nothing more is
   * wanted.
   */
  entry(bytes: Buffer, start: number, end: number, encoding: LineEncoding): boolean;
  /** Called with the numbers of entries that are damaged; none when only a line break is. */
  damaged(sequences: number[], line: Buffer): void;
}

/** Reads a log file forward; every line that it passes is checked. Throws system errors. */
export class LogReader {
  readonly #keeps: boolean;
  #buffer: Buffer = Buffer.allocUnsafeSlow(SMALL);

  /** `keepsBuffer` when much is read in parts: lines that are longer than the buffer need a larger one only once. */
  constructor({ keepsBuffer = false } = {}) {
    this.#keeps = keepsBuffer;
  }

  /** `size` may be an old one: it only decides how to begin. */
  read(path: string, log: string, size: number, range: Range, visitor: EntryVisitor): void {
    const fd = fs.openSync(path, 'r');
    try {
      this.readOpen(fd, log, size, range, visitor);
    } finally {
      fs.closeSync(fd);
    }
  }

  /**
   * Reads a part of a file and answers where it ended: given that, the next part begins there, instead of being searched for.
   * `range.after` must be the last entry of the part before. Undefined when nothing is left, or where an entry ends is not known.
   */
  readPart(
    path: string,
    log: string,
    size: number,
    range: Range,
    visitor: EntryVisitor,
    ended?: Place,
  ): Place | undefined {
    const fd = fs.openSync(path, 'r');
    try {
      const { ino } = fs.fstatSync(fd, { bigint: true });
      // Another file has its entries elsewhere, even if it has the same ones.
      const position =
        ended?.file === ino
          ? this.#pass(fd, log, ended.position, range.after, range, visitor)
          : this.readOpen(fd, log, size, range, visitor);
      return position === undefined ? undefined : { file: ino, position };
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Answers where the last entry ended that was wanted, if it is known and was not the last of all. */
  readOpen(fd: number, log: string, size: number, range: Range, visitor: EntryVisitor): number | undefined {
    const first = headerLength(log);
    const position = size <= SMALL || range.after === 0 ? first : this.positionAfter(fd, log, range.after);
    return this.#pass(fd, log, position, position === first ? 0 : undefined, range, visitor);
  }

  #pass(
    fd: number,
    log: string,
    position: number,
    passed: number | undefined,
    range: Range,
    visitor: EntryVisitor,
  ): number | undefined {
    const scanner = new LineScanner(fd, position, this.#buffer);
    const ended = new Pass(scanner, seedOf(log), range, visitor).run(passed);
    if (this.#keeps && scanner.buffer.length <= MOST_KEPT) this.#buffer = scanner.buffer;
    return ended;
  }

  /**
   * A position in the file before which no whole entry has a number greater than `sequence`, and that is near to the first
   * that has. Halves the file; a damaged line is stepped over to the next whole one.
   */
  positionAfter(fd: number, log: string, sequence: number): number {
    const seed = seedOf(log);
    let low = headerLength(log);
    let high = fs.fstatSync(fd).size;
    while (high - low > SMALL / 2) {
      const middle = low + Math.floor((high - low) / 2);
      const found = this.#wholeLineFrom(fd, middle, high, seed);
      if (found === undefined || found.sequence > sequence) high = middle;
      else low = found.following;
    }
    return low;
  }

  #wholeLineFrom(fd: number, position: number, end: number, seed: number) {
    const scanner = new LineScanner(fd, position, this.#buffer.subarray(0, 4096));
    // What it begins in the middle of is no line.
    scanner.next();
    while (scanner.next() && scanner.position < end && scanner.terminated) {
      const sequence = sequenceIn(scanner.bytes, scanner.start, scanner.end, seed);
      if (sequence > 0) return { sequence, following: scanner.following };
    }
    return undefined;
  }
}

/** One way through the lines of a file, from a position on. */
class Pass {
  readonly #scanner: LineScanner;
  readonly #seed: number;
  readonly #range: Range;
  readonly #visitor: EntryVisitor;
  /** The number of the last whole entry that was passed; undefined when the pass begins in the middle of the file. */
  #passed: number | undefined;
  #damagedLines: Buffer[] = [];
  #visited = 0;

  constructor(scanner: LineScanner, seed: number, range: Range, visitor: EntryVisitor) {
    this.#scanner = scanner;
    this.#seed = seed;
    this.#range = range;
    this.#visitor = visitor;
  }

  /**
   * `passed` is the number of the entry before the first line, 0 when there is none; undefined when that is not known. Answers
   * where the line begins behind the last that was wanted; undefined when that is not where an entry ends.
   */
  run(passed: number | undefined): number | undefined {
    this.#passed = passed;
    const scanner = this.#scanner;
    while (scanner.next()) {
      const sequence = sequenceIn(scanner.bytes, scanner.start, scanner.end, this.#seed);
      if (sequence > 0) {
        if (!this.#whole(scanner.bytes, scanner.start, scanner.end, sequence)) return scanner.following;
      } else if (!this.#broken(scanner.bytes, scanner.start, scanner.end)) return undefined;
    }
    this.#settle(this.#range.through + 1);
    return undefined;
  }

  /** False when nothing more is wanted. */
  #whole(bytes: Buffer, start: number, end: number, sequence: number): boolean {
    this.#settle(sequence);
    this.#passed = sequence;
    if (sequence > this.#range.through) return false;
    if (sequence <= this.#range.after) return true;
    this.#visited += 1;
    return (
      this.#visitor.entry(bytes, start, end, this.#scanner.encoding) && this.#visited < this.#range.limit
    );
  }

  /** A line that is not whole may be two whose line break was damaged: what is whole in it is found. */
  #broken(bytes: Buffer, start: number, end: number): boolean {
    const last = this.#scanner.terminated ? 0 : sequenceIn(bytes, start, end - 1, this.#seed);
    if (last > 0) {
      this.#visitor.damaged([], Buffer.from(bytes.subarray(start, end)));
      return this.#whole(bytes, start, end - 1, last);
    }
    for (let at = nextOpening(bytes, start + 1, end); at >= 0; at = nextOpening(bytes, at + 1, end)) {
      const second = sequenceIn(bytes, at, end, this.#seed);
      if (second === 0) continue;
      const first = sequenceIn(bytes, start, at - 1, this.#seed);
      if (first > 0) {
        this.#visitor.damaged([], Buffer.from(bytes.subarray(start, end)));
        if (!this.#whole(bytes, start, at - 1, first)) return false;
      } else this.#damagedLines.push(Buffer.from(bytes.subarray(start, at)));
      return this.#whole(bytes, at, end, second);
    }
    this.#damagedLines.push(Buffer.from(bytes.subarray(start, end)));
    return true;
  }

  /** Names the damaged lines before the entry `next` by the numbers that are missing there. */
  #settle(next: number): void {
    if (this.#damagedLines.length === 0) return;
    const lines = this.#damagedLines;
    this.#damagedLines = [];
    const claimed = lines.map(claimedSequence).filter((sequence) => sequence < next);
    const passed = this.#passed ?? Math.min(...claimed, next) - 1;
    const missing: number[] = [];
    for (let sequence = passed + 1; sequence < next && missing.length < MOST_NAMED; sequence++) {
      if (sequence > this.#range.after) missing.push(sequence);
    }
    // Where entries were missing before, the line itself may tell which it was.
    const known = claimed.filter((sequence) => missing.includes(sequence));
    const named = lines.length === 1 && known.length === 1 ? known : missing;
    if (named.length > 0) this.#visitor.damaged(named, Buffer.concat(lines));
  }
}
