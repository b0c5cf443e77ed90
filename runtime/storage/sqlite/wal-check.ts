import { copyFile, open, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { systemCodeOf } from '../../base/errors.ts';
import type { FaultNotice } from './protocol.ts';

/*
 * What SQLite does not do for its write-ahead log: it ends the log at the first frame whose checksum fails, without a word,
 * and a single flipped bit would silently take every commit behind it. The format: https://sqlite.org/fileformat2.html#walformat
 */

const HEADER = 32;
const FRAME_HEADER = 24;
/** The last bit of the magic number says in which byte order the checksums are taken. */
const MAGIC = 0x377f0682;
const VERSION = 3_007_000;

type Sum = [number, number];

interface Walk {
  /** Where bytes were put right, and the words that belong there. */
  repairs: { at: number; byte: number }[];
  /** Frames that are of this log and cannot be applied, because one before them is damaged beyond repair. */
  lostFrames: number;
  /** The damaged one is the last of them. */
  atTheEnd: boolean;
}

/**
 * Looks through the write-ahead log of a data file before SQLite does. A single flipped bit in a frame is put right where
 * the checksum says which it was. What is worse ends the log at the last good commit; it is then kept aside, and told.
 * (A power cut in the middle of a sync may leave that, too, and a kill, if it is the last frame of the log: SQLite writes what
 * stands before a page and the page one after the other. What they take was not acknowledged.)
 */
export async function checkWal(file: string): Promise<FaultNotice[]> {
  const path = `${file}-wal`;
  const record = `journal ${basename(path)}`;
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
  if (bytes.length < HEADER + FRAME_HEADER) return [];
  const { repairs, lostFrames, atTheEnd } = new WalWalk(bytes).walk();
  const notices: FaultNotice[] = [];
  if (lostFrames > 0) {
    const aside = `${path}.damaged`;
    await copyFile(path, aside);
    notices.push({
      record,
      message:
        `The journal ${path} is damaged: its last ${lostFrames} pages could not be applied, and the data is as it was at ` +
        `the last good commit before them. The journal was kept as ${aside}. ${atTheEnd ? 'A kill or a power cut' : 'A power cut'} ` +
        'in the middle of a commit leaves this, too, and then nothing is missing that had been acknowledged.',
    });
  }
  if (repairs.length > 0) {
    await rewrite(path, repairs);
    const bits = repairs.length === 1 ? 'A flipped bit' : `${repairs.length} flipped bits`;
    notices.push({ record, message: `${bits} in the journal ${path} could be put right; nothing is lost.` });
  }
  return notices;
}

async function rewrite(path: string, repairs: Walk['repairs']): Promise<void> {
  const file = await open(path, 'r+');
  try {
    for (const { at, byte } of repairs) await file.write(Buffer.of(byte), 0, 1, at);
    await file.sync();
  } finally {
    await file.close();
  }
}

class WalWalk {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #repairs: Walk['repairs'] = [];
  #littleEndian = true;
  #pageSize = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  walk(): Walk {
    let sum = this.#header();
    if (sum === undefined) return { repairs: [], lostFrames: 1, atTheEnd: false };
    let good = 0;
    let frame = 0;
    for (; this.#offset(frame + 1) <= this.#bytes.length; frame++) {
      const next = this.#frame(frame, sum);
      if (next === undefined) break;
      sum = next;
      // Says how large the file is after a commit, and 0 in every other frame.
      if (this.#view.getUint32(this.#offset(frame) + 4) !== 0) good = frame + 1;
    }
    const last = this.#lastCommitFrom(frame);
    return {
      repairs: this.#repairs,
      lostFrames: last < frame ? 0 : last + 1 - good,
      atTheEnd: last === frame,
    };
  }

  /** The checksum that the first frame goes on from; undefined when the header cannot be put right. */
  #header(): Sum | undefined {
    const whole = this.#wholeHeader();
    if (whole !== undefined) return whole;
    for (let at = 0; at < HEADER; at++) {
      const byte = this.#bytes[at] as number;
      for (let bit = 0; bit < 8; bit++) {
        this.#bytes[at] = byte ^ (1 << bit);
        const mended = this.#wholeHeader();
        // A log that was begun anew may have no frame yet; but a header is not mended into one that fits no frame.
        if (mended === undefined || !this.#isOfThisLog(0)) continue;
        this.#repairs.push({ at, byte: this.#bytes[at] as number });
        return mended;
      }
      this.#bytes[at] = byte;
    }
    return undefined;
  }

  #wholeHeader(): Sum | undefined {
    const view = this.#view;
    const magic = view.getUint32(0);
    this.#littleEndian = (magic & 1) === 0;
    this.#pageSize = view.getUint32(8);
    const sum = this.#sumOf([0, 0], [[0, 24]]);
    const known =
      (magic & ~1) >>> 0 === MAGIC &&
      view.getUint32(4) === VERSION &&
      this.#pageSize >= 512 &&
      this.#pageSize <= 65_536;
    return known && same(sum, this.#sumAt(24)) ? sum : undefined;
  }

  /** The checksum after a frame; undefined when it is of an older log, or damaged beyond repair. */
  #frame(frame: number, before: Sum): Sum | undefined {
    const at = this.#offset(frame);
    const parts: [number, number][] = [
      [at, 8],
      [at + FRAME_HEADER, this.#pageSize],
    ];
    const sum = this.#sumOf(before, parts);
    const whole = same(sum, this.#sumAt(at + 16));
    if (this.#isOfThisLog(frame)) {
      if (whole) return sum;
      // The next frame goes on from the checksum of this one, and so tells a page with a flipped bit from a checksum with one.
      const pageIsWhole = this.#goesOnFrom(frame + 1, sum);
      if (pageIsWhole !== true && this.#putRight(sum, at + 16, parts)) return this.#sumOf(before, parts);
      return pageIsWhole !== false && this.#putSumRight(sum, at + 16) ? sum : undefined;
    }
    if (!whole) return undefined;
    // Its checksum is right by those before it: it is of this log, and only says otherwise.
    for (let byte = 8; byte < 16; byte++) this.#repair(at + byte, this.#bytes[byte + 8] as number);
    return sum;
  }

  /** Undefined when there is no such frame. */
  #goesOnFrom(frame: number, before: Sum): boolean | undefined {
    const at = this.#offset(frame);
    if (this.#offset(frame + 1) > this.#bytes.length || !this.#isOfThisLog(frame)) return undefined;
    const sum = this.#sumOf(before, [
      [at, 8],
      [at + FRAME_HEADER, this.#pageSize],
    ]);
    return same(sum, this.#sumAt(at + 16));
  }

  /**
   * Finds the one bit of the parts that makes their checksum the stored one. A word counts for more the more words follow
   * it: by the powers of one matrix, so that each candidate is one multiplication. (Modulo 2^32 these repeat: a bit among
   * the upper nine of its word may have several places where it fits, and is then not put right.)
   */
  #putRight(found: Sum, storedAt: number, parts: [number, number][]): boolean {
    const stored = this.#sumAt(storedAt);
    const missing: Sum = [(stored[0] - found[0]) | 0, (stored[1] - found[1]) | 0];
    const words = parts.flatMap(([from, length]) =>
      Array.from({ length: length / 4 }, (_, i) => from + i * 4),
    );
    const candidates: { at: number; bit: number }[] = [];
    let even: Sum = [1, 1];
    let odd: Sum = [0, 1];
    for (let i = words.length - 1; i >= 0; i--) {
      const weight = i % 2 === 0 ? even : odd;
      const at = words[i] as number;
      const word = this.#view.getUint32(at, this.#littleEndian);
      for (let bit = 0; bit < 32; bit++) {
        const change = (word >>> bit) & 1 ? -(1 << bit) : 1 << bit;
        const fits = (side: 0 | 1) => (Math.imul(weight[side], change) | 0) === missing[side];
        if (fits(0) && fits(1)) candidates.push({ at, bit });
      }
      if (i % 2 === 0) {
        even = step(even);
        odd = step(odd);
      }
    }
    const [one, another] = candidates;
    if (one === undefined || another !== undefined) return false;
    const byte = one.at + (this.#littleEndian ? one.bit >> 3 : 3 - (one.bit >> 3));
    this.#repair(byte, (this.#bytes[byte] as number) ^ (1 << (one.bit & 7)));
    return true;
  }

  /** Puts the stored checksum right when one bit of it differs from what was found. */
  #putSumRight(found: Sum, storedAt: number): boolean {
    const stored = this.#sumAt(storedAt);
    const differences = [found[0] ^ stored[0], found[1] ^ stored[1]].map((bits) => bits >>> 0);
    const [different, another] = differences.filter((bits) => bits !== 0);
    if (different === undefined || another !== undefined || (different & (different - 1)) !== 0) return false;
    const right = Buffer.alloc(8);
    right.writeInt32BE(found[0], 0);
    right.writeInt32BE(found[1], 4);
    for (const [i, byte] of right.entries()) {
      if (this.#bytes[storedAt + i] !== byte) this.#repair(storedAt + i, byte);
    }
    return true;
  }

  #repair(at: number, byte: number): void {
    if (this.#bytes[at] === byte) return;
    this.#bytes[at] = byte;
    this.#repairs.push({ at, byte });
  }

  /** The salts of a frame are those of the header, unless it was left over from before the log was last begun anew. */
  #isOfThisLog(frame: number): boolean {
    const at = this.#offset(frame);
    return this.#bytes.compare(this.#bytes, 16, 24, at + 8, at + 16) === 0;
  }

  /**
   * The greatest number of a frame of this log, from a frame on, that ends a commit; less than that when there is none. Frames
   * that no such frame follows are of a commit that never ended.
   */
  #lastCommitFrom(from: number): number {
    let last = from - 1;
    for (let frame = from; this.#offset(frame + 1) <= this.#bytes.length; frame++) {
      if (this.#isOfThisLog(frame) && this.#view.getUint32(this.#offset(frame) + 4) !== 0) last = frame;
    }
    return last;
  }

  #offset(frame: number): number {
    return HEADER + frame * (FRAME_HEADER + this.#pageSize);
  }

  #sumOf(before: Sum, parts: [number, number][]): Sum {
    const sum: Sum = [...before];
    for (const [from, length] of parts) this.#add(sum, from, length);
    return sum;
  }

  #add(sum: Sum, from: number, length: number): void {
    let [first, second] = sum;
    for (let at = from; at < from + length; at += 8) {
      first = (first + this.#view.getInt32(at, this.#littleEndian) + second) | 0;
      second = (second + this.#view.getInt32(at + 4, this.#littleEndian) + first) | 0;
    }
    sum[0] = first;
    sum[1] = second;
  }

  /** Stored checksums are big-endian, whatever the order in which they were taken. */
  #sumAt(at: number): Sum {
    return [this.#view.getInt32(at), this.#view.getInt32(at + 4)];
  }
}

const same = (one: Sum, other: Sum) => one[0] === other[0] && one[1] === other[1];

/** What a difference in the checksum becomes when one more pair of words follows. */
function step([first, second]: Sum): Sum {
  const next = (first + second) | 0;
  return [next, (second + next) | 0];
}
