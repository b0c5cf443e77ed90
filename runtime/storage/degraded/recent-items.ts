import type { IndexValue } from '../storage.ts';

/** What an item costs beside its text: the objects around it and its places in the maps, about. */
const OVERHEAD_BYTES = 300;

/** Never changed, only replaced. */
export interface KnownDocument {
  readonly collection: string;
  readonly id: string;
  /** 0: it is not there. */
  readonly version: number;
  readonly json: string;
  /** Undefined when the document was only read. */
  readonly index: Record<string, IndexValue> | undefined;
  readonly expiresAt: number | null;
  readonly changedAt: number;
}

export interface KnownEntry {
  readonly sequence: number;
  readonly at: number;
  readonly json: string;
  /** Between this number and `sequence` there is no other entry. */
  readonly covers: number;
}

export interface KnownLog {
  /** The last number that was given out, if it is known. */
  last: number | undefined;
  /** While `last` is not known: behind this number there was nothing. */
  emptyBehind: number | undefined;
  /** Up to here nothing is there any more. */
  trimmed: number;
  readonly entries: Map<number, KnownEntry>;
  changedAt: number;
}

type Content =
  | { kind: 'document'; collection: string; id: string }
  | { kind: 'log'; log: string }
  | { kind: 'entry'; log: string; sequence: number };

/** A link in the chain of all items, in the order of their last use. */
interface Item {
  readonly key: string;
  readonly content: Content;
  bytes: number;
  older: Item | undefined;
  newer: Item | undefined;
}

/**
 * Documents, logs and single entries within a bound of bytes. What was used longest ago goes first; of a log that is read
 * and written at its end, that is its beginning.
 */
export class RecentItems {
  readonly #maximumBytes: number;
  /** Told that something was dropped; with its name when it was a log with its counter. */
  readonly #onDropped: (log?: string) => void;
  readonly #collections = new Map<string, Map<string, KnownDocument>>();
  readonly #logs = new Map<string, KnownLog>();
  readonly #items = new Map<string, Item>();
  /** Linked by hand: taking a key out of a large `Map` and putting it in again, to order it, costs 20 µs. */
  #oldest: Item | undefined;
  #newest: Item | undefined;
  #bytes = 0;

  constructor(maximumBytes: number, onDropped: (log?: string) => void) {
    this.#maximumBytes = maximumBytes;
    this.#onDropped = onDropped;
  }

  document(collection: string, id: string): KnownDocument | undefined {
    const known = this.#collections.get(collection)?.get(id);
    if (known !== undefined) this.#touch(documentKey(`${collection}/${id}`));
    return known;
  }

  documents(collection: string): KnownDocument[] {
    return [...(this.#collections.get(collection)?.values() ?? [])];
  }

  setDocument(document: KnownDocument): void {
    const { collection, id, json } = document;
    let documents = this.#collections.get(collection);
    if (documents === undefined) {
      documents = new Map();
      this.#collections.set(collection, documents);
    }
    documents.set(id, document);
    const bytes = OVERHEAD_BYTES + id.length + json.length;
    this.#put(documentKey(`${collection}/${id}`), { kind: 'document', collection, id }, bytes);
  }

  removeDocument(key: string): void {
    this.#drop(documentKey(key));
  }

  log(name: string): KnownLog | undefined {
    const known = this.#logs.get(name);
    if (known !== undefined) this.#touch(logKey(name));
    return known;
  }

  makeLog(name: string, changedAt: number): KnownLog {
    const log: KnownLog = {
      last: undefined,
      emptyBehind: undefined,
      trimmed: 0,
      entries: new Map(),
      changedAt,
    };
    this.#logs.set(name, log);
    this.#put(logKey(name), { kind: 'log', log: name }, OVERHEAD_BYTES + name.length);
    return log;
  }

  removeLog(name: string): void {
    this.#drop(logKey(name));
  }

  setEntry(name: string, log: KnownLog, entry: KnownEntry): void {
    const { sequence, covers } = entry;
    const before = log.entries.get(sequence);
    log.entries.set(
      sequence,
      before === undefined || covers < before.covers ? entry : { ...entry, covers: before.covers },
    );
    const bytes = OVERHEAD_BYTES + entry.json.length;
    this.#put(entryKey(name, sequence), { kind: 'entry', log: name, sequence }, bytes);
  }

  touchEntry(name: string, sequence: number): void {
    this.#touch(entryKey(name, sequence));
  }

  removeEntry(name: string, log: KnownLog, sequence: number): void {
    log.entries.delete(sequence);
    this.#drop(entryKey(name, sequence));
  }

  clear(): void {
    this.#collections.clear();
    this.#logs.clear();
    this.#items.clear();
    this.#oldest = undefined;
    this.#newest = undefined;
    this.#bytes = 0;
  }

  #touch(key: string): void {
    const item = this.#items.get(key);
    if (item === undefined || item === this.#newest) return;
    this.#unlink(item);
    this.#link(item);
  }

  #put(key: string, content: Content, bytes: number): void {
    const known = this.#items.get(key);
    if (known === undefined) {
      const item = { key, content, bytes, older: undefined, newer: undefined };
      this.#items.set(key, item);
      this.#link(item);
      this.#bytes += bytes;
    } else {
      this.#bytes += bytes - known.bytes;
      known.bytes = bytes;
      this.#touch(key);
    }
    while (this.#bytes > this.#maximumBytes && this.#oldest !== undefined) {
      const { content: dropped, key: oldest } = this.#oldest;
      this.#drop(oldest);
      this.#onDropped(dropped.kind === 'log' ? dropped.log : undefined);
    }
  }

  #drop(key: string): void {
    const item = this.#items.get(key);
    if (item === undefined) return;
    this.#items.delete(key);
    this.#unlink(item);
    this.#bytes -= item.bytes;
    const { content } = item;
    if (content.kind === 'document') this.#collections.get(content.collection)?.delete(content.id);
    else if (content.kind === 'entry') this.#logs.get(content.log)?.entries.delete(content.sequence);
    else {
      const entries = this.#logs.get(content.log)?.entries;
      this.#logs.delete(content.log);
      for (const sequence of entries?.keys() ?? []) this.#drop(entryKey(content.log, sequence));
    }
  }

  #link(item: Item): void {
    item.older = this.#newest;
    item.newer = undefined;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
  }

  #unlink({ older, newer }: Item): void {
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
  }
}

const documentKey = (key: string): string => `d${key}`;
const logKey = (name: string): string => `l${name}`;
const entryKey = (name: string, sequence: number): string => `e${sequence} ${name}`;
