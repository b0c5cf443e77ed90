import { foldCase } from '../collation.ts';
import type { Position } from '../cursor.ts';
import type { Filter, ListQuery } from '../storage.ts';

/** SQL and what is bound to it, in order. Queries of the same shape have the same SQL. */
export interface BoundSql {
  sql: string;
  parameters: unknown[];
}

/**
 * The documents from the cursor on as (key, value, id, fields), in the order of the list, for whoever reads on until the
 * page is full: the cost of a page is that of the rows visited, however many documents there are.
 *
 * What is walked is the index of the order field; or, in the order of the ids, that of an `is` filter; or the documents
 * themselves. The filters on the field that is walked bound the walk (they are `by`); all are for the reader to apply.
 */
export function walkStatement(
  collection: string,
  query: ListQuery,
  start: Position | undefined,
  now: number,
): BoundSql & { by: Filter[] } {
  const where = query.where ?? [];
  const field = query.orderBy?.field ?? where.find((filter) => 'is' in filter)?.field;
  const by = where.filter((filter) => filter.field === field && !('contains' in filter));
  const conditions: string[] = [];
  const parameters: unknown[] = [];
  const require = (condition: string, ...values: unknown[]) => {
    conditions.push(condition);
    parameters.push(...values);
  };
  if (field === undefined) {
    require('d.collection = ?', collection);
  } else {
    require('f.collection = ? AND f.field = ?', collection, field);
    for (const filter of by) {
      const bound = condition(filter);
      require(bound.sql, ...bound.parameters);
    }
  }
  const id = field === undefined ? 'd.id' : 'f.id';
  const order = query.orderBy === undefined ? [id] : ['f.value', id];
  const descending = query.orderBy?.direction === 'descending';
  if (start !== undefined) {
    const position = query.orderBy === undefined ? [start.id] : [start.value, start.id];
    const marks = position.map(() => '?').join(', ');
    require(`(${order.join(', ')}) ${descending ? '<' : '>'} (${marks})`, ...position);
  }
  require('(d.expires_at IS NULL OR d.expires_at > ?)', now);
  const from =
    field === undefined ? 'document d' : 'document_field f CROSS JOIN document d ON d.key = f.document';
  return {
    sql: `SELECT d.key, ${query.orderBy === undefined ? 'NULL' : 'f.value'}, ${id}, d.fields FROM ${from}
      WHERE ${conditions.join(' AND ')}
      ORDER BY ${order.map((column) => `${column} ${descending ? 'DESC' : 'ASC'}`).join(', ')}`,
    parameters,
    by,
  };
}

/** The keys of up to `limit` documents that pass one filter, straight from the index; not for `isNot`. */
export function candidateStatement(collection: string, filter: Filter, limit: number): BoundSql {
  const bound = condition(filter);
  return {
    sql: `SELECT f.document FROM document_field f WHERE f.collection = ? AND f.field = ? AND ${bound.sql} LIMIT ?`,
    parameters: [collection, filter.field, ...bound.parameters, limit],
  };
}

/** A filter as SQL on a row of the index of its field. */
function condition(filter: Filter): BoundSql {
  if ('is' in filter) return { sql: 'f.value = ?', parameters: [filter.is] };
  if ('isNot' in filter) return { sql: 'f.value <> ?', parameters: [filter.isNot] };
  if ('in' in filter) {
    return { sql: `f.value IN (${filter.in.map(() => '?').join(', ')})`, parameters: filter.in };
  }
  if ('contains' in filter) {
    return {
      sql: "typeof(f.value) = 'text' AND instr(coalesce(f.folded, f.value), ?) > 0",
      parameters: [foldCase(filter.contains)],
    };
  }
  return filter.below === undefined
    ? { sql: 'f.value >= ?', parameters: [filter.from] }
    : { sql: 'f.value >= ? AND f.value < ?', parameters: [filter.from, filter.below] };
}
