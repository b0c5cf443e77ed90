import { fieldOf, fieldsFromText } from '../checked-input.ts';
import { compareIndexValues } from '../collation.ts';
import { comparePositions, type Position } from '../cursor.ts';
import { matches } from '../filters.ts';
import type { Filter, IndexValue, ListQuery } from '../storage.ts';
import { textArray } from './array-text.ts';
import { FieldArrays } from './commit-arguments.ts';
import type { Connections } from './connections.ts';
import { type BoundSql, candidateStatement, isCut, walkStatement } from './list-statement.ts';
import { DOCUMENT_COLUMNS, type DocumentRow, documentRow, type RecordVerifier } from './record-verifier.ts';
import type { Row, Statement } from './row-query.ts';
import { sortKeyOf, valueOfKey } from './sort-key.ts';

/** When a filter leaves no more documents than this, they are sorted here; otherwise the order is walked. */
const FEW = 500;

/** Shapes of lists that the server keeps prepared; others are planned each time. */
const PREPARED_SHAPES = 100;

/** A list that met a damaged index is made again from the mended one; after so many times it is answered as it is. */
const ATTEMPTS = 3;

export interface Listed {
  rows: DocumentRow[];
  next: Position | undefined;
}

/** A row that an index led to although its own fields say otherwise. */
interface Misled {
  generation: number;
  id: string;
}

/** Finds the documents of a page. The index leads to them; what their own fields say, under their CRC, decides. */
export class ListReader {
  readonly #primary: Connections;
  readonly #verifier: RecordVerifier;
  readonly #names = new Map<string, string>();

  constructor(primary: Connections, verifier: RecordVerifier) {
    this.#primary = primary;
    this.#verifier = verifier;
  }

  /** From `connections`, which may be those to a replica. */
  async list(
    connections: Connections,
    collection: string,
    query: ListQuery,
    start: Position | undefined,
    now: number,
  ): Promise<Listed> {
    for (let attempt = 1; ; attempt++) {
      const misled: Misled[] = [];
      const by = await this.#candidates(connections, collection, query, misled);
      const listed =
        by === undefined
          ? await this.#walk(connections, collection, query, start, now, misled)
          : await this.#sorted(connections, collection, query, by, start, now);
      if (misled.length === 0 || attempt === ATTEMPTS) return listed;
      for (const one of misled) await this.#mendIndex(collection, one);
    }
  }

  async #walk(
    connections: Connections,
    collection: string,
    query: ListQuery,
    start: Position | undefined,
    now: number,
    misled: Misled[],
  ): Promise<Listed> {
    const run = (exact: boolean) =>
      this.#ask(connections, walkStatement(collection, query, start, now, exact));
    // Values that are cut in the index may stand in another order than there; also those behind a place among them.
    const startsCut = typeof start?.value === 'string' && sortKeyOf(start.value).full !== null;
    let rows = await run(startsCut);
    if (!startsCut && query.orderBy !== undefined && rows.some(([key]) => isCut(bytesOf(key))))
      rows = await run(true);
    const places = rows.map((row) => {
      const document = documentRow(collection, row, 1);
      const value = query.orderBy === undefined ? null : valueOfKey(bytesOf(row[0]));
      return { document, position: { value: value ?? null, id: document.id } };
    });
    const page = places.slice(0, query.limit);
    const last = places.length > page.length ? page.at(-1) : undefined;
    const found: DocumentRow[] = [];
    for (const { document, position } of page) {
      if (!this.#verifier.check(document)) continue;
      if (this.#fits(document, query, position.value)) found.push(document);
      else misled.push(document);
    }
    return { rows: found, next: last?.position };
  }

  /** True when the document says itself that it belongs where it was found. */
  #fits({ fields }: DocumentRow, { where = [], orderBy }: ListQuery, value: IndexValue | null): boolean {
    if (where.length === 0 && orderBy === undefined) return true;
    const index = fieldsFromText(fields);
    const own = orderBy === undefined ? null : fieldOf(index, orderBy.field);
    const inPlace =
      own === null || (own !== undefined && value !== null && compareIndexValues(own, value) === 0);
    return inPlace && where.every((filter) => matches(filter, fieldOf(index, filter.field)));
  }

  /** The documents of the most promising filter, when they are few; undefined when no filter leaves few. */
  async #candidates(
    connections: Connections,
    collection: string,
    query: ListQuery,
    misled: Misled[],
  ): Promise<Misled[] | undefined> {
    const where = query.where ?? [];
    const walked = query.orderBy?.field;
    // Walking the index of an `is` filter has the order of the ids for free.
    if (walked === undefined && where.some((filter) => 'is' in filter)) return undefined;
    const promising = where
      .filter((filter) => !('isNot' in filter) && (filter.field !== walked || 'contains' in filter))
      .sort((a, b) => cost(a) - cost(b));
    for (const filter of promising) {
      const rows = await this.#ask(connections, candidateStatement(collection, filter, FEW + 1));
      if (rows.length > FEW) continue;
      const found: Misled[] = [];
      for (const [generation, id, fields] of rows) {
        const one = { generation: Number(generation), id: id as string };
        const index = readable(fields as string);
        // Fields that cannot be read are those of a damaged document, which is found when it is fetched.
        if (index !== undefined && !matches(filter, fieldOf(index, filter.field))) misled.push(one);
        else if (index === undefined || passes(index, query)) found.push(one);
      }
      return found;
    }
    return undefined;
  }

  async #sorted(
    connections: Connections,
    collection: string,
    query: ListQuery,
    candidates: Misled[],
    start: Position | undefined,
    now: number,
  ): Promise<Listed> {
    if (candidates.length === 0) return { rows: [], next: undefined };
    const heads = await connections.query(
      {
        name: 'smalltalk_heads',
        text: `SELECT d.id, d.fields FROM smalltalk_documents d
          WHERE d.generation = $1 AND d.collection = $2 AND d.id = ANY ($3) AND (d.expires_at IS NULL OR d.expires_at > $4
            OR d.head_crc <> smalltalk_head_crc(d.version, d.expires_at))`,
      },
      [candidates[0]?.generation, collection, textArray(candidates.map(({ id }) => id)), now],
    );
    const compare = comparePositions(query);
    const order = query.orderBy?.field;
    const damaged: string[] = [];
    const places: Position[] = [];
    for (const [id, fields] of heads as [string, string][]) {
      const index = readable(fields);
      if (index === undefined) damaged.push(id);
      else if (passes(index, query)) {
        places.push({ id, value: order === undefined ? null : (fieldOf(index, order) as IndexValue) });
      }
    }
    const behind = places.filter((place) => start === undefined || compare(place, start) > 0).sort(compare);
    const page = behind.slice(0, query.limit);
    const rows = await connections.query(
      {
        name: 'smalltalk_page',
        text: `SELECT ${DOCUMENT_COLUMNS} FROM smalltalk_documents d
          WHERE d.generation = $1 AND d.collection = $2 AND d.id = ANY ($3)`,
      },
      [candidates[0]?.generation, collection, textArray([...page.map(({ id }) => id), ...damaged])],
    );
    const documents = new Map(
      rows
        .map((row) => documentRow(collection, row))
        // Changed since their fields were looked at, perhaps: what the page shows must fit what it was asked for.
        .filter(
          (document) => this.#verifier.check(document) && passes(fieldsFromText(document.fields), query),
        )
        .map((document) => [document.id, document]),
    );
    return {
      rows: page.map(({ id }) => documents.get(id)).filter((document) => document !== undefined),
      next: behind.length > page.length ? page.at(-1) : undefined,
    };
  }

  /** Writes the index of a document anew, from its own fields. */
  async #mendIndex(collection: string, { generation, id }: Misled): Promise<void> {
    const record = `index of ${collection}/${id}`;
    const mended = await this.#primary.transaction(async (client) => {
      await client.query("SELECT smalltalk_take('')");
      const key = [generation, collection, id];
      const { rows } = await client.query<Row>({
        text: `SELECT ${DOCUMENT_COLUMNS} FROM smalltalk_documents d
          WHERE d.generation = $1 AND d.collection = $2 AND d.id = $3 FOR UPDATE`,
        values: key,
        rowMode: 'array',
      });
      const document = rows[0] && documentRow(collection, rows[0]);
      if (document === undefined || !this.#verifier.check(document)) return false;
      const fields = new FieldArrays();
      fields.add(fieldsFromText(document.fields));
      const gone = await client.query<Row>({
        text: `DELETE FROM smalltalk_fields WHERE generation = $1 AND collection = $2 AND id = $3
          RETURNING field, key, "full", folded`,
        values: key,
        rowMode: 'array',
      });
      const made = await client.query<Row>({
        text: `INSERT INTO smalltalk_fields (generation, collection, id, field, key, "full", folded)
          SELECT $1, $2, $3, * FROM unnest($4::text[], $5::bytea[], $6::bytea[], $7::bytea[])
          RETURNING field, key, "full", folded`,
        values: [...key, ...fields.toArguments()],
        rowMode: 'array',
      });
      const sorted = (of: Row[]) => JSON.stringify(of.map((row) => row.join(' ')).sort());
      return sorted(gone.rows) !== sorted(made.rows);
    });
    // Otherwise it was the document that changed between two looks.
    if (mended && this.#verifier.report(record)) this.#verifier.forget(record);
  }

  #ask(connections: Connections, { sql, values }: BoundSql): Promise<Row[]> {
    let name = this.#names.get(sql);
    if (name === undefined && this.#names.size < PREPARED_SHAPES) {
      name = `smalltalk_list_${this.#names.size}`;
      this.#names.set(sql, name);
    }
    return connections.query({ name: name ?? '', text: sql } satisfies Statement, values);
  }
}

function passes(index: Record<string, IndexValue>, { where = [], orderBy }: ListQuery): boolean {
  if (orderBy !== undefined && fieldOf(index, orderBy.field) === undefined) return false;
  return where.every((filter) => matches(filter, fieldOf(index, filter.field)));
}

function readable(fields: string): Record<string, IndexValue> | undefined {
  try {
    return fieldsFromText(fields);
  } catch {
    return undefined;
  }
}

/** A bytea as the server writes it: `\x` and hexadecimal digits. */
function bytesOf(text: unknown): Buffer {
  return typeof text === 'string' ? Buffer.from(text.slice(2), 'hex') : Buffer.alloc(0);
}

/** What it takes to find out how much a filter leaves: `contains` may look at every row, the others at few. */
function cost(filter: Filter): number {
  if ('is' in filter) return 0;
  if ('in' in filter) return 1;
  return 'from' in filter ? 2 : 3;
}
