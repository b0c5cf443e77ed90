import { foldCase } from '../collation.ts';
import type { Position } from '../cursor.ts';
import type { Filter, ListQuery } from '../storage.ts';

/** SQL and what is bound to it, in order. Queries of the same shape have the same SQL. */
export interface BoundSql {
  sql: string;
  parameters: unknown[];
}

/**
 * The rows of a page as (document key, value, id), one more than the page holds.
 *
 * Rows are visited in the order of the list, from the cursor on, and the filters are looked up for each: the cost of a page
 * is that of the rows visited, however many documents there are. What drives is, in this order: the few `candidates` that
 * a selective filter left (then they are sorted), the rows of the order field, the rows of an `is` filter (which lie in
 * the order of the ids), or the documents themselves.
 */
export function pageStatement(
  collection: string,
  query: ListQuery,
  start: Position | undefined,
  now: number,
  candidates: number[] | undefined,
): BoundSql {
  const where = query.where ?? [];
  const descending = query.orderBy?.direction === 'descending';
  const parameters: unknown[] = [];
  const conditions: string[] = [];
  const require = (condition: string, ...values: unknown[]) => {
    conditions.push(condition);
    parameters.push(...values);
  };

  let from = '';
  if (candidates !== undefined) {
    from = 'json_each(?) candidate CROSS JOIN ';
    parameters.push(JSON.stringify(candidates));
  }
  const driving =
    query.orderBy?.field ?? (candidates === undefined ? where.find(isEquality)?.field : undefined);
  let rest = where;
  if (driving === undefined) {
    from += 'document o';
    require('o.collection = ?', collection);
    if (candidates !== undefined) require('o.key = candidate.value');
  } else {
    from +=
      candidates === undefined
        ? 'document_field o'
        : 'document_field o INDEXED BY document_field_by_document';
    if (candidates !== undefined) require('o.document = candidate.value');
    require('o.collection = ? AND o.field = ?', collection, driving);
    // What is asked of the driving field narrows the rows visited instead of being looked up for each.
    rest = [];
    for (const filter of where) {
      if (filter.field === driving && !('contains' in filter)) {
        const own = condition(filter, 'o.value');
        require(own.sql, ...own.parameters);
      } else {
        rest.push(filter);
      }
    }
  }
  const document = driving === undefined ? 'o.key' : 'o.document';
  const order = query.orderBy === undefined ? ['o.id'] : ['o.value', 'o.id'];
  if (start !== undefined) {
    const position = query.orderBy === undefined ? [start.id] : [start.value, start.id];
    const marks = position.map(() => '?').join(', ');
    require(`(${order.join(', ')}) ${descending ? '<' : '>'} (${marks})`, ...position);
  }
  require(`${document} NOT IN (SELECT key FROM document WHERE expires_at <= ?)`, now);
  for (const filter of rest) {
    const own = condition(filter, 'f.value');
    const negated = 'isNot' in filter ? 'NOT ' : '';
    const sql = 'isNot' in filter ? 'f.value = ?' : own.sql;
    require(`${negated}EXISTS (SELECT 1 FROM document_field f WHERE f.document = ${document} AND f.field = ? AND ${sql})`, filter.field, ...own.parameters);
  }
  const direction = descending ? 'DESC' : 'ASC';
  return {
    sql: `SELECT ${document}, ${query.orderBy === undefined ? 'NULL' : 'o.value'}, o.id FROM ${from}
      WHERE ${conditions.join(' AND ')}
      ORDER BY ${order.map((column) => `${column} ${direction}`).join(', ')} LIMIT ?`,
    parameters: [...parameters, query.limit + 1],
  };
}

/** The keys of up to `limit` documents that pass one filter, straight from the index; not for `isNot`. */
export function candidateStatement(collection: string, filter: Filter, limit: number): BoundSql {
  const own = condition(filter, 'f.value');
  return {
    sql: `SELECT f.document FROM document_field f WHERE f.collection = ? AND f.field = ? AND ${own.sql} LIMIT ?`,
    parameters: [collection, filter.field, ...own.parameters, limit],
  };
}

/** A filter as SQL on the value of its field. */
function condition(filter: Filter, column: string): BoundSql {
  if ('is' in filter) return { sql: `${column} = ?`, parameters: [filter.is] };
  if ('isNot' in filter) return { sql: `${column} <> ?`, parameters: [filter.isNot] };
  if ('in' in filter) {
    return { sql: `${column} IN (${filter.in.map(() => '?').join(', ')})`, parameters: filter.in };
  }
  if ('contains' in filter) {
    return {
      sql: `typeof(${column}) = 'text' AND instr(coalesce(f.folded, f.value), ?) > 0`,
      parameters: [foldCase(filter.contains)],
    };
  }
  return filter.below === undefined
    ? { sql: `${column} >= ?`, parameters: [filter.from] }
    : { sql: `${column} >= ? AND ${column} < ?`, parameters: [filter.from, filter.below] };
}

function isEquality(filter: Filter): filter is Extract<Filter, { is: unknown }> {
  return 'is' in filter;
}
