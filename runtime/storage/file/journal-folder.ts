import fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { PRIVATE_FILE_MODE } from '../../base/durable-file.ts';
import { systemCodeOf } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import type { Disk } from './disk.ts';
import { isOfOlderFormat, type JournalContent, readFrames } from './journal-frames.ts';
import { hex } from './written-crc.ts';

const ENDING = '.journal';
const SPARE_ENDING = '.spare';
const MARK = 'carried-out';
/** Zeros are written so many at a time. */
const ZEROS = Buffer.alloc(256 * 1024);

/**
 * The folder `journal`: segments that are written one after the other, each named by a number that grows, and the file
 * `carried-out`, which says up to which commit everything is in the files. Without that mark a journal that lost its end
 * would take the files back to an older state.
 *
 * A segment may begin as a spare: a file of zeros that is durable as it is. Where only bytes change that a file has already, a
 * sync need not wait for the file system's own journal, nor for what other files have in it.
 */
export class JournalFolder {
  readonly path: string;
  readonly #disk: Disk;

  constructor(path: string, disk: Disk) {
    this.path = path;
    this.#disk = disk;
  }

  static segmentPath(folder: string, number: number): string {
    return join(folder, String(number).padStart(16, '0') + ENDING);
  }

  /** The numbers of the segments, ascending. */
  segments(): number[] {
    return fs
      .readdirSync(this.path)
      .filter((name) => name.endsWith(ENDING))
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b);
  }

  /** A whole segment; `next` is the number of the one behind it, undefined for the one that was written last. */
  read(number: number, next: number | undefined): { bytes: Buffer; content: JournalContent } {
    const path = JournalFolder.segmentPath(this.path, number);
    const bytes = withoutZerosBehind(fs.readFileSync(path));
    if (isOfOlderFormat(bytes)) {
      throw fault(
        'storage.failed',
        `${path} was written by an older version, and holds commits that are not in the files yet. Start that version and stop it, and then this one.`,
      );
    }
    // A segment is called by the serial of its first frame.
    if (next === undefined) return { bytes, content: readFrames(bytes, number) };
    return { bytes, content: withoutTorn(readFrames(bytes), bytes.length, number, next) };
  }

  /** A part of a segment that is known to be durable. */
  readPart(number: number, from: number, through: number): JournalContent {
    const bytes = Buffer.allocUnsafeSlow(through - from);
    const fd = fs.openSync(JournalFolder.segmentPath(this.path, number), 'r');
    try {
      let read = 0;
      for (let more = -1; more !== 0 && read < bytes.length; read += more) {
        more = fs.readSync(fd, bytes, read, bytes.length - read, from + read);
      }
      return readFrames(bytes.subarray(0, read));
    } finally {
      fs.closeSync(fd);
    }
  }

  /**
   * Makes files of so many zeros, and answers their paths. Fewer than asked for where the disk does not take them: then segments
   * begin empty, and there is nothing to tell of.
   */
  makeSpares(count: number, bytes: number): string[] {
    const made: string[] = [];
    while (made.length < count) {
      const path = join(this.path, randomId(12) + SPARE_ENDING);
      try {
        this.#makeSpare(path, bytes);
      } catch (error) {
        if (systemCodeOf(error) === undefined) throw error;
        fs.rmSync(path, { force: true });
        break;
      }
      made.push(path);
    }
    return made;
  }

  #makeSpare(path: string, bytes: number): void {
    const fd = fs.openSync(path, 'wx', PRIVATE_FILE_MODE);
    try {
      for (let at = 0; at < bytes; at += ZEROS.length) {
        this.#disk.write(fd, ZEROS.subarray(0, Math.min(ZEROS.length, bytes - at)), at);
      }
      this.#disk.sync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  removeSpares(): void {
    for (const name of fs.readdirSync(this.path)) {
      if (name.endsWith(SPARE_ENDING)) this.#disk.remove(join(this.path, name));
    }
  }

  remove(numbers: number[]): void {
    for (const number of numbers) this.#disk.remove(JournalFolder.segmentPath(this.path, number));
    this.#disk.syncFolders();
  }

  /** The serial up to which everything is in the files; 0 when that is not known. */
  carriedOut(): number {
    try {
      const text = fs.readFileSync(join(this.path, MARK), 'utf8');
      const { crc32: crc, serial } = JSON.parse(text) as { crc32: string; serial: number };
      return crc === hex(crc32(String(serial))) && Number.isSafeInteger(serial) ? serial : 0;
    } catch (error) {
      if (error instanceof SyntaxError || systemCodeOf(error) === 'ENOENT') return 0;
      throw error;
    }
  }

  markCarriedOut(serial: number): void {
    const path = join(this.path, MARK);
    // Always as long, so that it can be written in place: a sector is written whole or not at all.
    const line = `${JSON.stringify({ crc32: hex(crc32(String(serial))), serial }).padEnd(60)}\n`;
    const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, PRIVATE_FILE_MODE);
    try {
      this.#disk.write(fd, Buffer.from(line), 0);
      this.#disk.sync(fd);
    } finally {
      fs.closeSync(fd);
    }
    if (serial === 0) this.#disk.touched(this.path);
  }
}

/** What was written to a segment that began as zeros: no frame ends with one. */
function withoutZerosBehind(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

/**
 * Of a segment that another one follows everything was synced, and answered: nothing of it is torn, and where its end is missing,
 * that was lost later. It is told as damage even where nothing is left of it, or the commits behind would hide that some are gone.
 */
function withoutTorn(content: JournalContent, end: number, number: number, next: number): JournalContent {
  const { commits, tornBytes, damaged } = content;
  const isTold = damaged.some(({ offset, bytes }) => offset + bytes === end);
  const isCut = (commits.at(-1)?.serial ?? number - 1) < next - 1 && !isTold;
  if (tornBytes === 0 && !isCut) return content;
  return { commits, tornBytes: 0, damaged: [...damaged, { offset: end - tornBytes, bytes: tornBytes }] };
}
