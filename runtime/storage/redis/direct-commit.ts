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
import { entryText, headParts, headText, rememberedText } from './record-text.ts';
import type { RedisArgument } from './redis-connection.ts';

/** With more, the words of a command would not fit on the stack of Lua. */
const MAXIMUM_OPERATIONS = 500;

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
   * The commands that carry it out, for `DIRECT`. `namespace` and `generation` are what the names of keys begin with;
   * `uncounted`: bytes of earlier groups that are still to be added.
   */
  toArguments(namespace: string, generation: string, uncounted: number): RedisArgument[] {
    const args: RedisArgument[] = [];
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
    args.push(2 + this.#remembered.length, 'HSET', `${namespace}:w:${this.#writer}`);
    for (const word of this.#remembered) args.push(word);
    if (this.#isFirstSlot) args.push(4, 'ZADD', `${namespace}:writers`, this.#now, this.#writer);
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
    this.#remembered.push(slot, rememberedText(this.#ring.prefix, number, numbers.join(',')));
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
    if (parts.fields !== known.fields && !haveSameNames(parts.fields, known.fields)) return undefined;
    const version = last.version + 1;
    const bytes = Buffer.byteLength(json);
    this.bytes += bytes - last.bytes;
    if (changed === undefined) {
      changed = new Map();
      this.#documents.set(collection, changed);
    }
    changed.set(id, { known, head: headText(parts, version), json, version, fields: parts.fields, bytes });
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

/** Of two texts of fields, which are in the order of their names. */
function haveSameNames(fields: string, others: string): boolean {
  const [one, two] = [fields.split('\0'), others.split('\0')];
  return one.length === two.length && one.every((part, i) => i % 2 === 1 || part === two[i]);
}

/** Takes the members of former values out of the indexes, whose names begin with `prefix`, and puts the new ones in. */
function pushIndex(
  args: RedisArgument[],
  prefix: string,
  changed: ReadonlyMap<string, ChangedDocument>,
): void {
  let fields: Map<string, { gone: string[]; come: string[] }> | undefined;
  for (const [id, { known, fields: own }] of changed) {
    if (known.fields === own) continue;
    const former = known.fields.split('\0');
    const next = own.split('\0');
    for (let i = 0; i + 1 < next.length; i += 2) {
      if (former[i + 1] === next[i + 1]) continue;
      const name = next[i] as string;
      fields ??= new Map();
      let members = fields.get(name);
      if (members === undefined) {
        members = { gone: [], come: [] };
        fields.set(name, members);
      }
      members.gone.push(`${former[i + 1]}\0${id}`);
      members.come.push('0', `${next[i + 1]}\0${id}`);
    }
  }
  if (fields === undefined) return;
  for (const [name, { gone, come }] of fields) {
    args.push(2 + gone.length, 'ZREM', prefix + name, ...gone);
    args.push(2 + come.length, 'ZADD', prefix + name, ...come);
  }
}
