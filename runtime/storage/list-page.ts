import { fieldOf } from './checked-input.ts';
import { comparePositions, decodeCursor, encodeCursor, type Position } from './cursor.ts';
import { matches } from './filters.ts';
import type { IndexValue, ListPage, ListQuery, StoredDocument } from './storage.ts';

/** What a list needs to know of a document. */
export interface Listed {
  readonly id: string;
  readonly index: Record<string, IndexValue>;
}

/** One page of a list over documents that are all in memory, by the obvious way. `query` has been checked. */
export function pageOf<Row extends Listed, T>(
  documents: readonly Row[],
  query: ListQuery,
  toDocument: (row: Row) => StoredDocument<T>,
): ListPage<T> {
  const order = query.orderBy;
  const compare = comparePositions(query);
  const start = decodeCursor(query);
  const found = documents
    .filter(
      (row) => query.where?.every((filter) => matches(filter, fieldOf(row.index, filter.field))) ?? true,
    )
    .map((row) => ({
      row,
      id: row.id,
      value: order === undefined ? null : fieldOf(row.index, order.field),
    }))
    .filter((row): row is typeof row & Position => row.value !== undefined)
    .filter((row) => start === undefined || compare(row, start) > 0)
    .sort(compare);
  const page = found.slice(0, query.limit);
  const last = page.at(-1);
  return {
    items: page.map(({ row }) => toDocument(row)),
    ...(last === undefined || found.length === page.length
      ? {}
      : { nextCursor: encodeCursor(query, { value: last.value, id: last.id }) }),
  };
}
