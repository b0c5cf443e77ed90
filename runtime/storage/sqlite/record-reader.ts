import type { Database, Statement } from 'better-sqlite3';
import type { CheckedRead } from '../checked-input.ts';
import { ENTRY_SEQUENCE, entryKey } from './log-table.ts';
import type { DocumentRow, EntryRow } from './protocol.ts';
import { DOCUMENT_COLUMNS, isWholeDocument } from './rows.ts';

/** Reads single documents and logs; whether the rows are whole is for the other side to check. */
export class RecordReader {
  readonly #get: Statement;
  readonly #logNumber: Statement;
  readonly #read: { ascending: Statement; descending: Statement };

  constructor(database: Database) {
    this.#get = database
      .prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document WHERE collection = ? AND id = ?`)
      .raw();
    this.#logNumber = database.prepare('SELECT number FROM log WHERE name = ?').pluck();
    const entries = (direction: string) =>
      database
        .prepare(
          `SELECT ${ENTRY_SEQUENCE}, at, crc, json FROM entry
           WHERE key > ${entryKey('?', '?')} AND key < ${entryKey('?', '?')} ORDER BY key ${direction} LIMIT ?`,
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
    const number = this.#logNumber.get(log);
    if (number === undefined) return [];
    const statement = reverse ? this.#read.descending : this.#read.ascending;
    return statement.all(number, after, number, before, limit) as EntryRow[];
  }
}
