/**
 * One client of a storm: it commits, reads and sends again at random, over instances that are all open on the same data, and
 * notes what it did. Each commit appends an entry that is named by it, and most put the client's own document, whose value
 * is the number of the commit: so what is there in the end, or in a snapshot, says by itself whether it is whole. A `+`
 * behind an entry says that its commit put the document as well.
 */
import { isDeepStrictEqual } from 'node:util';
import { isCoded, messageOf } from '../../../base/errors.ts';
import type { CommitId, Operation, OperationResult, ReadQuery, Storage } from '../../storage.ts';
import { noticingSide } from './storm-instances.ts';
import { type Note, now, type Span } from './storm-notes.ts';
import type { Reader } from './storm-reader.ts';

export interface StormClientOptions {
  /** One or more, on the same data. */
  instances: readonly Storage[];
  /** More on the same data, by which it only reads. */
  readers: readonly Reader[];
  /** Unlike that of every other client of the storm. */
  writer: string;
  /** What it uses mostly, as do the other clients of its process; from 0. */
  home: number;
  /** From 0 up to but not including 1. */
  random: () => number;
  note: (...note: Note) => void;
  /** True when it shall begin nothing more. */
  isEnding: () => boolean;
}

/** Logs, and shared documents: few, so that clients and processes meet on them. */
const PLACES = 9;
/** The same, of which each is used now and then, and idle in between. */
const IDLE_PLACES = 6;
const PLACES_OF_A_HOME = 3;
const COUNTERS = 3;
/** Documents that expire and are deleted, and logs that are trimmed. */
const LAPSING = 5;
const TRIMMED = 2;
const PAGE = 4;
/** Entries of a read that are noted. */
const MOST_NOTED = 50;
/** A commit of unknown fate is sent again after up to so many milliseconds. */
const AGAIN_MS = 20;
/** After so many tries a server that works is not there: a storm calms down after a minute at the most. */
const TRIES = 20_000;

export class StormClient {
  readonly #options: StormClientOptions;
  readonly #random: () => number;
  /** The last version of each shared document that was told, to expect it. */
  readonly #versions = new Map<string, number>();
  /** The instance that it keeps to for a while: adapters have a quicker way for whoever wrote last. */
  #instance: Storage;

  constructor(options: StormClientOptions) {
    this.#options = options;
    this.#random = options.random;
    this.#instance = this.#pick(options.instances);
  }

  /** Resolves at the end, when the fate of all that was sent is known. */
  async run(): Promise<void> {
    for (let number = 1; !this.#options.isEnding(); number++) {
      if (this.#random() < 0.05) this.#instance = this.#pick(this.#options.instances);
      await this.#commit(number);
      while (this.#random() < 0.5) await this.#look();
      if (this.#random() < 0.2) await pause(this.#random() * 10);
      if (this.#random() < 0.01) await pause(this.#random() * 200);
    }
  }

  async #commit(number: number): Promise<void> {
    const { writer, note } = this.#options;
    const operations = await this.#operations(number);
    if (operations === undefined) return;
    const id = { writer, number };
    note('sent', id, operations);
    const began = now();
    const results = await this.#untilKnown(operations, id);
    if (results === undefined) return;
    note('acknowledged', id, results, this.#span(began));
    for (const [i, { version }] of results.entries()) {
      const operation = operations[i];
      if (operation?.kind === 'put' && version !== undefined) this.#versions.set(operation.id, version);
    }
    if (this.#random() < 0.03) await this.#sendAgain(operations, id);
  }

  /** Sent again and again until it is answered: over whichever instance. Undefined when it was refused. */
  async #untilKnown(operations: Operation[], id: CommitId): Promise<OperationResult[] | undefined> {
    const { note, instances } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        return await this.#instance.commit(operations, id);
      } catch (error) {
        if (isCoded(error, 'storage.version_conflict')) {
          note('refused', id);
          for (const operation of operations)
            if (operation.kind === 'put') this.#versions.delete(operation.id);
          return undefined;
        }
        if (!isAway(error) || tries === TRIES) {
          note('problem', `${id.writer}.${id.number} was rejected: ${codeOf(error)} ${messageOf(error)}`);
          return undefined;
        }
        this.#instance = this.#pick(instances);
        await pause(this.#random() * AGAIN_MS);
      }
    }
  }

  /** A commit that was answered is answered alike, over every instance, and by several at once. */
  async #sendAgain(operations: Operation[], id: CommitId): Promise<void> {
    const began = now();
    const again = await Promise.allSettled(
      this.#options.instances.map((instance) => instance.commit(operations, id)),
    );
    for (const answer of again) {
      const span = this.#span(began);
      if (answer.status === 'fulfilled') this.#options.note('acknowledged', id, answer.value, span);
      else if (isCoded(answer.reason, 'storage.version_conflict')) this.#options.note('forgotten', id, span);
      else this.#judge(answer.reason, `${id.writer}.${id.number} that was sent again`);
    }
  }

  /** Undefined when what it needs to know cannot be read now. */
  async #operations(number: number): Promise<Operation[] | undefined> {
    const { writer } = this.#options;
    const isOwn = this.#random() < 0.6;
    const value = `${writer}.${number}${isOwn ? '+' : ''}`;
    const operations: Operation[] = [{ kind: 'append', log: `messages/${this.#place()}`, value }];
    if (isOwn) {
      const index = { number, text: `t${number % 7}` };
      operations.push({ kind: 'put', collection: 'own', id: writer, value: number, index });
    }
    const kind = this.#random();
    if (kind < 0.35) operations.push(this.#shared(value));
    else if (kind < 0.45) {
      const counted = await this.#count(number);
      if (counted === undefined) return undefined;
      operations.push(counted);
    } else if (kind < 0.5) {
      const expiresAt = Date.now() + this.#one(this.#pick([40, 1_000]));
      const id = `l${this.#one(LAPSING)}`;
      operations.push({ kind: 'put', collection: 'lapsing', id, value, expiresAt });
    } else if (kind < 0.55) {
      operations.push({ kind: 'delete', collection: 'lapsing', id: `l${this.#one(LAPSING)}` });
    } else if (kind < 0.6) {
      const log = this.#trimmedLog();
      operations.push({ kind: 'append', log, value });
      if (this.#random() < 0.5) {
        const through = this.#pick([0, this.#one(500), Number.MAX_SAFE_INTEGER]);
        operations.push({ kind: 'trim', log, through });
      }
    } else if (kind < 0.62) operations.push({ kind: 'append', log: `brief/${writer}-${number}`, value });
    return operations;
  }

  #shared(value: string): Operation {
    const id = `d${this.#place()}`;
    const known = this.#random() < 0.3 ? this.#versions.get(id) : undefined;
    const expectation = known === undefined ? {} : { expectVersion: known };
    return { kind: 'put', collection: 'sessions', id, value, index: { value }, ...expectation };
  }

  /** A counter whose value is its version: each number must have been given once. */
  async #count(number: number): Promise<Operation | undefined> {
    const id = `c${this.#one(COUNTERS)}`;
    try {
      const version = await this.#get(this.#instance, 'counters', id);
      // With and without a field that the version before did not have.
      const index = { count: version + 1, ...(number % 2 === 0 ? { [`f${number % 3}`]: 'x' } : {}) };
      return { kind: 'put', collection: 'counters', id, value: version + 1, expectVersion: version, index };
    } catch (error) {
      this.#judge(error, `get counters/${id}`);
      return undefined;
    }
  }

  async #look(): Promise<void> {
    const kind = this.#random();
    const { readers, writer } = this.#options;
    const reader = this.#random() < 0.15 && readers.length > 0 ? this.#pick(readers) : this.#instance;
    try {
      if (kind < 0.4) await this.#get(reader, 'sessions', `d${this.#placeToRead()}`);
      else if (kind < 0.45) await this.#get(reader, 'own', writer);
      else if (kind < 0.5) await this.#lapsing(reader, `l${this.#one(LAPSING)}`);
      else if (kind < 0.55) await this.#read(reader, this.#trimmedLog());
      else await this.#read(reader, `messages/${this.#placeToRead()}`);
      if (this.#random() < 0.1) await this.#list(reader);
      if (this.#random() < 0.03) await this.#pages(reader);
    } catch (error) {
      this.#judge(error, 'a read');
    }
  }

  /** Answers the version; 0 when there is none. */
  async #get(reader: Reader, collection: string, id: string): Promise<number> {
    const began = now();
    const { result, side } = await noticingSide(() => reader.get(collection, id));
    const version = result?.version ?? 0;
    const span = this.#span(began, reader, side);
    this.#options.note('document', `${collection}/${id}`, version, result?.value, span);
    return version;
  }

  async #lapsing(reader: Reader, id: string): Promise<void> {
    const [began, readAt] = [now(), Date.now()];
    const { result, side } = await noticingSide(() => reader.get<string>('lapsing', id));
    this.#options.note('lapsing', id, result?.value ?? null, readAt, this.#span(began, reader, side));
  }

  async #read(reader: Reader, log: string): Promise<void> {
    const kind = this.#random();
    const last = kind < 0.7;
    const limit = this.#pick([5, 5, 50]);
    let query: ReadQuery = { reverse: true, limit };
    if (kind < 0.02) query = { limit: 10_000 };
    else if (!last) query = { limit, ...this.#pick([{}, { after: this.#one(100) }]) };
    const began = now();
    const { result, side } = await noticingSide(() => reader.read<string>(log, query));
    if (query.reverse) result.reverse();
    const found = result.slice(-MOST_NOTED).map(({ sequence, value }): [number, string] => [sequence, value]);
    this.#options.note('entries', log, found, last, this.#span(began, reader, side));
  }

  /** All sessions, page by page, each as new as it was when the first page was asked for. */
  async #pages(reader: Reader): Promise<void> {
    const { note } = this.#options;
    const found = new Map<string, [version: number, value: unknown]>();
    const began = now();
    let cursor: string | undefined;
    let before = '';
    do {
      const query = { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
      const { items, nextCursor } = await reader.list('sessions', query);
      for (const { id, version, value } of items) {
        if (id <= before) note('problem', `sessions/${id} was listed behind sessions/${before}`);
        before = id;
        found.set(id, [version, value]);
      }
      cursor = nextCursor;
    } while (cursor !== undefined);
    for (let place = 0; place < PLACES + IDLE_PLACES; place++) {
      const [version, value] = found.get(`d${place}`) ?? [0, undefined];
      note('document', `sessions/d${place}`, version, value, this.#span(began, reader, 'pages'));
    }
  }

  /** The field of a counter says the same as its value. */
  async #list(reader: Reader): Promise<void> {
    const { items } = await reader.list<number>('counters', {
      where: [{ field: 'count', from: 0 }],
      orderBy: { field: 'count', direction: 'descending' },
      limit: 10,
    });
    const values = items.map(({ value }) => value);
    const inOrder = values.toSorted((a, b) => b - a);
    if (!isDeepStrictEqual(values, inOrder)) {
      this.#options.note('problem', `the counters were listed as ${values}`);
    }
  }

  /** Only what is away is a reason for anything to fail. */
  #judge(error: unknown, what: string): void {
    if (isAway(error)) return;
    this.#options.note('problem', `${what} was rejected: ${codeOf(error)} ${messageOf(error)}`);
  }

  /** Mostly of its own process: whoever has something to itself for a while takes other ways. */
  #place(): number {
    if (this.#random() < 0.02) return this.#idlePlace();
    const isHome = this.#random() < 0.7;
    return isHome
      ? (this.#options.home * PLACES_OF_A_HOME + this.#one(PLACES_OF_A_HOME)) % PLACES
      : this.#one(PLACES);
  }

  /** What nobody is writing can be kept by whoever reads it. */
  #placeToRead(): number {
    return this.#random() < 0.4 ? this.#idlePlace() : this.#place();
  }

  #idlePlace(): number {
    return PLACES + this.#one(IDLE_PLACES);
  }

  #trimmedLog(): string {
    return `trimmed/${this.#one(TRIMMED)}`;
  }

  /** Of a call that ends now. */
  #span(began: number, over: Reader = this.#instance, side?: string): Span {
    const { writer, instances, readers } = this.#options;
    const place = [...instances, ...readers].indexOf(over);
    const answerer = side === undefined ? '' : `, ${side}`;
    return { began, ended: now(), by: `${writer}, instance ${place}${answerer}` };
  }

  #one(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#one(items.length)] as T;
  }
}

/** A server cannot be reached, or the instance is just being closed and opened again. */
function isAway(error: unknown): boolean {
  return isCoded(error, 'storage.unreachable') || isCoded(error, 'storage.closed');
}

function codeOf(error: unknown): string {
  return isCoded(error) ? error.code : 'unforeseen';
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
