import { fieldOf, fieldsFromText } from '../checked-input.ts';
import { compareIndexValues, compareText } from '../collation.ts';
import type { IndexValue } from '../storage.ts';
import type { Change } from './journal-frames.ts';
import type { CarriedOut, ScannedDocument, ScannedGeneration } from './keeper-calls.ts';
import { SortedList } from './sorted-list.ts';

/** A document as it is known in memory. A put makes a new one, so that whoever holds one holds that very version. */
export interface DocumentEntry {
  readonly collection: string;
  readonly id: string;
  readonly version: number;
  /** As text, '' for none. */
  readonly fields: string;
  readonly expiresAt: number | null;
  /** The commit that put it; 0 for one that was found in its file. */
  readonly serial: number;
  /** The text of the value, as long as the file does not have it. */
  json: string | undefined;
  /** Of the head of its file, when it has one. */
  crc: number;
}

export interface PendingEntry {
  readonly sequence: number;
  readonly at: number;
  readonly json: string;
}

export interface LogState {
  readonly log: string;
  /** Everything up to here was trimmed. */
  after: number;
  last: number;
  /** The greatest number that the file has. */
  carried: number;
  /** Bytes of the file. */
  size: number;
  /** What the file does not have yet, by number. */
  pending: PendingEntry[];
}

/** A document under one of its index fields. */
export interface FieldItem {
  readonly value: IndexValue;
  readonly entry: DocumentEntry;
}

function compareFieldItems(a: FieldItem, b: FieldItem): number {
  return compareIndexValues(a.value, b.value) || compareText(a.entry.id, b.entry.id);
}

/** The documents of a collection, in the order of their ids and, from the first list that asks on, of index fields. */
export class Collection {
  readonly byId = new Map<string, DocumentEntry>();
  #ordered: SortedList<DocumentEntry> | undefined;
  readonly #fields = new Map<string, SortedList<FieldItem>>();

  get ordered(): SortedList<DocumentEntry> {
    this.#ordered ??= new SortedList((a, b) => compareText(a.id, b.id), this.byId.values());
    return this.#ordered;
  }

  /** The documents that have a field, by its value and their ids. */
  field(field: string): SortedList<FieldItem> {
    let list = this.#fields.get(field);
    if (list === undefined) {
      const items: FieldItem[] = [];
      for (const entry of this.byId.values()) {
        const value = fieldOf(fieldsFromText(entry.fields), field);
        if (value !== undefined) items.push({ value, entry });
      }
      list = new SortedList(compareFieldItems, items);
      this.#fields.set(field, list);
    }
    return list;
  }

  set(entry: DocumentEntry): void {
    const before = this.byId.get(entry.id);
    if (before !== undefined) this.#unlist(before);
    this.byId.set(entry.id, entry);
    this.#ordered?.add(entry);
    this.#eachField(entry, (list, item) => list.add(item));
  }

  delete(id: string): void {
    const entry = this.byId.get(id);
    if (entry === undefined) return;
    this.byId.delete(id);
    this.#unlist(entry);
  }

  #unlist(entry: DocumentEntry): void {
    this.#ordered?.delete(entry);
    this.#eachField(entry, (list, item) => list.delete(item));
  }

  #eachField(entry: DocumentEntry, change: (list: SortedList<FieldItem>, item: FieldItem) => void): void {
    if (this.#fields.size === 0 || entry.fields === '') return;
    const fields = fieldsFromText(entry.fields);
    for (const [field, list] of this.#fields) {
      const value = fieldOf(fields, field);
      if (value !== undefined) change(list, { value, entry });
    }
  }
}

/**
 * What is known in memory of a generation: all but the values, which lie in the files, or wait here until they do. Says
 * only what is durable.
 */
export class DataIndex {
  /** The folder of the files. */
  readonly folder: string;
  readonly collections = new Map<string, Collection>();
  readonly logs = new Map<string, LogState>();
  /** Documents with an expiry. */
  readonly expiring = new Set<DocumentEntry>();
  /** Of all files. */
  sizeBytes: number;

  constructor(scan: ScannedGeneration) {
    this.folder = scan.folder;
    this.sizeBytes = scan.sizeBytes;
    for (const document of scan.documents) this.#set(fromScan(document));
    for (const { log, after, last, size } of scan.logs) {
      this.logs.set(log, { log, after, last, carried: last, size, pending: [] });
    }
  }

  /** The document, unless it has expired. */
  find(collection: string, id: string, now: number): DocumentEntry | undefined {
    const entry = this.collections.get(collection)?.byId.get(id);
    return entry !== undefined && isLiving(entry, now) ? entry : undefined;
  }

  /** Living documents of each collection that has any. */
  counts(now: number): Map<string, number> {
    const counts = new Map<string, number>();
    for (const [name, { byId }] of this.collections) counts.set(name, byId.size);
    for (const entry of this.expiring) {
      if (!isLiving(entry, now)) counts.set(entry.collection, (counts.get(entry.collection) ?? 0) - 1);
    }
    for (const [name, count] of counts) if (count === 0) counts.delete(name);
    return counts;
  }

  /** Takes over what became durable with a commit. */
  apply(serial: number, changes: Change[]): void {
    for (const change of changes) {
      if (change.kind === 'put') {
        const { collection, id, version, fields, expiresAt, json } = change;
        this.#set({ collection, id, version, fields, expiresAt, serial, json, crc: 0 });
      } else if (change.kind === 'delete') this.remove(change.collection, change.id);
      else {
        const log = this.#log(change.log);
        if (change.kind === 'append') {
          const { sequence, at, json } = change;
          log.pending.push({ sequence, at, json });
          log.last = sequence;
        } else log.after = Math.max(log.after, change.through);
      }
    }
  }

  remove(collection: string, id: string): void {
    const found = this.collections.get(collection);
    const entry = found?.byId.get(id);
    if (entry !== undefined) this.expiring.delete(entry);
    found?.delete(id);
  }

  /** Takes over that everything up to a commit is in the files. */
  carriedOut(serial: number, report: CarriedOut): void {
    for (const [collection, id, crc] of report.documents) {
      const entry = this.collections.get(collection)?.byId.get(id);
      if (entry === undefined || entry.serial > serial || entry.json === undefined) continue;
      entry.crc = crc;
      entry.json = undefined;
    }
    for (const [name, through, size] of report.logs) {
      const log = this.#log(name);
      log.carried = Math.max(log.carried, through);
      log.size = size;
      const left = log.pending.findIndex(({ sequence }) => sequence > log.carried);
      log.pending = left < 0 ? [] : log.pending.slice(left);
    }
    this.sizeBytes = report.sizeBytes;
  }

  #set(entry: DocumentEntry): void {
    let collection = this.collections.get(entry.collection);
    if (collection === undefined) {
      collection = new Collection();
      this.collections.set(entry.collection, collection);
    }
    const before = collection.byId.get(entry.id);
    if (before !== undefined) this.expiring.delete(before);
    if (entry.expiresAt !== null) this.expiring.add(entry);
    collection.set(entry);
  }

  #log(name: string): LogState {
    let log = this.logs.get(name);
    if (log === undefined) {
      log = { log: name, after: 0, last: 0, carried: 0, size: 0, pending: [] };
      this.logs.set(name, log);
    }
    return log;
  }
}

export function isLiving(entry: DocumentEntry, now: number): boolean {
  return entry.expiresAt === null || entry.expiresAt > now;
}

function fromScan(document: ScannedDocument): DocumentEntry {
  return { ...document, serial: 0, json: undefined };
}
