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
  rememberedText,
} from './known-records.ts';
import { counterText, entryText, headParts, headText } from './record-text.ts';
import type { RedisArgument } from './redis-connection.ts';

/** With more, the words of a command would not fit on the stack of Lua. */
const MAXIMUM_OPERATIONS = 500;

interface NamedCommit {
  operations: readonly CheckedOperation[];
  id: CommitId;
}

interface Change<T> {
  before: T;
  after: T;
}

interface ChangedDocument extends Change<KnownDocument> {
  json: string;
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
  readonly #logs = new Map<string, Change<KnownLog>>();
  /** Log, sequence and record of each. */
  readonly #entries: [log: string, sequence: number, record: string][] = [];
  readonly #ring: KnownRing;
  readonly #remembered: { slot: number; text: string }[] = [];
  private constructor(known: KnownRecords, ring: KnownRing, writer: string, now: number) {
    this.#known = known;
    this.#ring = ring;
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

  /** Of `DIRECT`, without the generation. `uncounted`: bytes of earlier groups that are still to be added. */
  toArguments(uncounted: number): RedisArgument[] {
    const { texts, last } = this.#ring;
    const remembered = this.#remembered;
    const args: RedisArgument[] = [this.#writer, remembered.length + 1];
    for (const { slot } of remembered) args.push(slot);
    // The commit before these is looked for, too: it may be on its way, and if it was not carried out, these must not be.
    const before = last ?? (remembered[0]?.slot as number);
    args.push(before);
    for (const { slot } of remembered) args.push(texts[slot] ?? '');
    args.push(texts[before] ?? '', this.#documents.size);
    for (const [collection, changed] of this.#documents) {
      args.push(collection, changed.size, ...changed.keys());
      for (const { before } of changed.values()) args.push(before.head);
    }
    args.push(this.#logs.size, ...this.#logs.keys());
    for (const { before } of this.#logs.values()) args.push(before.counter);

    for (const changed of this.#documents.values()) {
      for (const [id, { after }] of changed) args.push(id, after.head);
      for (const [id, { json }] of changed) args.push(id, json);
      pushIndex(args, changed);
    }
    args.push(this.#entries.length);
    for (const [log, sequence, record] of this.#entries) args.push(log, `${sequence}-0`, record);
    for (const [log, { after }] of this.#logs) args.push(log, after.counter);
    args.push(this.bytes + uncounted, remembered.length);
    for (const { slot, text } of remembered) args.push(slot, text);
    args.push(remembered.some(({ slot }) => slot === 0) ? this.#now : '');
    return args;
  }

  /** From now on what it writes is taken for what is there. */
  believe(): void {
    for (const [collection, changed] of this.#documents) {
      for (const [id, { after }] of changed) this.#known.setDocument(collection, id, after);
    }
    for (const [log, { after }] of this.#logs) this.#known.setLog(log, after);
    for (const { slot, text } of this.#remembered) this.#ring.texts[slot] = text;
    this.#ring.last = this.#remembered.at(-1)?.slot;
  }

  #add(operations: readonly CheckedOperation[], number: number): boolean {
    const slot = number % RING;
    // It was carried out before, or is twice in the group.
    if (this.#ring.texts[slot]?.startsWith(`${number} `) === true) return false;
    if (this.#remembered.some((other) => other.slot === slot)) return false;
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
    this.#remembered.push({
      slot: number % RING,
      text: rememberedText(this.#writer, number, numbers.join(',')),
    });
    return true;
  }

  #put({ collection, id, json, valueCrc, fields, expectVersion, expiresAt }: CheckedPut): number | undefined {
    let changed = this.#documents.get(collection);
    const known = changed?.get(id);
    const before = known?.after ?? this.#known.document(collection, id);
    if (before === undefined || expiresAt !== null) return undefined;
    if (expectVersion !== undefined && expectVersion !== before.version) return undefined;
    const parts = headParts(collection, id, valueCrc, fields, null);
    const version = before.version + 1;
    const bytes = Buffer.byteLength(json);
    const after = { head: headText(parts, version), version, fields: parts.fields, bytes };
    if (after.fields !== before.fields && !haveSameNames(after.fields, before.fields)) return undefined;
    this.bytes += bytes - before.bytes;
    if (known !== undefined) {
      known.after = after;
      known.json = json;
    } else {
      changed ??= new Map();
      this.#documents.set(collection, changed.set(id, { before, after, json }));
    }
    return version;
  }

  #append({ log, json, valueCrc }: CheckedAppend): number | undefined {
    const changed = this.#logs.get(log);
    const before = changed?.after ?? this.#known.log(log);
    if (before === undefined || before.last >= MAXIMUM_SEQUENCE) return undefined;
    const sequence = before.last + 1;
    const size = Buffer.byteLength(json);
    const bytes = before.bytes + size;
    const after = { last: sequence, through: before.through, bytes, counter: '' };
    after.counter = counterText(log, after.last, after.through, bytes);
    this.bytes += size;
    this.#entries.push([log, sequence, entryText(log, sequence, this.#now, json, valueCrc)]);
    if (changed === undefined) this.#logs.set(log, { before, after });
    else changed.after = after;
    return sequence;
  }
}

/** Of two texts of fields, which are in the order of their names. */
function haveSameNames(fields: string, others: string): boolean {
  const [one, two] = [fields.split('\0'), others.split('\0')];
  return one.length === two.length && one.every((part, i) => i % 2 === 1 || part === two[i]);
}

/** The members of former values that are to be taken out of the indexes, and the new ones. */
function pushIndex(args: RedisArgument[], changed: ReadonlyMap<string, ChangedDocument>): void {
  const fields = new Map<string, { gone: string[]; come: string[] }>();
  for (const [id, { before, after }] of changed) {
    if (before.fields === after.fields) continue;
    const former = before.fields.split('\0');
    const next = after.fields.split('\0');
    for (let i = 0; i + 1 < next.length; i += 2) {
      if (former[i + 1] === next[i + 1]) continue;
      const name = next[i] as string;
      let members = fields.get(name);
      if (members === undefined) {
        members = { gone: [], come: [] };
        fields.set(name, members);
      }
      members.gone.push(`${former[i + 1]}\0${id}`);
      members.come.push('0', `${next[i + 1]}\0${id}`);
    }
  }
  args.push(fields.size);
  for (const [name, { gone, come }] of fields) args.push(name, gone.length, ...gone, ...come);
}
