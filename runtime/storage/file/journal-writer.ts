import fs from 'node:fs';
import { createPrivateFile, syncFolder } from '../../base/durable-file.ts';
import { JournalFolder } from './journal-folder.ts';

/** Up to this many bytes are handed to the kernel at once; more would keep the event loop waiting for the copying. */
const WRITTEN_AT_ONCE = 256 * 1024;

/** A file of the journal. */
interface Segment {
  number: number;
  /** Where the next frame goes: everything before is durable. */
  end: number;
  /** Up to where it was carried out in the files. */
  carried: number;
}

/** What is to be carried out: all that is durable and was not yet. */
export interface CarryOutWork {
  segments: { number: number; from: number; through: number }[];
  /** Complete ones, which are of no more use then. */
  remove: number[];
}

/**
 * Writes the journal: one write and one sync for all the commits of a group. The bytes go to the kernel in this thread,
 * which is a copy in memory; the sync waits in another. After an error it must be thrown away.
 */
export class JournalWriter {
  readonly #folder: string;
  readonly #onStep: (step: string) => void;
  #fd: number | undefined;
  #current: Segment = { number: 0, end: 0, carried: 0 };
  #complete: Segment[] = [];

  constructor(folder: string, onStep: (step: string) => void = () => undefined) {
    this.#folder = folder;
    this.#onStep = onStep;
  }

  /** Bytes that are durable and not yet carried out. */
  get waitingBytes(): number {
    return [...this.#complete, this.#current].reduce((sum, { end, carried }) => sum + end - carried, 0);
  }

  get currentBytes(): number {
    return this.#current.end;
  }

  /** Goes on in a new file; `number` must be greater than any before. */
  async begin(number: number): Promise<void> {
    this.#onStep('create segment');
    const file = await createPrivateFile(JournalFolder.segmentPath(this.#folder, number));
    await file.close();
    this.#onStep('sync journal folder');
    await syncFolder(this.#folder);
    const before = this.#fd;
    this.#fd = fs.openSync(JournalFolder.segmentPath(this.#folder, number), 'r+');
    if (before !== undefined) {
      fs.closeSync(before);
      this.#complete.push(this.#current);
    }
    this.#current = { number, end: 0, carried: 0 };
  }

  /** Resolves when the bytes are durable; they count from `advance` on. */
  async append(bytes: Buffer): Promise<void> {
    const fd = this.#fd as number;
    this.#onStep('write journal');
    await write(fd, bytes, this.#current.end);
    this.#onStep('sync journal');
    await sync(fd);
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
    return segments.length + remove.length === 0 ? undefined : { segments, remove };
  }

  /** Takes over that this work was done. */
  done({ segments, remove }: CarryOutWork): void {
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

async function write(fd: number, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const left = bytes.length - written;
    written +=
      left <= WRITTEN_AT_ONCE
        ? fs.writeSync(fd, bytes, written, left, position + written)
        : await writeLater(fd, bytes, written, position + written);
  }
}

function writeLater(fd: number, bytes: Buffer, from: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, from, bytes.length - from, position, (error, written) =>
      error === null ? resolve(written) : reject(error),
    );
  });
}

function sync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
  });
}
