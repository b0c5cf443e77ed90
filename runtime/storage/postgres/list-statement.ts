import { foldCase } from '../collation.ts';
import type { Position } from '../cursor.ts';
import type { Filter, IndexValue, ListQuery } from '../storage.ts';
import { bytesArray } from './array-text.ts';
import { DOCUMENT_COLUMNS } from './record-verifier.ts';
import { MAXIMUM_KEY, type SortKey, sortKeyOf } from './sort-key.ts';

export interface BoundSql {
  sql: string;
  values: unknown[];
}

const ACTIVE = '(SELECT active FROM smalltalk_state)';
/** All of a value of the index, also when its key is cut. */
const uncut = (alias: string) => `coalesce(${alias}."full", ${alias}.key)`;

/**
 * The document of each row of `f`, by its key. `OFFSET 0` keeps that a query of its own: as a join, before the server knows the
 * tables, it thinks so little of the number of documents that it looks through all of them for each row.
 */
const DOCUMENT_OF_FIELD = `LATERAL (SELECT * FROM smalltalk_documents
  WHERE generation = f.generation AND collection = f.collection AND id = f.id OFFSET 0) d`;

/** Collects the values of a statement; each is named by its place. */
class Values {
  readonly all: unknown[] = [];

  add(value: unknown, type = ''): string {
    this.all.push(value);
    return `$${this.all.length}${type}`;
  }
}

/**
 * Documents in the order of a list, behind `start`, one more than the page holds; each row is the uncut key of its place
 * (null when the order is by id), then the document. `exact` also orders values that differ only behind what the index
 * holds of them, which takes a sort.
 */
export function walkStatement(
  collection: string,
  query: ListQuery,
  start: Position | undefined,
  now: number,
  exact: boolean,
): BoundSql {
  const values = new Values();
  const name = values.add(collection);
  const living = livingCondition(values.add(now));
  const { orderBy, where = [] } = query;
  const led = orderBy === undefined ? where.find((filter) => 'is' in filter) : undefined;
  const others = where.filter((filter) => filter !== led);
  const limit = query.limit + 1;
  const direction = orderBy?.direction === 'descending' ? 'DESC' : 'ASC';
  const beyond = direction === 'DESC' ? '<' : '>';

  if (orderBy === undefined && led === undefined) {
    const conditions = [
      `d.generation = ${ACTIVE}`,
      `d.collection = ${name}`,
      living,
      ...others.map((filter) => existence(filter, 'd', name, values)),
      ...(start === undefined ? [] : [`d.id > ${values.add(start.id)}`]),
    ];
    return {
      sql: `SELECT NULL, ${DOCUMENT_COLUMNS} FROM smalltalk_documents d
        WHERE ${conditions.join(' AND ')} ORDER BY d.id LIMIT ${limit}`,
      values: values.all,
    };
  }

  const field = orderBy?.field ?? (led?.field as string);
  const conditions = [
    `f.generation = ${ACTIVE}`,
    `f.collection = ${name}`,
    `f.field = ${values.add(field)}`,
    ...(led === undefined ? [] : [condition(led, 'f', values)]),
    living,
    // What is asked of the field that is walked is asked of the row itself.
    ...others.map((filter) =>
      filter.field === field ? condition(filter, 'f', values) : existence(filter, 'f', name, values),
    ),
  ];
  const order =
    orderBy === undefined
      ? 'f.id'
      : [`f.key`, ...(exact ? [uncut('f')] : []), 'f.id'].map((part) => `${part} ${direction}`).join(', ');
  if (start !== undefined) {
    const id = values.add(start.id);
    if (orderBy === undefined) conditions.push(`f.id > ${id}`);
    else {
      const { key, full } = sortKeyOf(start.value as IndexValue);
      const at = values.add(key, '::bytea');
      conditions.push(
        exact
          ? `f.key ${beyond}= ${at} AND (${uncut('f')}, f.id) ${beyond} (${values.add(full ?? key, '::bytea')}, ${id})`
          : `(f.key, f.id) ${beyond} (${at}, ${id})`,
      );
    }
  }
  return {
    sql: `SELECT ${orderBy === undefined ? 'NULL' : uncut('f')}, ${DOCUMENT_COLUMNS} FROM smalltalk_fields f, ${DOCUMENT_OF_FIELD}
      WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ${limit}`,
    values: values.all,
  };
}

/** True when the order of a list can only be told by more than the index holds. */
export function isCut(uncutKey: Buffer): boolean {
  return uncutKey.length >= MAXIMUM_KEY;
}

/** The documents that one filter leaves, their own fields with them, in no order; at most `limit`. */
export function candidateStatement(collection: string, filter: Filter, limit: number): BoundSql {
  const values = new Values();
  const place = [
    `f.generation = ${ACTIVE}`,
    `f.collection = ${values.add(collection)}`,
    `f.field = ${values.add(filter.field)}`,
  ];
  const found = (conditions: string[]) =>
    `SELECT f.generation, f.collection, f.id FROM smalltalk_fields f WHERE ${[...place, ...conditions].join(' AND ')}`;
  // Each key by a look of its own: of several, the planner would rather look through the fields of all documents.
  const fields =
    'in' in filter
      ? `SELECT f.* FROM (SELECT DISTINCT unnest(${keysOf(filter.in, values)}) AS key) k,
          LATERAL (${found(['f.key = k.key', condition(filter, 'f', values)])} OFFSET 0) f`
      : found([condition(filter, 'f', values)]);
  return {
    sql: `SELECT d.generation, d.id, d.fields FROM (${fields} LIMIT ${limit}) f, ${DOCUMENT_OF_FIELD}`,
    values: values.all,
  };
}

/** Not expired; or not credible about it, so that its reader finds the damage. */
function livingCondition(now: string): string {
  return `(d.expires_at IS NULL OR d.expires_at > ${now}
    OR d.head_crc <> smalltalk_head_crc(d.version, d.expires_at))`;
}

/**
 * A filter as SQL on a document, of which `alias` is a row with its generation, collection and id. Its fields are few and are
 * found by the id; the `|| ''` keeps the planner from the index by field and key, which holds those of all documents, and
 * `OFFSET 0` from making a join of it.
 */
function existence(filter: Filter, alias: string, collection: string, values: Values): string {
  const not = 'isNot' in filter;
  const asked: Filter = not ? { field: filter.field, is: filter.isNot } : filter;
  return `${not ? 'NOT ' : ''}EXISTS (SELECT FROM smalltalk_fields x
    WHERE x.generation = ${alias}.generation AND x.collection = ${collection} AND x.id = ${alias}.id
      AND x.field || '' = ${values.add(filter.field)} AND ${condition(asked, 'x', values)} OFFSET 0)`;
}

/** A filter as SQL on a row of the index of its field. */
function condition(filter: Filter, alias: string, values: Values): string {
  if ('is' in filter) return equals(sortKeyOf(filter.is), alias, values);
  if ('isNot' in filter) return `NOT (${equals(sortKeyOf(filter.isNot), alias, values)})`;
  if ('in' in filter) {
    const byKey = `${alias}.key = ANY (${keysOf(filter.in, values)})`;
    const keys = filter.in.map(sortKeyOf);
    if (keys.every(({ full }) => full === null)) return byKey;
    const whole = bytesArray(keys.map(({ key, full }) => full ?? key));
    return `${byKey} AND ${uncut(alias)} = ANY (${values.add(whole, '::bytea[]')})`;
  }
  if ('contains' in filter) {
    const needle = values.add(Buffer.from(foldCase(filter.contains)), '::bytea');
    return `get_byte(${alias}.key, 0) = 2
      AND position(${needle} in coalesce(${alias}.folded, substr(${uncut(alias)}, 2))) > 0`;
  }
  const bounds = [bound('>=', '>=', sortKeyOf(filter.from), alias, values)];
  if (filter.below !== undefined) bounds.push(bound('<', '<=', sortKeyOf(filter.below), alias, values));
  return bounds.join(' AND ');
}

function keysOf(of: readonly IndexValue[], values: Values): string {
  return values.add(bytesArray(of.map((value) => sortKeyOf(value).key)), '::bytea[]');
}

function equals({ key, full }: SortKey, alias: string, values: Values): string {
  const byKey = `${alias}.key = ${values.add(key, '::bytea')}`;
  return full === null ? byKey : `${byKey} AND ${uncut(alias)} = ${values.add(full, '::bytea')}`;
}

/** A bound that is not cut can be held against the keys, cut or not; one that is cut only bounds them loosely. */
function bound(
  operator: string,
  loose: string,
  { key, full }: SortKey,
  alias: string,
  values: Values,
): string {
  if (full === null) return `${alias}.key ${operator} ${values.add(key, '::bytea')}`;
  return `${alias}.key ${loose} ${values.add(key, '::bytea')}
    AND ${uncut(alias)} ${operator} ${values.add(full, '::bytea')}`;
}
