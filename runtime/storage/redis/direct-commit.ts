import {
  type CheckedAppend,
  type CheckedOperation,
  type CheckedPut,
  MAXIMUM_SEQUENCE,
} from '../checked-input.ts';
import type { CommitId } from '../storage.ts';
import { DirectRequest } from './direct-script.ts';
import { changedFields, type EncodedField, fieldsText } from './index-text.ts';
import {
  type KnownDocument,
  type KnownLog,
  type KnownRecords,
  type KnownRing,
  RING,
} from './known-records.ts';
import { entryText, headParts, headText } from './record-text.ts';
import type { KeyPrefixes } from './redis-server.ts';

/** With more, the words of a command would not fit on the stack of Lua. */
const MAXIMUM_OPERATIONS = 500;
/** Of values. A request is one text, and one of 512 Mi characters cannot be made: that must not fail here, where nobody is told. */
const MAXIMUM_CHARACTERS = 64 * 1024 * 1024;

interface NamedCommit {
  operations: readonly CheckedOperation[];
  id: CommitId;
}

interface ChangedDocument extends KnownDocument {
  readonly known: KnownDocument;
  head: string;
  json: string;
}

interface ChangedLog {
  readonly known: KnownLog;
  last: number;
  readonly elements: { text: string; bytes: number }[];
}

/**
 * A group of commits, worked out by what is known of that which it touches: puts of documents that are there and keep which
 * fields they have, and appends to logs that are there.
 */
export class DirectCommit {
  /** What each commit is answered when it has been carried out. */
  readonly numbers: number[][] = [];
  /** By how many bytes there is more of values. */
  bytes = 0;
  readonly #known: KnownRecords;
  readonly #now: number;
  readonly #writer: string;
  /** By collection, then id. */
  readonly #documents = new Map<string, Map<string, ChangedDocument>>();
  readonly #logs = new Map<string, ChangedLog>();
  readonly #ring: KnownRing;
  #greatest: number;
  /** Slots with their texts. */
  readonly #remembered: string[] = [];
  #isFirstSlot = false;
  #characters = 0;

  private constructor(known: KnownRecords, ring: KnownRing, writer: string, now: number) {
    this.#known = known;
    this.#ring = ring;
    this.#greatest = ring.greatest;
    this.#writer = writer;
    this.#now = now;
  }

  /** Undefined when something else is in it, or too little is known. */
  static of(commits: readonly NamedCommit[], known: KnownRecords, now: number): DirectCommit | undefined {
    const writer = commits[0]?.id.writer ?? '';
    const ring = known.ring(writer);
    if (ring === undefined) return undefined;
    const direct = new DirectCommit(known, ring, writer, now);
    let count = 0;
    for (const { operations, id } of commits) {
      count += operations.length;
      if (id.writer !== writer || count > MAXIMUM_OPERATIONS || !direct.#add(operations, id.number))
        return undefined;
    }
    return direct.#characters > MAXIMUM_CHARACTERS ? undefined : direct;
  }

  /** `uncounted`: bytes of earlier groups that are still to be added. */
  toRequest({ namespace, generation }: KeyPrefixes, uncounted: number): DirectRequest {
    const request = new DirectRequest();
    for (const [collection, changed] of this.#documents) {
      const words = request.command('HSET', `${generation}d:${collection}`);
      for (const [id, { head, json, bytes }] of changed) {
        const idBytes = Buffer.byteLength(id);
        words.add(`h:${id}`, 2 + idBytes);
        words.add(head);
        words.add(`v:${id}`, 2 + idBytes);
        words.add(json, bytes);
      }
      changeIndexes(request, `${generation}x:${collection}:`, changed);
    }
    for (const [log, { elements }] of this.#logs) {
      const words = request.command('RPUSH', `${generation}m:${log}`);
      for (const { text, bytes } of elements) words.add(text, bytes);
    }
    const remembered = request.command('HSET', `${namespace}w:${this.#writer}`);
    for (const word of this.#remembered) remembered.addAscii(word);
    if (this.#isFirstSlot) {
      const words = request.command('ZADD', `${namespace}writers`);
      words.addAscii(String(this.#now));
      words.addAscii(this.#writer);
    }
    // The one command that fails when what is there was damaged; behind what keeps the commits from being carried out again.
    const bytes = this.bytes + uncounted;
    if (bytes !== 0) request.command('INCRBY', `${generation}z`).addAscii(String(bytes));
    return request;
  }

  /** From now on what it writes is taken for what is there. */
  believe(): void {
    for (const changed of this.#documents.values()) {
      for (const { known, version, fields, bytes } of changed.values()) {
        known.version = version;
        known.fields = fields;
        known.bytes = bytes;
      }
    }
    for (const { known, last } of this.#logs.values()) known.last = last;
    this.#ring.greatest = this.#greatest;
  }

  #add(operations: readonly CheckedOperation[], number: number): boolean {
    // It was carried out before, or may have been.
    if (number <= this.#greatest) return false;
    const numbers: number[] = [];
    for (const operation of operations) {
      const given =
        operation.kind === 'put'
          ? this.#put(operation)
          : operation.kind === 'append'
            ? this.#append(operation)
            : undefined;
      if (given === undefined) return false;
      numbers.push(given);
    }
    this.numbers.push(numbers);
    const slot = number % RING;
    this.#greatest = number;
    this.#isFirstSlot ||= slot === 0;
    this.#remembered.push(String(slot), this.#ring.text(number, numbers.join(',')));
    return true;
  }

  #put({ collection, id, json, valueCrc, fields, expectVersion, expiresAt }: CheckedPut): number | undefined {
    let changed = this.#documents.get(collection);
    const before = changed?.get(id);
    const known = before?.known ?? this.#known.document(collection, id);
    if (known === undefined || expiresAt !== null) return undefined;
    const last = before ?? known;
    if (expectVersion !== undefined && expectVersion !== last.version) return undefined;
    const after = changedFields(known.fields, fields);
    if (after === undefined) return undefined;
    const version = last.version + 1;
    this.#characters += json.length;
    const bytes = Buffer.byteLength(json);
    this.bytes += bytes - last.bytes;
    if (changed === undefined) {
      changed = new Map();
      this.#documents.set(collection, changed);
    }
    const head = headText(headParts(collection, id, valueCrc, fieldsText(after), null), version);
    changed.set(id, { known, head, json, version, fields: after, bytes });
    return version;
  }

  #append({ log, json, valueCrc }: CheckedAppend): number | undefined {
    let changed = this.#logs.get(log);
    if (changed === undefined) {
      const known = this.#known.log(log);
      if (known === undefined) return undefined;
      changed = { known, last: known.last, elements: [] };
      this.#logs.set(log, changed);
    }
    if (changed.last >= MAXIMUM_SEQUENCE) return undefined;
    changed.last += 1;
    this.#characters += json.length;
    const bytes = Buffer.byteLength(json);
    this.bytes += bytes;
    const text = entryText(changed.last, this.#now, json, changed.known.sum, valueCrc);
    // What stands before the value are digits and spaces.
    changed.elements.push({ text, bytes: text.length - json.length + bytes });
    return changed.last;
  }
}

/** Takes the members of former values out of the indexes, whose names begin with `prefix`, and puts the new ones in. */
function changeIndexes(
  request: DirectRequest,
  prefix: string,
  changed: ReadonlyMap<string, ChangedDocument>,
): void {
  const indexes = new Map<string, ReturnType<DirectRequest['index']>>();
  for (const [id, { known, fields }] of changed) {
    for (let i = 0; i < fields.length; i++) {
      const former = known.fields[i] as EncodedField;
      const next = fields[i] as EncodedField;
      if (next === former) continue;
      let index = indexes.get(next.name);
      if (index === undefined) {
        index = request.index(prefix + next.name);
        indexes.set(next.name, index);
      }
      index.gone.add(`${former.encoded}\0${id}`);
      index.come.add(`${next.encoded}\0${id}`);
    }
  }
}
