import type { Database, Statement } from 'better-sqlite3';
import type { CheckedRead } from '../checked-input.ts';
import { ENTRY_SEQUENCE } from './log-table.ts';
import { SEQUENCE_BITS } from './migrations.ts';
import type { DocumentRow, EntryRow } from './protocol.ts';
import { DOCUMENT_COLUMNS, isWholeDocument } from './rows.ts';

/** Logs whose keys are remembered; when there are more, all are looked up again. */
const REMEMBERED = 10_000;

/** Reads single documents and logs of one data file; whether the rows are whole is for the caller to check. */
export class RecordReader {
  readonly #get: Statement;
  readonly #logNumber: Statement<[string]>;
  readonly #read: { ascending: Statement; descending: Statement };
  /** The key before the first entry of a log. A log keeps its number for as long as its file lives. */
  readonly #bases = new Map<string, bigint>();

  constructor(database: Database) {
    this.#get = database
      .prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document WHERE collection = ? AND id = ?`)
      .raw();
    this.#logNumber = database.prepare<[string]>('SELECT number FROM log WHERE name = ?').pluck();
    const entries = (direction: string) =>
      database
        .prepare(
          `SELECT ${ENTRY_SEQUENCE}, at, crc, json FROM entry
           WHERE key > ? AND key <= ? ORDER BY key ${direction} LIMIT ?`,
        )
        .raw();
    this.#read = { ascending: entries('ASC'), descending: entries('DESC') };
  }

  get(collection: string, id: string, now: number): DocumentRow | null {
    const row = this.#get.get(collection, id) as DocumentRow | undefined;
    if (row === undefined) return null;
    const expired = row[5] !== null && row[5] <= now;
    // A damaged one is for the other side to report, whatever its expiry says.
    return expired && isWholeDocument(row) ? null : row;
  }

  read(log: string, { after, before, limit, reverse }: CheckedRead): EntryRow[] {
    const base = this.#baseOf(log);
    if (base === undefined) return [];
    const statement = reverse ? this.#read.descending : this.#read.ascending;
    // The greatest key of the last log is the greatest integer that SQLite has: the bound must not lie behind it.
    return statement.all(base + BigInt(after), base + BigInt(before) - 1n, limit) as EntryRow[];
  }

  #baseOf(log: string): bigint | undefined {
    const known = this.#bases.get(log);
    if (known !== undefined) return known;
    const number = this.#logNumber.get(log);
    if (number === undefined) return undefined;
    if (this.#bases.size >= REMEMBERED) this.#bases.clear();
    // Floating point is not exact from the 32,768th log on.
    const base = BigInt(number as number) << BigInt(SEQUENCE_BITS);
    this.#bases.set(log, base);
    return base;
  }
}
