import { fault } from '../../contract/error-codes.ts';
import { fieldsFromText, fieldsToText } from '../checked-input.ts';
import type { IndexValue, SnapshotRecord, StoredDocument } from '../storage.ts';

/** A kept document; never changed, only replaced, so that a snapshot is a list of references. */
export interface Kept {
  readonly collection: string;
  readonly id: string;
  readonly version: number;
  readonly json: string;
  readonly index: Record<string, IndexValue>;
  readonly expiresAt: number | null;
}

export interface KeptEntry {
  readonly sequence: number;
  readonly at: number;
  readonly json: string;
}

export interface KeptLog {
  lastSequence: number;
  /** By sequence, ascending. */
  entries: KeptEntry[];
}

export interface DataSet {
  id: string;
  createdAt: number;
  reason: string;
  sealed: boolean;
  previous?: string;
  activatedAt?: number;
  collections: Map<string, Map<string, Kept>>;
  logs: Map<string, KeptLog>;
}

export function isLiving(kept: Kept, now: number): boolean {
  return kept.expiresAt === null || kept.expiresAt > now;
}

export function toDocument<T>({ collection, id, version, json, expiresAt }: Kept): StoredDocument<T> {
  const value = JSON.parse(json) as T;
  return { collection, id, version, value, ...(expiresAt === null ? {} : { expiresAt }) };
}

export function collectionOf(set: DataSet, name: string): Map<string, Kept> {
  let collection = set.collections.get(name);
  if (collection === undefined) {
    collection = new Map();
    set.collections.set(name, collection);
  }
  return collection;
}

export function logOf(set: DataSet, name: string): KeptLog {
  let log = set.logs.get(name);
  if (log === undefined) {
    log = { lastSequence: 0, entries: [] };
    set.logs.set(name, log);
  }
  return log;
}

export function addRecord(set: DataSet, record: SnapshotRecord): void {
  if (record.kind === 'document') {
    const { collection, id, version, json, expiresAt = null } = record;
    const kept = collectionOf(set, collection);
    if (kept.has(id)) throw fault('storage.invalid', `The document ${collection}/${id} is there twice.`);
    const index = fieldsFromText(fieldsToText(record.index));
    kept.set(id, { collection, id, version, json, index, expiresAt });
  } else if (record.kind === 'log') {
    if (set.logs.has(record.log)) throw fault('storage.invalid', `The log ${record.log} is there twice.`);
    set.logs.set(record.log, { lastSequence: record.lastSequence, entries: [] });
  } else {
    const { sequence, at, json } = record;
    logOf(set, record.log).entries.push({ sequence, at, json });
  }
}
