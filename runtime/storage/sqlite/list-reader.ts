import type { Database, Statement } from 'better-sqlite3';
import { fieldOf, fieldsFromText } from '../checked-input.ts';
import { comparePositions, type Position } from '../cursor.ts';
import { matches } from '../filters.ts';
import type { Filter, IndexValue, ListQuery } from '../storage.ts';
import { type BoundSql, candidateStatement, walkStatement } from './list-statement.ts';
import type { DocumentRow } from './protocol.ts';
import { DOCUMENT_COLUMNS } from './rows.ts';

/** When a filter leaves no more documents than this, they are looked at one by one and sorted; otherwise the order is walked. */
const FEW = 500;

/** Shapes of statements that are kept prepared. */
const KEPT_STATEMENTS = 100;

/** Where a document stands in a list. */
interface Place extends Position {
  key: number;
}

interface Candidates {
  keys: number[];
  /** The filter that left them. */
  by: Filter;
}

export interface ListedRows {
  rows: DocumentRow[];
  next: Position | null;
}

/** Finds the documents of a page. The index leads to them; what their own fields say decides. */
export class ListReader {
  readonly #database: Database;
  /** Documents that an index led to wrongly or whose own fields cannot be read, for whoever can write to put right. */
  readonly misleading = new Set<number>();
  readonly #document: Statement;
  readonly #head: Statement;
  readonly #prepared = new Map<string, Statement>();

  constructor(database: Database) {
    this.#database = database;
    this.#document = database.prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document WHERE key = ?`).raw();
    this.#head = database
      .prepare('SELECT id, fields FROM document WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)')
      .raw();
  }

  list(collection: string, query: ListQuery, start: Position | undefined, now: number): ListedRows {
    const candidates = this.#candidates(collection, query);
    const places =
      candidates === undefined
        ? this.#walk(collection, query, start, now)
        : this.#sorted(candidates, query, start, now);
    const page = places.slice(0, query.limit);
    const last = places.length > page.length ? page.at(-1) : undefined;
    return {
      rows: page.map((place) => this.#rowOf(place, collection)).filter((row) => row !== undefined),
      next: last === undefined ? null : { value: last.value, id: last.id },
    };
  }

  /** The document at a place; undefined when the index led to that of another id, or of another collection. */
  #rowOf({ key, id }: Place, collection: string): DocumentRow | undefined {
    const row = this.#document.get(key) as DocumentRow;
    if (row[1] === collection && row[2] === id) return row;
    this.misleading.add(key);
    return undefined;
  }

  /** In the order of the list, until the page is full; one more, to know whether another page follows. */
  #walk(collection: string, query: ListQuery, start: Position | undefined, now: number): Place[] {
    const places: Place[] = [];
    const { sql, parameters, by } = walkStatement(collection, query, start, now);
    for (const row of this.#prepare(sql, 'raw').iterate(...parameters)) {
      const [key, value, id, fields] = row as [number, IndexValue | null, string, string];
      const place = this.#placeOf(key, id, fields, query, by, value);
      if (place !== undefined) places.push(place);
      if (places.length > query.limit) break;
    }
    return places;
  }

  #sorted({ keys, by }: Candidates, query: ListQuery, start: Position | undefined, now: number): Place[] {
    const places: Place[] = [];
    for (const key of keys) {
      const head = this.#head.get(key, now) as [id: string, fields: string] | undefined;
      const place = head && this.#placeOf(key, ...head, query, [by], null);
      if (place !== undefined) places.push(place);
    }
    const compare = comparePositions(query);
    return places
      .filter((place) => start === undefined || compare(place, start) > 0)
      .sort(compare)
      .slice(0, query.limit + 1);
  }

  /**
   * Where a document with these fields stands in the list; undefined when it is not in it. `by` are the filters and `value`
   * the place by which an index led to it: when the document itself says otherwise, the index is damaged.
   */
  #placeOf(
    key: number,
    id: string,
    fields: string,
    query: ListQuery,
    by: Filter[],
    value: IndexValue | null,
  ): Place | undefined {
    const where = query.where ?? [];
    const orderField = query.orderBy?.field;
    if (where.length === 0 && orderField === undefined) return { key, value: null, id };
    let index: Record<string, IndexValue>;
    try {
      index = fieldsFromText(fields);
    } catch {
      this.misleading.add(key);
      return undefined;
    }
    const passes = (filter: Filter) => matches(filter, fieldOf(index, filter.field));
    const own = orderField === undefined ? null : fieldOf(index, orderField);
    if (!by.every(passes) || (value !== null && value !== own)) {
      this.misleading.add(key);
      return undefined;
    }
    return own !== undefined && where.every(passes) ? { key, value: own, id } : undefined;
  }

  /** The documents that the most promising filter leaves, when they are few; undefined when no filter leaves few. */
  #candidates(collection: string, query: ListQuery): Candidates | undefined {
    const where = query.where ?? [];
    const walked = query.orderBy?.field;
    // Walking the index of an `is` filter has the order of the ids for free.
    if (walked === undefined && where.some((filter) => 'is' in filter)) return undefined;
    const promising = where
      .filter((filter) => !('isNot' in filter) && (filter.field !== walked || 'contains' in filter))
      .sort((a, b) => cost(a) - cost(b));
    for (const filter of promising) {
      const { sql, parameters } = candidateStatement(collection, filter, FEW + 1);
      const keys = this.#prepare(sql, 'pluck').all(...parameters) as number[];
      if (keys.length <= FEW) return { keys, by: filter };
    }
    return undefined;
  }

  #prepare(sql: BoundSql['sql'], mode: 'raw' | 'pluck'): Statement {
    const kept = this.#prepared.get(sql);
    if (kept !== undefined) return kept;
    const statement = this.#database.prepare(sql)[mode]();
    this.#prepared.set(sql, statement);
    if (this.#prepared.size > KEPT_STATEMENTS) {
      const oldest = this.#prepared.keys().next().value;
      if (oldest !== undefined) this.#prepared.delete(oldest);
    }
    return statement;
  }
}

/** What it takes to find out how much a filter leaves: `contains` may look at every row, the others at few. */
function cost(filter: Filter): number {
  if ('is' in filter) return 0;
  if ('in' in filter) return 1;
  return 'from' in filter ? 2 : 3;
}
