import fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { PRIVATE_FILE_MODE } from '../../base/durable-file.ts';
import { systemCodeOf } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { Disk } from './disk.ts';
import { isOfOlderFormat, type JournalContent, readFrames } from './journal-frames.ts';
import { hex } from './written-crc.ts';

const ENDING = '.journal';
const MARK = 'carried-out';

/**
 * The folder `journal`: segments that are written one after the other, each named by a number that grows, and the file
 * `carried-out`, which says up to which commit everything is in the files. Without that mark a journal that lost its end
 * would take the files back to an older state.
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

  /** A whole segment; `last` for the one that was written last. */
  read(number: number, last: boolean): { bytes: Buffer; content: JournalContent } {
    const path = JournalFolder.segmentPath(this.path, number);
    const bytes = fs.readFileSync(path);
    if (isOfOlderFormat(bytes)) {
      throw fault(
        'storage.failed',
        `${path} was written by an older version, and holds commits that are not in the files yet. Start that version and stop it, and then this one.`,
      );
    }
    // A segment is called by the serial of its first frame.
    return { bytes, content: readFrames(bytes, last ? number : undefined) };
  }

  /** A part of a segment that is known to be durable. */
  readPart(number: number, from: number, through: number): JournalContent {
    const bytes = fs.readFileSync(JournalFolder.segmentPath(this.path, number));
    return readFrames(bytes.subarray(from, through));
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
