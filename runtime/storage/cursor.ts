import { crc32 } from 'node:zlib';
import { fault } from '../contract/error-codes.ts';
import { compareIndexValues, compareText } from './collation.ts';
import type { IndexValue, ListQuery } from './storage.ts';

/** The last row of a page: the next one begins behind it. `value` is null when the order is by id. */
export interface Position {
  value: IndexValue | null;
  id: string;
}

/** The order of a list, for positions of it. */
export function comparePositions({ orderBy }: ListQuery): (a: Position, b: Position) => number {
  const sign = orderBy?.direction === 'descending' ? -1 : 1;
  return (a, b) => {
    const byValue = a.value === null || b.value === null ? 0 : compareIndexValues(a.value, b.value);
    return sign * (byValue || compareText(a.id, b.id));
  };
}

/** A cursor carries the query that it belongs to, so that one for another query is refused instead of skipping rows. */
export function encodeCursor(query: ListQuery, position: Position): string {
  return Buffer.from(JSON.stringify([fingerprint(query), position.value, position.id])).toString('base64url');
}

/** Rejects with `storage.invalid` what is no cursor or one of another query. */
export function decodeCursor(query: ListQuery): Position | undefined {
  if (query.cursor === undefined) return undefined;
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(query.cursor, 'base64url').toString());
  } catch {
    parts = undefined;
  }
  if (!Array.isArray(parts) || parts.length !== 3) throw fault('storage.invalid', 'The cursor is not valid.');
  const [print, value, id] = parts as [unknown, unknown, unknown];
  const fits =
    query.orderBy === undefined ? value === null : typeof value === 'string' || Number.isFinite(value);
  if (print !== fingerprint(query) || !fits || typeof id !== 'string') {
    throw fault('storage.invalid', 'The cursor belongs to another query.');
  }
  return { value: value as IndexValue | null, id };
}

function fingerprint(query: ListQuery): number {
  return crc32(JSON.stringify([query.where ?? [], query.orderBy?.field, query.orderBy?.direction]));
}
