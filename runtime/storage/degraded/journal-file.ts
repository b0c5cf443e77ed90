import type { FileHandle } from 'node:fs/promises';
import fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  createPrivateFile,
  makePrivateFolder,
  PRIVATE_FILE_MODE,
  removeDurably,
  syncFolder,
  writeFileDurably,
} from '../../base/durable-file.ts';
import { messageOf, systemCodeOf } from '../../base/errors.ts';
import { type ErrorCode, fault } from '../../contract/error-codes.ts';
import { type JournaledCommit, type JournalHeader, sealed, unsealed } from './journal-lines.ts';

const READ_BYTES = 1024 * 1024;
const LINE_BREAK = 0x0a;

/** How far a journal has been drained. */
interface Position {
  commits: number;
  /** Bytes of the file, the header included. */
  offset: number;
}

/** A commit of the journal and where the next one begins. */
export interface JournalRecord {
  commit: JournaledCommit;
  end: number;
}

interface Waiting {
  line: Buffer;
  written: () => void;
  /** Takes back what was done in the belief that the line would be written. */
  failed: (error: Error) => void;
}

/**
 * The file of a journal: a header, then a line for each commit, with a CRC-32 of its own. A line is on the disk before its
 * commit is answered; lines that wait share a sync. Beside it lies `<file>.drained`, which says how far the storage
 * has taken it over.
 */
export class JournalFile {
  readonly path: string;
  readonly header: JournalHeader;
  #handle: FileHandle | undefined;
  /** Where the last whole, synced line ends. */
  #size: number;
  #commits = 0;
  #drained: Position;
  /** The offset in `<file>.drained`, or where the first commit begins. */
  #savedOffset: number;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  readonly #prepare: () => Promise<void>;

  private constructor(
    path: string,
    header: JournalHeader,
    size: number,
    drained: Position,
    prepare: () => Promise<void>,
  ) {
    this.#prepare = prepare;
    this.path = path;
    this.header = header;
    this.#size = size;
    this.#drained = drained;
    this.#savedOffset = drained.offset;
  }

  /** A new journal; nothing is on the disk before its first line. `prepare` is called before the file is made. */
  static create(folder: string, header: JournalHeader, prepare: () => Promise<void>): JournalFile {
    const path = join(folder, `${header.id}.ndjson`);
    return new JournalFile(path, header, 0, { commits: 0, offset: 0 }, prepare);
  }

  /**
   * Opens what an earlier process has left. A last line that was not written to its end is cut off: nobody was told that it
   * was there. A whole line that fails its check is copied into `<file>.damaged`, told to `onDamaged`, and passed over,
   * unless the storage has it already. Resolves with undefined when not even the header was completed, and, with the file
   * left as it is, when the header (line 1) is what is damaged: nobody knows then where the commits belong.
   */
  static async open(path: string, onDamaged: (line: number) => void): Promise<JournalFile | undefined> {
    const handle = await fs.open(path, 'r+', PRIVATE_FILE_MODE);
    let journal: JournalFile | undefined;
    try {
      let number = 0;
      let damaged = false;
      let end = 0;
      let commits = 0;
      let drainedTo = 0;
      let mend = false;
      for await (const { line, end: lineEnd, torn } of linesOf(handle, 0)) {
        // Whole but for its line break, which was damaged: somebody may have been told that it was there.
        mend = torn && number > 0 && unsealed(line.subarray(0, -1)) !== undefined;
        if (torn && !mend) break;
        const json = unsealed(mend ? line.subarray(0, -1) : line);
        number += 1;
        end = lineEnd;
        if (number === 1) {
          if (json === undefined) {
            onDamaged(number);
            break;
          }
          const header = JSON.parse(json) as JournalHeader;
          const drained = await readPosition(path, lineEnd);
          drainedTo = drained.offset;
          journal = new JournalFile(path, header, lineEnd, drained, async () => undefined);
        } else if (lineEnd > drainedTo) {
          if (json === undefined) {
            damaged = true;
            onDamaged(number);
          } else commits += 1;
        }
      }
      if (journal === undefined) return undefined;
      if (damaged) await fs.copyFile(path, `${path}.damaged`);
      await handle.truncate(end);
      if (mend) await handle.write('\n', end - 1);
      await handle.sync();
      journal.#size = end;
      // What was drained counts as it did then, whatever has become of those lines.
      journal.#commits = journal.#drained.commits + commits;
      journal.#handle = handle;
      return journal;
    } finally {
      if (journal === undefined || journal.#handle === undefined) await handle.close();
    }
  }

  /** Commits that the storage has not taken over yet. */
  get commits(): number {
    return this.#commits - this.#drained.commits;
  }

  /** Bytes that they take. */
  get bytes(): number {
    return Math.max(0, this.#size - this.#drained.offset);
  }

  /** No line waits to be written, and none to be drained. */
  get isEmpty(): boolean {
    return this.commits === 0 && this.#waiting.length === 0 && this.#writing === undefined;
  }

  /** Calls `written` once the line is on the disk, or `failed`, the last line first, when it cannot be. */
  append(line: string, written: () => void, failed: (error: Error) => void): void {
    this.#waiting.push({ line: Buffer.from(line), written, failed });
    this.#writing ??= this.#write();
  }

  /** Everything appended so far is on the disk, or was refused. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** What is to be drained, as far as it is on the disk now. */
  async *undrained(): AsyncGenerator<JournalRecord, void, void> {
    const limit = this.#size;
    if (limit === 0) return;
    // A handle of its own: that of the writer goes with a failed write.
    const handle = await fs.open(this.path, 'r');
    try {
      for await (const { line, end, torn } of linesOf(handle, this.#drained.offset)) {
        if (torn || end > limit) return;
        const json = unsealed(line);
        // A damaged line was told of when the file was opened.
        if (json !== undefined) yield { commit: JSON.parse(json) as JournaledCommit, end };
      }
    } finally {
      await handle.close();
    }
  }

  /** The storage has taken a commit over. Kept in memory; {@link savePosition} makes it durable. */
  advance(end: number): void {
    this.#drained = { commits: this.#drained.commits + 1, offset: end };
  }

  /** Keeps a commit that the storage will never take, for a person to look at. */
  async setRefusedAside(commit: JournaledCommit): Promise<void> {
    const handle = await fs.open(`${this.path}.refused`, 'a', PRIVATE_FILE_MODE);
    try {
      await handle.appendFile(sealed(JSON.stringify(commit)));
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Whether the next open would go on where this one is. */
  get isPositionSaved(): boolean {
    return this.#savedOffset === this.#drained.offset;
  }

  async savePosition(): Promise<void> {
    const drained = this.#drained;
    await writeFileDurably(`${this.path}.drained`, sealed(JSON.stringify(drained)));
    this.#savedOffset = drained.offset;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  /** All of it is in the storage. The file goes first: what is beside it says nothing without it. */
  async remove(): Promise<void> {
    await this.close();
    await removeDurably(this.path).catch(unlessMissing);
    await fs.rm(`${this.path}.drained`, { force: true }).catch(() => undefined);
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const handle = await this.#open();
        const bytes = Buffer.concat(batch.map(({ line }) => line));
        await writeFully(handle, bytes, this.#size);
        await handle.datasync();
        this.#size += bytes.length;
        this.#commits += batch.length;
        for (const { written } of batch) written();
      } catch (error) {
        this.#refuse(batch, error);
        await this.#abandon();
      }
    }
    // In the same turn as the last look: a line that comes later must find nobody who would write it.
    this.#writing = undefined;
  }

  /**
   * All that waits rests on what could not be written. In one go and backwards, so that nobody sees a state in between.
   */
  #refuse(batch: Waiting[], error: unknown): void {
    const refused = [...batch, ...this.#waiting];
    this.#waiting = [];
    const reason = this.#faultOf(error);
    for (const { failed } of refused.reverse()) failed(reason);
  }

  /** A failed write or sync is the end of the handle: what the kernel did with its pages is not known. */
  async #abandon(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => undefined);
  }

  /** Opens the file, after a failure cut back to what is known to be good, and that synced. */
  async #open(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    if (this.#size === 0) return this.#create();
    const handle = await fs.open(this.path, 'r+', PRIVATE_FILE_MODE);
    try {
      await handle.truncate(this.#size);
      await handle.sync();
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
    return handle;
  }

  async #create(): Promise<FileHandle> {
    const folder = dirname(this.path);
    await makePrivateFolder(folder);
    await this.#prepare();
    await fs.rm(this.path, { force: true });
    const handle = await createPrivateFile(this.path);
    try {
      const header = Buffer.from(sealed(JSON.stringify(this.header)));
      await writeFully(handle, header, 0);
      await handle.sync();
      await syncFolder(folder);
      this.#size = header.length;
      this.#drained = { commits: 0, offset: header.length };
      this.#savedOffset = header.length;
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
    return handle;
  }

  #faultOf(error: unknown): Error {
    const code = CODES[systemCodeOf(error) ?? ''] ?? 'storage.failed';
    return fault(
      code,
      `The storage cannot be reached, and the journal ${this.path} cannot be written: ${messageOf(error)}`,
      { file: this.path },
      { cause: error },
    );
  }
}

const CODES: Record<string, ErrorCode> = {
  ENOSPC: 'storage.full',
  EDQUOT: 'storage.full',
  EFBIG: 'storage.full',
  EROFS: 'storage.read_only',
  EACCES: 'storage.read_only',
  EPERM: 'storage.read_only',
};

/** The journals in a folder, the oldest first. */
export async function journalFiles(folder: string): Promise<string[]> {
  const names = await fs.readdir(folder).catch((error: unknown) => {
    unlessMissing(error);
    return [];
  });
  return names
    .filter((name) => name.endsWith('.ndjson'))
    .sort()
    .map((name) => join(folder, name));
}

async function readPosition(path: string, headerEnd: number): Promise<Position> {
  const start = { commits: 0, offset: headerEnd };
  const text = await fs.readFile(`${path}.drained`).catch((error: unknown) => {
    unlessMissing(error);
    return undefined;
  });
  // Written atomically, so a damaged one was damaged later. From the start again nothing is doubled, as long as the
  // storage remembers the ids of the commits.
  const json = text === undefined ? undefined : unsealed(text.subarray(0, -1));
  return json === undefined ? start : (JSON.parse(json) as Position);
}

/** A line without its line break and where the next one begins; `torn` when the file ends without one. */
interface Line {
  line: Buffer;
  end: number;
  torn: boolean;
}

/** The lines of a file from an offset on. */
async function* linesOf(handle: FileHandle, from: number): AsyncGenerator<Line, void, void> {
  let rest: Buffer[] = [];
  let offset = from;
  let end = from;
  for (;;) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, offset);
    if (bytesRead === 0) break;
    offset += bytesRead;
    const chunk = buffer.subarray(0, bytesRead);
    let begin = 0;
    for (let at = chunk.indexOf(LINE_BREAK); at >= 0; at = chunk.indexOf(LINE_BREAK, begin)) {
      const line = Buffer.concat([...rest, chunk.subarray(begin, at)]);
      rest = [];
      begin = at + 1;
      end += line.length + 1;
      yield { line, end, torn: false };
    }
    rest.push(chunk.subarray(begin));
  }
  const line = Buffer.concat(rest);
  if (line.length > 0) yield { line, end: end + line.length, torn: true };
}

async function writeFully(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

function unlessMissing(error: unknown): void {
  if (systemCodeOf(error) !== 'ENOENT') throw error;
}
