import fs from 'node:fs';
import { systemCodeOf } from '../../base/errors.ts';
import type { LogEntry } from '../storage.ts';
import type { DocumentEntry, LogState, PendingEntry } from './data-index.ts';
import { decodeValue } from './document-file.ts';
import { documentPath, logPath } from './file-names.ts';
import { decodeEntry } from './log-lines.ts';
import { type EntryVisitor, LogReader } from './log-reader.ts';

const FIRST_READ = 64 * 1024;

/** The value of a document, from memory or from a file that was checked. */
export interface ReadValue {
  value: unknown;
  /** Its text, as it was stored. */
  json(): string;
}

/**
 * Reads values and checks them. In the calling thread: a file that is in the kernel's memory is read faster than another
 * thread is asked for it, and parsing it has to be done here in any case.
 */
export class ValueReader {
  readonly #buffer = Buffer.allocUnsafeSlow(FIRST_READ);
  readonly #logs = new LogReader();

  /** Undefined when the file is gone, or not as it was written. Throws other system errors. */
  document(folder: string, entry: DocumentEntry): ReadValue | undefined {
    const { json } = entry;
    if (json !== undefined) return { value: JSON.parse(json), json: () => json };
    return this.file(`${folder}/${documentPath(entry.collection, entry.id)}`, entry.crc);
  }

  /** The same of a file that must have this CRC. */
  file(path: string, crc: number): ReadValue | undefined {
    let bytes: Buffer;
    try {
      bytes = this.#read(path);
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    return decodeValue(bytes, crc);
  }

  /** Entries by number, ascending. `damaged` is told the numbers of those that are not as they were written. */
  entries(
    folder: string,
    log: LogState,
    after: number,
    before: number,
    limit: number,
    damaged: (sequences: number[]) => void,
  ): LogEntry[] {
    const found: LogEntry[] = [];
    const { log: name } = log;
    const low = Math.max(after, log.after);
    const through = Math.min(before - 1, log.carried);
    if (low < through) {
      const visitor: EntryVisitor = {
        entry(bytes, start, end, encoding) {
          const { sequence, at, json } = decodeEntry(bytes, start, end, encoding);
          found.push({ log: name, sequence, at, value: JSON.parse(json) });
          return true;
        },
        damaged,
      };
      this.#readLog(`${folder}/${logPath(name)}`, log, { after: low, through, limit }, visitor);
    }
    const { pending } = log;
    for (let i = firstBehind(pending, Math.max(low, log.carried)); i < pending.length; i++) {
      const { sequence, at, json } = pending[i] as PendingEntry;
      if (found.length >= limit || sequence >= before) break;
      found.push({ log: name, sequence, at, value: JSON.parse(json) });
    }
    return found;
  }

  /** The last entries, the greatest number first: in windows that grow, because numbers may be missing. */
  entriesBackward(
    folder: string,
    log: LogState,
    after: number,
    before: number,
    limit: number,
    damaged: (sequences: number[]) => void,
  ): LogEntry[] {
    const found: LogEntry[] = [];
    const low = Math.max(after, log.after);
    let high = Math.min(before, log.last + 1);
    for (let width = limit; found.length < limit && high > low + 1; width *= 2) {
      const from = Math.max(low, high - 1 - width);
      const window = this.entries(folder, log, from, high, Number.POSITIVE_INFINITY, damaged);
      for (let i = window.length - 1; i >= 0 && found.length < limit; i--) found.push(window[i] as LogEntry);
      high = from + 1;
    }
    return found;
  }

  #readLog(
    path: string,
    log: LogState,
    range: { after: number; through: number; limit: number },
    visitor: EntryVisitor,
  ): void {
    try {
      this.#logs.read(path, log.log, log.size, range, visitor);
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
      const missing = range.through - range.after;
      visitor.damaged(
        Array.from({ length: Math.min(missing, 100) }, (_, i) => range.after + 1 + i),
        Buffer.alloc(0),
      );
    }
  }

  #read(path: string): Buffer {
    const fd = fs.openSync(path, 'r');
    try {
      const read = fs.readSync(fd, this.#buffer, 0, FIRST_READ, 0);
      if (read < FIRST_READ) return this.#buffer.subarray(0, read);
      return fs.readFileSync(path);
    } finally {
      fs.closeSync(fd);
    }
  }
}

/** Where the first entry with a greater number stands: hundreds of thousands may wait, and each read looks among them. */
function firstBehind(pending: PendingEntry[], sequence: number): number {
  let low = 0;
  let high = pending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((pending[middle] as PendingEntry).sequence <= sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
