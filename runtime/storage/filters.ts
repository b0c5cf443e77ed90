import { compareIndexValues, foldCase } from './collation.ts';
import type { Filter, IndexValue } from './storage.ts';

/** True when a document with these index fields passes the filter; what the port means by each kind is defined here. */
export function matches(filter: Filter, value: IndexValue | undefined): boolean {
  if ('isNot' in filter) return value !== filter.isNot;
  if (value === undefined) return false;
  if ('is' in filter) return value === filter.is;
  if ('in' in filter) return filter.in.includes(value);
  if ('contains' in filter) {
    return typeof value === 'string' && foldCase(value).includes(foldCase(filter.contains));
  }
  if (compareIndexValues(value, filter.from) < 0) return false;
  return filter.below === undefined || compareIndexValues(value, filter.below) < 0;
}
