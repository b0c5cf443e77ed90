import type { Database, Statement } from 'better-sqlite3';
import type { CheckedRead } from '../checked-input.ts';
import type { Position } from '../cursor.ts';
import type { Filter, ListQuery } from '../storage.ts';
import { type BoundSql, candidateStatement, pageStatement } from './list-statement.ts';
import { ENTRY_SEQUENCE, entryKey } from './log-table.ts';
import type { DocumentRow, EntryRow } from './protocol.ts';
import { DOCUMENT_COLUMNS } from './rows.ts';

/** A filter that leaves no more than this is looked up first and its documents sorted; otherwise order drives. */
const FEW = 500;

/** Shapes of statements that are kept prepared. */
const KEPT_STATEMENTS = 100;

/** Reads rows; whether they are whole is for the other side to check. */
export class RecordReader {
  readonly #database: Database;
  readonly #get: Statement;
  readonly #byKey: Statement;
  readonly #logNumber: Statement;
  readonly #read: { ascending: Statement; descending: Statement };
  readonly #prepared = new Map<string, Statement>();

  constructor(database: Database) {
    this.#database = database;
    this.#get = database
      .prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document WHERE collection = ? AND id = ?`)
      .raw();
    this.#byKey = database.prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document WHERE key = ?`).raw();
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
    return row === undefined || (row[5] !== null && row[5] <= now) ? null : row;
  }

  read(log: string, { after, before, limit, reverse }: CheckedRead): EntryRow[] {
    const number = this.#logNumber.get(log);
    if (number === undefined) return [];
    const statement = reverse ? this.#read.descending : this.#read.ascending;
    return statement.all(number, after, number, before, limit) as EntryRow[];
  }

  list(
    collection: string,
    query: ListQuery,
    start: Position | undefined,
    now: number,
  ): { rows: DocumentRow[]; next: Position | null } {
    const candidates = this.#candidates(collection, query);
    const page = this.#all(pageStatement(collection, query, start, now, candidates), 'raw') as [
      key: number,
      value: Position['value'],
      id: string,
    ][];
    const rows = page.slice(0, query.limit).map(([key]) => this.#byKey.get(key) as DocumentRow | undefined);
    const last = page.length > query.limit ? page[query.limit - 1] : undefined;
    return {
      rows: rows.filter((row) => row !== undefined),
      next: last === undefined ? null : { value: last[1], id: last[2] },
    };
  }

  /** The documents that the most promising filter leaves, when they are few; undefined when no filter leaves few. */
  #candidates(collection: string, query: ListQuery): number[] | undefined {
    const drives = query.orderBy?.field;
    const filters = (query.where ?? [])
      // What is asked of the field that drives is answered by its own order, and `is` has the order of the ids.
      .filter((filter) => !('isNot' in filter) && (filter.field !== drives || 'contains' in filter))
      .filter((filter) => drives !== undefined || !('is' in filter))
      .sort((a, b) => cost(a) - cost(b));
    if (filters.length > 0 && drives === undefined && query.where?.some((filter) => 'is' in filter)) {
      return undefined;
    }
    for (const filter of filters) {
      const keys = this.#all(candidateStatement(collection, filter, FEW + 1), 'pluck') as number[];
      if (keys.length <= FEW) return keys;
    }
    return undefined;
  }

  #all({ sql, parameters }: BoundSql, mode: 'raw' | 'pluck'): unknown[] {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql)[mode]();
      this.#prepared.set(sql, statement);
      if (this.#prepared.size > KEPT_STATEMENTS) {
        const oldest = this.#prepared.keys().next().value;
        if (oldest !== undefined) this.#prepared.delete(oldest);
      }
    }
    return statement.all(...parameters);
  }
}

/** What it takes to find out how much a filter leaves: `contains` may look at every row, the others at few. */
function cost(filter: Filter): number {
  if ('is' in filter) return 0;
  if ('in' in filter) return 1;
  return 'from' in filter ? 2 : 3;
}
