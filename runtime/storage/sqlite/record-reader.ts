import type { Database, Statement } from 'better-sqlite3';
import { type CheckedRead, MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { ENTRY_SEQUENCE } from './log-table.ts';
import { SEQUENCE_BITS } from './migrations.ts';
import type { DocumentRow, EntryRow } from './protocol.ts';
import { DOCUMENT_COLUMNS, isWholeDocument } from './rows.ts';

/** Logs whose keys are remembered; when there are more, all are looked up again. */
const REMEMBERED = 10_000;

interface Directions {
  ascending: Statement;
  descending: Statement;
}

/** Reads single documents and logs of one data file; whether the rows are whole is for the caller to check. */
export class RecordReader {
  readonly #get: Statement;
  readonly #logNumber: Statement<[string]>;
  readonly #readKeys: Directions;
  readonly #readSequences: Directions;
  /**
   * The key before the first entry of a log, as a number where all keys of the log are exact as such. A log keeps its number
   * for as long as its file lives.
   */
  readonly #bases = new Map<string, number | bigint>();

  constructor(database: Database) {
    this.#get = database
      .prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document WHERE collection = ? AND id = ?`)
      .raw();
    this.#logNumber = database.prepare<[string]>('SELECT number FROM log WHERE name = ?').pluck();
    const entries = (columns: string, direction: string) =>
      database
        .prepare(`SELECT ${columns} FROM entry WHERE key > ? AND key <= ? ORDER BY key ${direction} LIMIT ?`)
        .raw();
    const inBothDirections = (first: string): Directions => ({
      ascending: entries(`${first}, at, crc, json`, 'ASC'),
      descending: entries(`${first}, at, crc, json`, 'DESC'),
    });
    this.#readKeys = inBothDirections('key');
    this.#readSequences = inBothDirections(ENTRY_SEQUENCE);
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
    const direction = reverse ? 'descending' : 'ascending';
    if (typeof base === 'bigint') {
      // The greatest key of the last log is the greatest integer that SQLite has: the bound must not lie behind it.
      const bounds = [base + BigInt(after), base + BigInt(before) - 1n];
      return this.#readSequences[direction].all(...bounds, limit) as EntryRow[];
    }
    // The key as it is, and the sequence worked out here: it takes two thirds of the time.
    const rows = this.#readKeys[direction].all(base + after, base + before - 1, limit) as EntryRow[];
    for (const row of rows) row[0] -= base;
    return rows;
  }

  #baseOf(log: string): number | bigint | undefined {
    const known = this.#bases.get(log);
    if (known !== undefined) return known;
    const number = this.#logNumber.get(log);
    if (number === undefined) return undefined;
    if (this.#bases.size >= REMEMBERED) this.#bases.clear();
    // Floating point is not exact from the 32,768th log on.
    const exact = BigInt(number as number) << BigInt(SEQUENCE_BITS);
    const base = exact + BigInt(MAXIMUM_SEQUENCE) <= Number.MAX_SAFE_INTEGER ? Number(exact) : exact;
    this.#bases.set(log, base);
    return base;
  }
}
