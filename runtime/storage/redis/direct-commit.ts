import {
  type CheckedAppend,
  type CheckedOperation,
  type CheckedPut,
  MAXIMUM_SEQUENCE,
} from '../checked-input.ts';
import type { CommitId } from '../storage.ts';
import {
  type KnownDocument,
  type KnownLog,
  type KnownRecords,
  type KnownRing,
  RING,
} from './known-records.ts';
import { entryText, headParts, headText } from './record-text.ts';
import type { RedisArgument } from './redis-connection.ts';
import type { KeyPrefixes } from './redis-server.ts';

/** With more, the words of a command would not fit on the stack of Lua. */
const MAXIMUM_OPERATIONS = 500;

interface NamedCommit {
  operations: readonly CheckedOperation[];
  id: CommitId;
}

interface ChangedField {
  name: string;
  former: string;
  next: string;
}

interface ChangedDocument extends KnownDocument {
  readonly known: KnownDocument;
  readonly changedFields: ChangedField[];
  head: string;
  json: string;
}

interface ChangedLog {
  readonly known: KnownLog;
  last: number;
  readonly elements: string[];
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
  readonly #remembered: RedisArgument[] = [];
  #isFirstSlot = false;

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
    return direct;
  }

  /**
   * What `DIRECT` takes, to make `next` the owner after `owner`. `uncounted`: bytes of earlier groups that are still to be added.
   */
  toArguments(
    { namespace, generation }: KeyPrefixes,
    owner: string,
    next: string,
    uncounted: number,
  ): RedisArgument[] {
    const args: RedisArgument[] = [owner, next];
    for (const [collection, changed] of this.#documents) {
      args.push(2 + 4 * changed.size, 'HSET', `${generation}d:${collection}`);
      for (const [id, { head, json }] of changed) args.push(`h:${id}`, head, `v:${id}`, json);
      pushIndex(args, `${generation}x:${collection}:`, changed);
    }
    for (const [log, { elements }] of this.#logs) {
      args.push(2 + elements.length, 'RPUSH', `${generation}m:${log}`);
      for (const element of elements) args.push(element);
    }
    const bytes = this.bytes + uncounted;
    if (bytes !== 0) args.push(3, 'INCRBY', `${generation}z`, bytes);
    args.push(2 + this.#remembered.length, 'HSET', `${namespace}w:${this.#writer}`);
    for (const word of this.#remembered) args.push(word);
    if (this.#isFirstSlot) args.push(4, 'ZADD', `${namespace}writers`, this.#now, this.#writer);
    return args;
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
    this.#remembered.push(slot, this.#ring.text(number, numbers.join(',')));
    return true;
  }

  #put({ collection, id, json, valueCrc, fields, expectVersion, expiresAt }: CheckedPut): number | undefined {
    let changed = this.#documents.get(collection);
    const before = changed?.get(id);
    const known = before?.known ?? this.#known.document(collection, id);
    if (known === undefined || expiresAt !== null) return undefined;
    const last = before ?? known;
    if (expectVersion !== undefined && expectVersion !== last.version) return undefined;
    const parts = headParts(collection, id, valueCrc, fields, null);
    const changedFields = changesOf(known.fields, parts.fields);
    if (changedFields === undefined) return undefined;
    const version = last.version + 1;
    const bytes = Buffer.byteLength(json);
    this.bytes += bytes - last.bytes;
    if (changed === undefined) {
      changed = new Map();
      this.#documents.set(collection, changed);
    }
    const head = headText(parts, version);
    changed.set(id, { known, changedFields, head, json, version, fields: parts.fields, bytes });
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
    this.bytes += Buffer.byteLength(json);
    changed.elements.push(entryText(changed.last, this.#now, json, changed.known.sum, valueCrc));
    return changed.last;
  }
}

/** The fields that are other ones, of two texts of fields; undefined when these do not have the same names, in the same order. */
function changesOf(before: string, after: string): ChangedField[] | undefined {
  const changes: ChangedField[] = [];
  if (before === after) return changes;
  let at = 0;
  let from = 0;
  while (at < before.length && from < after.length) {
    const nameEnd = before.indexOf('\0', at);
    const valueEnd = before.indexOf('\0', nameEnd + 1);
    const name = before.slice(at, nameEnd);
    const ownNameEnd = after.indexOf('\0', from);
    const ownValueEnd = after.indexOf('\0', ownNameEnd + 1);
    if (name !== after.slice(from, ownNameEnd)) return undefined;
    const former = before.slice(nameEnd + 1, valueEnd);
    const next = after.slice(ownNameEnd + 1, ownValueEnd);
    if (former !== next) changes.push({ name, former, next });
    at = valueEnd + 1;
    from = ownValueEnd + 1;
  }
  return at === before.length && from === after.length ? changes : undefined;
}

/** Takes the members of former values out of the indexes, whose names begin with `prefix`, and puts the new ones in. */
function pushIndex(
  args: RedisArgument[],
  prefix: string,
  changed: ReadonlyMap<string, ChangedDocument>,
): void {
  const fields = new Map<string, { gone: string[]; come: string[] }>();
  for (const [id, { changedFields }] of changed) {
    for (const { name, former, next } of changedFields) {
      let members = fields.get(name);
      if (members === undefined) {
        members = { gone: [], come: [] };
        fields.set(name, members);
      }
      members.gone.push(`${former}\0${id}`);
      members.come.push('0', `${next}\0${id}`);
    }
  }
  for (const [name, { gone, come }] of fields) {
    const key = prefix + name;
    args.push(2 + gone.length, 'ZREM', key, ...gone, 2 + come.length, 'ZADD', key, ...come);
  }
}
