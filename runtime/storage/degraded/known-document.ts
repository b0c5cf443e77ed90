import { fieldsFromText } from '../checked-input.ts';
import type { IndexValue, StoredDocument } from '../storage.ts';
import type { DocumentState } from './recent-items.ts';

export function isThere({ version, expiresAt }: DocumentState, now: number): boolean {
  return version > 0 && (expiresAt === null || expiresAt > now);
}

export function toDocument<T>({
  collection,
  id,
  version,
  json,
  expiresAt,
}: DocumentState): StoredDocument<T> {
  const value = JSON.parse(json) as T;
  return { collection, id, version, value, ...(expiresAt === null ? {} : { expiresAt }) };
}

export function indexOf({ fields, json }: DocumentState): Record<string, IndexValue> {
  return fields === undefined ? scalarsOf(json) : fieldsFromText(fields);
}

/**
 * Stands in for the index fields of a document that was only read, because the port does not tell them: fields of the
 * value by the same names. A list from memory is a part of the truth anyway.
 */
function scalarsOf(json: string): Record<string, IndexValue> {
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null) return {};
  const scalars = Object.entries(value).filter(
    ([, field]) => typeof field === 'string' || (typeof field === 'number' && Number.isFinite(field)),
  );
  return Object.fromEntries(scalars) as Record<string, IndexValue>;
}
