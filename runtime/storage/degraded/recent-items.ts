import type { IndexValue } from '../storage.ts';

/** What an item costs beside its text: the objects around it and its places in the maps, about. */
const OVERHEAD_BYTES = 300;

/** A link in the chain of all items, in the order of their last use. */
interface Item {
  readonly content: Content;
  bytes: number;
  older: Item | undefined;
  newer: Item | undefined;
}

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
  /** The links of the entries, by their numbers. */
  readonly items: Map<number, Item>;
  changedAt: number;
}

type Content =
  | { kind: 'document'; collection: string; id: string }
  | { kind: 'log'; log: string }
  | { kind: 'entry'; log: KnownLog; sequence: number };

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
  /** Of documents, by `<collection>/<id>`. */
  readonly #documentItems = new Map<string, Item>();
  readonly #logItems = new Map<string, Item>();
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
    if (known !== undefined) this.#touch(this.#documentItems.get(`${collection}/${id}`));
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
    this.#put(this.#documentItems, `${collection}/${id}`, bytes, () => ({
      kind: 'document',
      collection,
      id,
    }));
  }

  removeDocument(key: string): void {
    this.#drop(this.#documentItems.get(key));
  }

  log(name: string): KnownLog | undefined {
    const known = this.#logs.get(name);
    if (known !== undefined) this.#touch(this.#logItems.get(name));
    return known;
  }

  makeLog(name: string, changedAt: number): KnownLog {
    const log: KnownLog = {
      last: undefined,
      emptyBehind: undefined,
      trimmed: 0,
      entries: new Map(),
      items: new Map(),
      changedAt,
    };
    this.#logs.set(name, log);
    this.#put(this.#logItems, name, OVERHEAD_BYTES + name.length, () => ({ kind: 'log', log: name }));
    return log;
  }

  removeLog(name: string): void {
    this.#drop(this.#logItems.get(name));
  }

  setEntry(log: KnownLog, entry: KnownEntry): void {
    const { sequence, covers } = entry;
    const before = log.entries.get(sequence);
    log.entries.set(
      sequence,
      before === undefined || covers < before.covers ? entry : { ...entry, covers: before.covers },
    );
    const bytes = OVERHEAD_BYTES + entry.json.length;
    this.#put(log.items, sequence, bytes, () => ({ kind: 'entry', log, sequence }));
  }

  touchEntry(log: KnownLog, sequence: number): void {
    this.#touch(log.items.get(sequence));
  }

  removeEntry(log: KnownLog, sequence: number): void {
    log.entries.delete(sequence);
    this.#drop(log.items.get(sequence));
  }

  clear(): void {
    // A log that is forgotten may still be known to whoever takes its entries back: they are no links of the chain any more.
    for (let item = this.#oldest; item !== undefined; item = item.newer) {
      if (item.content.kind === 'entry') item.content.log.items.clear();
    }
    this.#collections.clear();
    this.#logs.clear();
    this.#documentItems.clear();
    this.#logItems.clear();
    this.#oldest = undefined;
    this.#newest = undefined;
    this.#bytes = 0;
  }

  #touch(item: Item | undefined): void {
    if (item === undefined || item === this.#newest) return;
    this.#unlink(item);
    this.#link(item);
  }

  #put<Key>(items: Map<Key, Item>, key: Key, bytes: number, contentOf: () => Content): void {
    const known = items.get(key);
    if (known === undefined) {
      const item = { content: contentOf(), bytes, older: undefined, newer: undefined };
      items.set(key, item);
      this.#link(item);
      this.#bytes += bytes;
    } else {
      this.#bytes += bytes - known.bytes;
      known.bytes = bytes;
      this.#touch(known);
    }
    while (this.#bytes > this.#maximumBytes && this.#oldest !== undefined) {
      const { content: dropped } = this.#oldest;
      this.#drop(this.#oldest);
      this.#onDropped(dropped.kind === 'log' ? dropped.log : undefined);
    }
  }

  #drop(item: Item | undefined): void {
    if (item === undefined) return;
    const { content } = item;
    if (content.kind === 'document') {
      const { collection, id } = content;
      this.#documentItems.delete(`${collection}/${id}`);
      this.#collections.get(collection)?.delete(id);
    } else if (content.kind === 'entry') {
      content.log.items.delete(content.sequence);
      content.log.entries.delete(content.sequence);
    } else {
      const log = this.#logs.get(content.log);
      this.#logItems.delete(content.log);
      this.#logs.delete(content.log);
      for (const entry of log?.items.values() ?? []) this.#drop(entry);
    }
    this.#unlink(item);
    this.#bytes -= item.bytes;
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
