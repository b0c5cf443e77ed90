import { CONFLICT_STATE, OUTDATED_STATE } from './commit-function.ts';
import type { Statement } from './row-query.ts';

/** How many rows of a kind a statement writes: those of one need no array. */
export type Count = 'none' | 'one' | 'many';

export interface DirectShape {
  /** It is looked whether a commit of its number or a greater one is remembered. */
  searches: boolean;
  /** It is the second of two on their way: the one before it must have been carried out. */
  follows: boolean;
  documents: Count;
  fields: Count;
  logs: Count;
  entries: Count;
}

/** The parameters of a row, by their types. */
export type Columns = Record<string, 'text' | 'bigint' | 'bytea'>;

export const DOCUMENT = {
  collection: 'text',
  id: 'text',
  version: 'bigint',
  head_crc: 'bigint',
  next_version: 'bigint',
  next_head_crc: 'bigint',
  crc: 'bigint',
  fields: 'text',
  json: 'text',
} as const satisfies Columns;

export const FIELD = {
  collection: 'text',
  id: 'text',
  field: 'text',
  key: 'bytea',
  full_key: 'bytea',
  folded: 'bytea',
} as const satisfies Columns;

export const LOG = { name: 'text', last_sequence: 'bigint', crc: 'bigint' } as const satisfies Columns;

export const ENTRY = {
  log: 'text',
  sequence: 'bigint',
  crc: 'bigint',
  json: 'text',
} as const satisfies Columns;

const COUNTS = { none: 0, one: 1, many: 2 } as const;
const statements = new Map<number, Statement>();

/**
 * A statement that carries out commits whose every number is known beforehand. It leaves nothing unless the last that wrote is
 * who it was told: that row is locked, so it stays true to the end, and read anew if somebody had it. Whatever it writes it
 * compares with what is there. When one of this is not so, an error takes everything back; the row is looked at first, so
 * that nothing else waits for a lock then. To make each part ask for it, or wait for it, costs as much as a row.
 */
export function directStatement(shape: DirectShape): Statement {
  const { searches, follows, documents, fields, logs, entries } = shape;
  const rows = COUNTS[documents] + 3 * (COUNTS[fields] + 3 * (COUNTS[logs] + 3 * COUNTS[entries]));
  const place = 4 * rows + 2 * Number(searches) + Number(follows);
  let statement = statements.get(place);
  if (statement === undefined) {
    statement = { name: `smalltalk_direct_${place}`, text: textOf(shape) };
    statements.set(place, statement);
  }
  return statement;
}

/** The text of a statement as it grows, and the parameters that it has so far. */
class DirectText {
  readonly #parts: string[] = [];
  readonly #asTold: string[] = [];
  #parameters = 0;

  /** The next parameters, by their names. */
  scalars<T extends Record<string, string>>(types: T): Record<keyof T, string> {
    return Object.fromEntries(
      Object.entries(types).map(([name, type]) => [name, `$${++this.#parameters}::${type}`]),
    ) as Record<keyof T, string>;
  }

  add(name: string, sql: string): void {
    this.#parts.push(`${name} AS (${sql})`);
  }

  insert<T extends Columns>(
    table: string,
    count: Count,
    columns: T,
    values: (of: Record<keyof T, string>) => Record<string, string>,
  ): void {
    if (count === 'none') return;
    const { of, from } = this.#rows(count, columns);
    const into = values(of);
    this.add(
      `into_${table}`,
      `INSERT INTO smalltalk_${table} (${Object.keys(into).join(', ')})
        SELECT ${Object.values(into).join(', ')}${from === '' ? '' : ` FROM ${from}`}`,
    );
  }

  /** Of rows that are there, each found by its key, if it is as it was told to be. */
  update<T extends Columns>(
    table: string,
    count: Count,
    columns: T,
    rules: (of: Record<keyof T, string>) => {
      key: Record<string, string>;
      told: string[];
      set: Record<string, string>;
    },
  ): void {
    if (count === 'none') return;
    const { of, from } = this.#rows(count, columns);
    const { key, told, set } = rules(of);
    const found = Object.entries(key).map(([column, value]) => `t.${column} = ${value}`);
    const changes = Object.entries(set).map(([column, value]) => `${column} = ${value}`);
    const begin = `UPDATE smalltalk_${table} t SET ${changes.join(', ')}`;
    const name = `in_${table}`;
    if (count === 'one') {
      this.add(name, `${begin} WHERE ${[...found, ...told].join(' AND ')} RETURNING 1`);
      this.#asTold.push(`EXISTS (SELECT FROM ${name})`);
      return;
    }
    // Each by its key, whatever the planner thinks of their number; it would look through all that there are.
    const place = `SELECT t.ctid FROM smalltalk_${table} t WHERE ${found.join(' AND ')}`;
    this.add(
      name,
      `${begin} FROM (SELECT u.*, (${place}) AS place FROM ${from} OFFSET 0) u
        WHERE ${['t.ctid = u.place', ...told].join(' AND ')} RETURNING 1`,
    );
    this.#asTold.push(`(SELECT count(*) FROM ${name}) = ${this.scalars({ rows: 'bigint' }).rows}`);
  }

  /** Rows that are there, and stay as they are. */
  compare<T extends Columns>(table: string, count: Count, columns: T, key: Record<string, string>): void {
    if (count === 'none') return;
    const { of, from } = this.#rows(count, columns);
    const told = Object.entries({ ...key, ...of }).map(([column, value]) => `t.${column} = ${value}`);
    const row = `EXISTS (SELECT FROM smalltalk_${table} t WHERE ${told.join(' AND ')} OFFSET 0)`;
    if (count === 'one') this.#asTold.push(row);
    else {
      const rows = this.scalars({ rows: 'bigint' }).rows;
      this.#asTold.push(`(SELECT count(*) FROM ${from} WHERE ${row}) = ${rows}`);
    }
  }

  toString(): string {
    const asTold = this.#asTold.length === 0 ? 'true' : this.#asTold.join(' AND ');
    return `WITH ${this.#parts.join(',\n')}
      SELECT CASE WHEN NOT EXISTS (SELECT FROM gate) THEN smalltalk_refuse('${OUTDATED_STATE}')
        WHEN ${asTold} THEN 'done' ELSE smalltalk_refuse('${CONFLICT_STATE}') END`;
  }

  /** What stands for each column, and where it comes from when there are several rows. */
  #rows<T extends Columns>(count: Count, columns: T): { of: Record<keyof T, string>; from: string } {
    if (count === 'one') return { of: this.scalars(columns), from: '' };
    const names = Object.keys(columns);
    const arrays = names.map((name) => `$${++this.#parameters}::${columns[name]}[]`);
    return {
      of: Object.fromEntries(names.map((name) => [name, `u.${name}`])) as Record<keyof T, string>,
      from: `unnest(${arrays.join(', ')}) u (${names.join(', ')})`,
    };
  }
}

function textOf({ searches, follows, documents, fields, logs, entries }: DirectShape): string {
  const text = new DirectText();
  const its = text.scalars({
    holder: 'text',
    writer: 'text',
    first: 'bigint',
    last: 'bigint',
    at: 'bigint',
    generation: 'text',
    numbers: 'text',
    digest: 'bytea',
    key: 'integer',
  });
  const conditions = ['only_one', `holder = ${its.holder}`];
  if (searches) {
    conditions.push(
      `NOT EXISTS (SELECT FROM smalltalk_commits WHERE writer = ${its.writer} AND number >= ${its.first})`,
    );
  }
  if (follows) {
    const after = text.scalars({ writer: 'text', number: 'bigint' });
    conditions.push(
      `EXISTS (SELECT FROM smalltalk_commits WHERE writer = ${after.writer} AND number = ${after.number})`,
    );
  }
  text.add('gate', `SELECT 1 FROM smalltalk_holder WHERE ${conditions.join(' AND ')} FOR SHARE`);
  text.add(
    'remembered',
    `INSERT INTO smalltalk_commits (writer, number, first_number, at, generation, numbers, digest)
      VALUES (${its.writer}, ${its.last}, ${its.first}, ${its.at}, ${its.generation}, ${its.numbers}, ${its.digest})`,
  );
  text.update('documents', documents, DOCUMENT, (of) => ({
    key: { generation: its.key, collection: of.collection, id: of.id },
    told: [`t.version = ${of.version}`, `t.head_crc = ${of.head_crc}`, 't.expires_at IS NULL'],
    set: {
      version: of.next_version,
      head_crc: of.next_head_crc,
      crc: of.crc,
      fields: of.fields,
      json: of.json,
    },
  }));
  text.update('fields', fields, FIELD, (of) => ({
    key: { generation: its.key, collection: of.collection, id: of.id, field: of.field },
    told: [],
    set: { key: of.key, '"full"': of.full_key, folded: of.folded },
  }));
  text.compare('logs', logs, LOG, { generation: its.key });
  text.insert('entries', entries, ENTRY, (of) => ({
    generation: its.key,
    log: of.log,
    sequence: of.sequence,
    at: its.at,
    crc: of.crc,
    json: of.json,
  }));
  return text.toString();
}
