/** What an item costs beside its text: the object, its place in a map and the headers of its texts, about. */
const OVERHEAD_BYTES = 300;

/** A link in the chain of all items, in the order of their last use. */
interface Linked {
  older: Item | undefined;
  newer: Item | undefined;
}

/** What is known of a document. */
export interface DocumentState {
  readonly collection: string;
  readonly id: string;
  /** 0: it is not there. */
  readonly version: number;
  readonly json: string;
  /** As text, '' for none; undefined when the document was only read. */
  readonly fields: string | undefined;
  readonly expiresAt: number | null;
  readonly changedAt: number;
}

/** What is known of an entry. */
export interface EntryState {
  readonly sequence: number;
  readonly at: number;
  readonly json: string;
  /** Between this number and `sequence` there is no other entry. */
  readonly covers: number;
}

interface KnownDocument extends Linked {
  readonly kind: 'document';
  readonly collection: string;
  readonly id: string;
  version: number;
  json: string;
  fields: string | undefined;
  expiresAt: number | null;
  changedAt: number;
}

interface KnownEntry extends Linked, EntryState {
  readonly kind: 'entry';
  readonly log: KnownLog;
}

export interface KnownLog extends Linked {
  readonly kind: 'log';
  readonly name: string;
  /** The last number that was given out, if it is known. */
  last: number | undefined;
  /** While `last` is not known: behind this number there was nothing. */
  emptyBehind: number | undefined;
  /** Up to here nothing is there any more. */
  trimmed: number;
  readonly entries: Map<number, KnownEntry>;
  changedAt: number;
}

type Item = KnownDocument | KnownEntry | KnownLog;

/**
 * Documents, logs and single entries within a bound of bytes. What was used longest ago goes first; of a log that is read
 * and written at its end, that is its beginning. One object for each: there are tens of thousands, which live long, and the
 * garbage collector would take longer for two or three than everything else that is done here.
 */
export class RecentItems {
  readonly #maximumBytes: number;
  /** Told that something was dropped; with its name when it was a log with its counter. */
  readonly #onDropped: (log?: string) => void;
  readonly #collections = new Map<string, Map<string, KnownDocument>>();
  readonly #logs = new Map<string, KnownLog>();
  /**
   * Linked by hand: taking a key out of a large `Map` and putting it in again, to order it, costs 20 µs. Not by `Chain`: code that
   * serves more than four kinds of objects is slow, which makes a load a third dearer.
   */
  #oldest: Item | undefined;
  #newest: Item | undefined;
  #bytes = 0;

  constructor(maximumBytes: number, onDropped: (log?: string) => void) {
    this.#maximumBytes = maximumBytes;
    this.#onDropped = onDropped;
  }

  /** Its state until it changes; whoever needs that for longer takes a copy. */
  document(collection: string, id: string): DocumentState | undefined {
    const known = this.#collections.get(collection)?.get(id);
    if (known !== undefined) this.#touch(known);
    return known;
  }

  documents(collection: string): DocumentState[] {
    return [...(this.#collections.get(collection)?.values() ?? [])];
  }

  setDocument(state: DocumentState): void {
    const { collection, id, version, json, fields, expiresAt, changedAt } = state;
    let documents = this.#collections.get(collection);
    if (documents === undefined) {
      documents = new Map();
      this.#collections.set(collection, documents);
    }
    const known = documents.get(id);
    if (known === undefined) {
      const item: KnownDocument = {
        kind: 'document',
        collection,
        id,
        version,
        json,
        fields,
        expiresAt,
        changedAt,
        older: undefined,
        newer: undefined,
      };
      documents.set(id, item);
      this.#add(item);
      return;
    }
    const grown = json.length - known.json.length;
    known.version = version;
    known.json = json;
    known.fields = fields;
    known.expiresAt = expiresAt;
    known.changedAt = changedAt;
    this.#touch(known);
    this.#grown(grown);
  }

  removeDocument(collection: string, id: string): void {
    const known = this.#collections.get(collection)?.get(id);
    if (known !== undefined) this.#drop(known);
  }

  log(name: string): KnownLog | undefined {
    const known = this.#logs.get(name);
    if (known !== undefined) this.#touch(known);
    return known;
  }

  makeLog(name: string, changedAt: number): KnownLog {
    const log: KnownLog = {
      kind: 'log',
      name,
      last: undefined,
      emptyBehind: undefined,
      trimmed: 0,
      entries: new Map(),
      changedAt,
      older: undefined,
      newer: undefined,
    };
    this.#logs.set(name, log);
    this.#add(log);
    return log;
  }

  removeLog(name: string): void {
    const known = this.#logs.get(name);
    if (known !== undefined) this.#drop(known);
  }

  setEntry(log: KnownLog, { sequence, at, json, covers }: EntryState): void {
    const before = log.entries.get(sequence);
    if (before !== undefined) this.#drop(before);
    const entry: KnownEntry = {
      kind: 'entry',
      log,
      sequence,
      at,
      json,
      covers: before === undefined ? covers : Math.min(covers, before.covers),
      older: undefined,
      newer: undefined,
    };
    log.entries.set(sequence, entry);
    this.#add(entry);
  }

  touchEntry(log: KnownLog, sequence: number): void {
    const known = log.entries.get(sequence);
    if (known !== undefined) this.#touch(known);
  }

  removeEntry(log: KnownLog, sequence: number): void {
    const known = log.entries.get(sequence);
    if (known !== undefined) this.#drop(known);
  }

  clear(): void {
    // A log that is forgotten may still be known to whoever takes its entries back: they are no links of the chain any more.
    for (let item = this.#oldest; item !== undefined; item = item.newer) {
      if (item.kind === 'entry') item.log.entries.clear();
    }
    this.#oldest = undefined;
    this.#newest = undefined;
    this.#collections.clear();
    this.#logs.clear();
    this.#bytes = 0;
  }

  #add(item: Item): void {
    this.#link(item);
    this.#grown(bytesOf(item));
  }

  #grown(bytes: number): void {
    this.#bytes += bytes;
    while (this.#bytes > this.#maximumBytes && this.#oldest !== undefined) {
      const dropped = this.#oldest;
      this.#drop(dropped);
      this.#onDropped(dropped.kind === 'log' ? dropped.name : undefined);
    }
  }

  #touch(item: Item): void {
    if (item === this.#newest) return;
    this.#unlink(item);
    this.#link(item);
  }

  #drop(item: Item): void {
    this.#unlink(item);
    // What is dropped would keep what came behind it, as long as the garbage collector has not come to it.
    item.older = undefined;
    item.newer = undefined;
    this.#bytes -= bytesOf(item);
    switch (item.kind) {
      case 'document':
        this.#collections.get(item.collection)?.delete(item.id);
        return;
      case 'entry':
        item.log.entries.delete(item.sequence);
        return;
      case 'log':
        this.#logs.delete(item.name);
        for (const entry of item.entries.values()) this.#drop(entry);
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

function bytesOf(item: Item): number {
  switch (item.kind) {
    case 'document':
      return OVERHEAD_BYTES + item.id.length + item.json.length;
    case 'entry':
      return OVERHEAD_BYTES + item.json.length;
    case 'log':
      return OVERHEAD_BYTES + item.name.length;
  }
}
