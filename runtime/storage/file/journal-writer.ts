import fs from 'node:fs';
import { PRIVATE_FILE_MODE, syncFolder } from '../../base/durable-file.ts';
import { JournalFolder } from './journal-folder.ts';

/** Up to this many bytes are handed to the kernel at once; more would keep the event loop waiting for the copying. */
const WRITTEN_AT_ONCE = 256 * 1024;
/** Bytes of a spare. */
const SEGMENT_BYTES = 4 * 1024 * 1024;
/** A segment with fewer bytes left than a usual group takes is followed by the next. */
const LEFT_BYTES = WRITTEN_AT_ONCE;
/** Spares that are kept at hand, … */
const SPARES = 2;
/** … once so many bytes were to be carried out at a time: who writes less often does without. */
const WORTH_SPARES_BYTES = 256 * 1024;

/** A file of the journal. */
interface Segment {
  number: number;
  /** Where the next frame goes: everything before is durable. */
  end: number;
  /** Up to where it was carried out in the files. */
  carried: number;
  /** Whether it began as a spare. */
  prepared: boolean;
}

/** What is to be carried out: all that is durable and was not yet. */
export interface CarryOutWork {
  segments: { number: number; from: number; through: number }[];
  /** Complete ones, which are of no more use then. */
  remove: number[];
  /** Spares that are to be made meanwhile; 'none' when there must be none any more. */
  spares: { count: number; bytes: number } | 'none';
}

/**
 * Writes the journal: one write and one sync for all the commits of a group. The bytes go to the kernel in this thread,
 * which is a copy in memory; the sync waits in another. After an error it must be thrown away.
 */
export class JournalWriter {
  readonly #folder: string;
  readonly #onStep: (step: string) => void;
  #fd: number | undefined;
  #current: Segment = { number: 0, end: 0, carried: 0, prepared: false };
  /** Files of zeros that a segment can begin as. */
  readonly #spares: string[] = [];
  #isNameSynced = false;
  #complete: Segment[] = [];

  constructor(folder: string, onStep: (step: string) => void = () => undefined) {
    this.#folder = folder;
    this.#onStep = onStep;
  }

  /** Bytes that are durable and not yet carried out. */
  get waitingBytes(): number {
    let bytes = this.#current.end - this.#current.carried;
    for (const { end, carried } of this.#complete) bytes += end - carried;
    return bytes;
  }

  get currentBytes(): number {
    return this.#current.end;
  }

  /** True when it should go on in a new file: the present one is full, or was not prepared and there is one that is. */
  get isDone(): boolean {
    const { end, prepared } = this.#current;
    if (end > SEGMENT_BYTES - LEFT_BYTES) return true;
    return end > 0 && !prepared && this.#spares.length > 0;
  }

  /** Goes on in a new file; `number` must be greater than any before. Its name becomes durable with what is appended first. */
  begin(number: number): void {
    this.#onStep('create segment');
    const path = JournalFolder.segmentPath(this.#folder, number);
    const spare = number > this.#current.number ? this.#spares.pop() : undefined;
    if (spare !== undefined) fs.renameSync(spare, path);
    const fd = fs.openSync(path, spare === undefined ? 'wx+' : 'r+', PRIVATE_FILE_MODE);
    if (this.#fd !== undefined) {
      fs.closeSync(this.#fd);
      this.#complete.push(this.#current);
    }
    this.#fd = fd;
    this.#current = { number, end: 0, carried: 0, prepared: spare !== undefined };
    this.#isNameSynced = false;
  }

  /**
   * Resolves when the bytes are durable, with the milliseconds that this took the disk; they count from `advance` on.
   */
  async append(bytes: Buffer): Promise<number> {
    const fd = this.#fd as number;
    this.#onStep('write journal');
    if (bytes.length <= WRITTEN_AT_ONCE) writeNow(fd, bytes, this.#current.end);
    else await writeLater(fd, bytes, this.#current.end);
    const begun = performance.now();
    this.#onStep('sync journal');
    await (this.#isNameSynced ? sync(fd) : this.#syncWithName(fd));
    return performance.now() - begun;
  }

  async #syncWithName(fd: number): Promise<void> {
    this.#onStep('sync journal folder');
    // Both to their end: the handle is closed after a failure, and its number may then be that of another file.
    const synced = await Promise.allSettled([syncFolder(this.#folder), sync(fd)]);
    for (const result of synced) if (result.status === 'rejected') throw result.reason;
    this.#isNameSynced = true;
  }

  /** Takes over that so many bytes were appended. */
  advance(bytes: number): void {
    this.#current.end += bytes;
  }

  /**
   * Ends the writing, and takes back what an append left that failed: with a handle of its own, and never by a second sync
   * of the one that failed. Throws when that cannot be done durably.
   */
  cutBack(): void {
    this.close();
    if (this.#current.number === 0) return;
    this.#onStep('cut journal');
    const fd = fs.openSync(JournalFolder.segmentPath(this.#folder, this.#current.number), 'r+');
    try {
      fs.ftruncateSync(fd, this.#current.end);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Undefined when there is nothing. The current file counts as complete when it is the `last` that is written. */
  work(last = false): CarryOutWork | undefined {
    const segments = [...this.#complete, this.#current]
      .filter(({ end, carried }) => carried < end)
      .map(({ number, end, carried }) => ({ number, from: carried, through: end }));
    const remove = [...this.#complete, ...(last ? [this.#current] : [])].map(({ number }) => number);
    if (segments.length + remove.length === 0) return undefined;
    const bytes = segments.reduce((sum, { from, through }) => sum + through - from, 0);
    const count = bytes < WORTH_SPARES_BYTES ? 0 : SPARES - this.#spares.length;
    return { segments, remove, spares: last ? 'none' : { count, bytes: SEGMENT_BYTES } };
  }

  /** Takes over that this work was done, and what spares were made. */
  done({ segments, remove }: CarryOutWork, spares: readonly string[] = []): void {
    this.#spares.push(...spares);
    for (const segment of [...this.#complete, this.#current]) {
      segment.carried = segments.find(({ number }) => number === segment.number)?.through ?? segment.carried;
    }
    this.#complete = this.#complete.filter(({ number }) => !remove.includes(number));
  }

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function writeNow(fd: number, bytes: Buffer, position: number): void {
  for (let written = 0; written < bytes.length; ) {
    written += fs.writeSync(fd, bytes, written, bytes.length - written, position + written);
  }
}

async function writeLater(fd: number, bytes: Buffer, position: number): Promise<void> {
  for (let from = 0; from < bytes.length; ) {
    const start = from;
    from += await new Promise<number>((resolve, reject) => {
      fs.write(fd, bytes, start, bytes.length - start, position + start, (error, written) =>
        error === null ? resolve(written) : reject(error),
      );
    });
  }
}

function sync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
  });
}
