import { isAscii } from 'node:buffer';
import fs from 'node:fs';
import type { LineEncoding } from './log-lines.ts';

const CHUNK = 64 * 1024;

/** Reads a file line by line, synchronously, with one buffer that grows to the longest line. */
export class LineScanner {
  readonly #fd: number;
  #buffer: Buffer;
  /** What of the buffer is filled, as a view of it. */
  #filled: Buffer;
  /** Where in the file the buffer begins. */
  #base: number;
  #next = 0;
  #ended = false;
  /** The line, in `bytes`; without its line break. */
  start = 0;
  end = 0;
  /** Of what `bytes` holds; undefined until somebody asks for it. */
  #encoding: LineEncoding | undefined;
  /** False for what stands behind the last line break of the file. */
  terminated = true;

  constructor(fd: number, position: number, buffer: Buffer = Buffer.allocUnsafeSlow(CHUNK)) {
    this.#fd = fd;
    this.#base = position;
    this.#buffer = buffer;
    this.#filled = buffer.subarray(0, 0);
  }

  get bytes(): Buffer {
    return this.#filled;
  }

  /** What it reads into: the one that it was given, or a larger one. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** How the bytes become text. */
  get encoding(): LineEncoding {
    this.#encoding ??= isAscii(this.#filled) ? 'latin1' : 'utf8';
    return this.#encoding;
  }

  /** Where the line begins in the file. */
  get position(): number {
    return this.#base + this.start;
  }

  /** Where the next line begins in the file. */
  get following(): number {
    return this.#base + this.#next;
  }

  get line(): Buffer {
    return this.#filled.subarray(this.start, this.end);
  }

  /** Goes to the next line; false at the end of the file. */
  next(): boolean {
    let searched = this.#next;
    for (;;) {
      const at = this.#filled.indexOf(0x0a, searched);
      if (at >= 0) {
        this.start = this.#next;
        this.end = at;
        this.#next = at + 1;
        return true;
      }
      searched = this.#filled.length - this.#next;
      if (!this.#fill()) break;
    }
    this.start = this.#next;
    this.end = this.#filled.length;
    this.#next = this.end;
    this.terminated = false;
    return this.end > this.start;
  }

  /** Moves what is left to the front and reads on; false at the end of the file. */
  #fill(): boolean {
    if (this.#ended) return false;
    const left = this.#filled.subarray(this.#next);
    const target = left.length > this.#buffer.length / 2 ? doubled(this.#buffer) : this.#buffer;
    target.set(left, 0);
    this.#base += this.#next;
    this.#next = 0;
    this.#buffer = target;
    const room = target.length - left.length;
    const read = fs.readSync(this.#fd, target, left.length, room, this.#base + left.length);
    if (read < room) this.#ended = true;
    this.#filled = target.subarray(0, left.length + read);
    this.#encoding = undefined;
    return read > 0;
  }
}

function doubled(buffer: Buffer): Buffer {
  return Buffer.allocUnsafeSlow(buffer.length * 2);
}
