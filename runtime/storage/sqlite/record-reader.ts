import type { Database, Statement } from 'better-sqlite3';
import type { CheckedRead } from '../checked-input.ts';
import { ENTRY_TEXT } from './entry-text.ts';
import { ENTRY_SEQUENCE, entryKey } from './migrations.ts';
import type { DocumentRow, EntryRow } from './protocol.ts';
import { DOCUMENT_COLUMNS, isWholeDocument } from './rows.ts';

/** Logs whose numbers are remembered; when there are more, all are looked up again. */
const REMEMBERED = 10_000;

interface Directions {
  ascending: Statement;
  descending: Statement;
}

/** Reads single documents and logs of one data file; whether the rows are whole is for the caller to check. */
export class RecordReader {
  readonly #get: Statement;
  readonly #logNumber: Statement<[string]>;
  readonly #texts: Directions;
  readonly #rows: Directions;
  /** A log keeps its number for as long as its file lives. */
  readonly #numbers = new Map<string, number>();

  constructor(database: Database) {
    this.#get = database
      .prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document WHERE collection = ? AND id = ?`)
      .raw();
    this.#logNumber = database.prepare<[string]>('SELECT number FROM log WHERE name = ?').pluck();
    const entries = (columns: string, direction: string) =>
      // With a limit that is no integer for SQLite, all of it takes a third longer.
      database.prepare(
        `SELECT ${columns} FROM entry WHERE key > ${entryKey('?', '?')} AND key <= ${entryKey('?', '?')}
         ORDER BY key ${direction} LIMIT CAST(? AS INTEGER)`,
      );
    this.#texts = {
      ascending: entries(ENTRY_TEXT, 'ASC').pluck(),
      descending: entries(ENTRY_TEXT, 'DESC').pluck(),
    };
    this.#rows = {
      ascending: entries(`${ENTRY_SEQUENCE}, ${ENTRY_TEXT}`, 'ASC').raw(),
      descending: entries(`${ENTRY_SEQUENCE}, ${ENTRY_TEXT}`, 'DESC').raw(),
    };
  }

  get(collection: string, id: string, now: number): DocumentRow | null {
    const row = this.#get.get(collection, id) as DocumentRow | undefined;
    if (row === undefined) return null;
    const expired = row[5] !== null && row[5] <= now;
    // A damaged one is for the other side to report, whatever its expiry says.
    return expired && isWholeDocument(row) ? null : row;
  }

  /** The texts of the entries of a log. */
  read(log: string, query: CheckedRead): string[] {
    return this.#read(this.#texts, log, query) as string[];
  }

  /** {@link read}, each with its sequence. */
  readSingly(log: string, query: CheckedRead): EntryRow[] {
    return this.#read(this.#rows, log, query) as EntryRow[];
  }

  #read(statements: Directions, log: string, { after, before, limit, reverse }: CheckedRead): unknown[] {
    const number = this.#numberOf(log);
    if (number === undefined) return [];
    const statement = reverse ? statements.descending : statements.ascending;
    // The greatest key of the last log is the greatest integer that SQLite has: the bound must not lie behind it.
    return statement.all(number, after, number, before - 1, limit);
  }

  #numberOf(log: string): number | undefined {
    const known = this.#numbers.get(log);
    if (known !== undefined) return known;
    const number = this.#logNumber.get(log) as number | undefined;
    if (number === undefined) return undefined;
    if (this.#numbers.size >= REMEMBERED) this.#numbers.clear();
    this.#numbers.set(log, number);
    return number;
  }
}
