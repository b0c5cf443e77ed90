import type { Database } from 'better-sqlite3';
import { openForReading } from './database.ts';
import { RecordReader } from './record-reader.ts';

/**
 * Reads single records in the thread of the caller, on a connection of its own that can only read: a row that is looked up
 * by its key takes a few microseconds, the way to the worker and back ten times as long. In WAL mode it neither waits for
 * the writer nor is waited for, and it sees what is committed and synced, nothing else.
 *
 * It is only ever a short cut. Whatever stands in its way is the worker's to deal with and to put into words; until the
 * worker has done so, the short cut is closed.
 */
export class DirectReader {
  /** The data file of the active generation; undefined while that is in doubt. */
  #file: string | undefined;
  #open: { database: Database; records: RecordReader } | undefined;
  /** True after an error, until the worker was able to read what could not be read here. */
  #failed = false;

  /** Reads this file from now on. */
  use(file: string): void {
    this.close();
    this.#file = file;
  }

  /** Goes on after an error: the worker has answered, so that the file can be read. */
  resume(): void {
    this.#failed = false;
  }

  /** What `read` finds; undefined when it has to be asked for in the worker. */
  attempt<T>(read: (records: RecordReader) => T): T | undefined {
    if (this.#file === undefined || this.#failed) return undefined;
    try {
      this.#open ??= openRecords(this.#file);
      return read(this.#open.records);
    } catch {
      this.#failed = true;
      this.#open?.database.close();
      this.#open = undefined;
      return undefined;
    }
  }

  /** Lets go of the file and reads no more until it is told which one to use. */
  close(): void {
    this.#file = undefined;
    this.#failed = false;
    this.#open?.database.close();
    this.#open = undefined;
  }
}

function openRecords(file: string): { database: Database; records: RecordReader } {
  // It waits for nobody: the event loop would stand still meanwhile.
  const database = openForReading(file, 0);
  try {
    return { database, records: new RecordReader(database) };
  } catch (error) {
    database.close();
    throw error;
  }
}
