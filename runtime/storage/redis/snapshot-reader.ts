import { fault } from '../../contract/error-codes.ts';
import { MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { compareText } from '../collation.ts';
import { SNAPSHOT_BATCH_BYTES, SNAPSHOT_BATCH_RECORDS, SnapshotBatch } from '../snapshot-batch.ts';
import type { SnapshotRecord } from '../storage.ts';
import { type DamagedRecords, soundHead } from './damaged-records.ts';
import { decodeFields } from './index-text.ts';
import { numbered } from './log-elements.ts';
import { logPrefix, parseCounter } from './record-text.ts';
import type { RedisScript } from './redis-connection.ts';
import type { RedisServer } from './redis-server.ts';
import { SNAPSHOT_DOCUMENTS, SNAPSHOT_ENTRIES, SNAPSHOT_IDS, SNAPSHOT_LOGS } from './snapshot-scripts.ts';
import type { SnapshotValues } from './snapshot-values.ts';

/** Logs whose counters come in one answer. */
const LOGS = 200;

export interface OpenSnapshot {
  id: string;
  generation: string;
  collections: string[];
}

const FIRST_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;

/** Reads what was there when the snapshot began: the scripts that change anything meanwhile keep what it was before. */
export class SnapshotReader {
  readonly #server: RedisServer;
  readonly #values: SnapshotValues;
  readonly #damaged: DamagedRecords;
  readonly #snapshot: OpenSnapshot;
  readonly #now: number;
  /** Where the pieces of a text are put together. */
  #pieces = Buffer.allocUnsafeSlow(FIRST_BYTES);

  /** `now` decides what has expired. */
  constructor(
    server: RedisServer,
    values: SnapshotValues,
    damaged: DamagedRecords,
    snapshot: OpenSnapshot,
    now: number,
  ) {
    this.#server = server;
    this.#values = values;
    this.#damaged = damaged;
    this.#snapshot = snapshot;
    this.#now = now;
  }

  async *batches(): AsyncGenerator<SnapshotRecord[], void, void> {
    for (const collection of this.#snapshot.collections.toSorted(compareText)) {
      yield* this.#documents(collection);
    }
    const batch = new SnapshotBatch();
    for await (const records of this.#logs()) {
      for (const record of records) yield* batch.add(record);
    }
    yield* batch.rest();
  }

  async *#documents(collection: string): AsyncGenerator<SnapshotRecord[], void, void> {
    let after = '';
    for (;;) {
      const [present, removed] = (await this.#ask(
        SNAPSHOT_IDS,
        collection,
        after,
        SNAPSHOT_BATCH_RECORDS,
      )) as [string[], string[]];
      const gone = removed.map((name) => name.slice(collection.length + 1));
      const ids = [...new Set([...present, ...gone])].sort(compareText).slice(0, SNAPSHOT_BATCH_RECORDS);
      if (ids.length === 0) return;
      after = ids.at(-1) as string;
      while (ids.length > 0) {
        const answer = await this.#askBytes(SNAPSHOT_DOCUMENTS, collection, SNAPSHOT_BATCH_BYTES, ...ids);
        const records: SnapshotRecord[] = [];
        for (const [i, id] of ids.splice(0, answer.length / 2).entries()) {
          const [head, json] = [this.#textOf(answer[2 * i]), this.#textOf(answer[2 * i + 1])];
          const record = this.#document(collection, id, head, json);
          if (record !== undefined) records.push(record);
        }
        if (records.length > 0) yield records;
      }
    }
  }

  #document(
    collection: string,
    id: string,
    head: string | null,
    json: string | null,
  ): SnapshotRecord | undefined {
    const active = this.#isActive();
    // Kept as not having been there, or gone since the ids were read and never part of this snapshot.
    if (head === '') return undefined;
    if (head === null) {
      if (active) this.#damaged.strays(collection, [{ set: `i:${collection}`, member: id, head: '' }]);
      return undefined;
    }
    const parsed = soundHead(collection, id, head, json);
    if (parsed === undefined) {
      this.#damaged.document(collection, id, active);
      return undefined;
    }
    const { version, expiresAt, fields } = parsed;
    if (expiresAt !== null && expiresAt <= this.#now) return undefined;
    const expiry = expiresAt === null ? {} : { expiresAt };
    return {
      kind: 'document',
      collection,
      id,
      version,
      json: json as string,
      index: decodeFields(fields),
      ...expiry,
    };
  }

  async *#logs(): AsyncGenerator<SnapshotRecord[], void, void> {
    let after = '';
    for (;;) {
      const page = (await this.#ask(SNAPSHOT_LOGS, after, LOGS)) as (string | number)[];
      if (page.length === 0) return;
      for (let i = 0; i < page.length; i += 3) {
        const [log, counter, damaged] = page.slice(i, i + 3) as [string, string, number];
        after = log;
        if (damaged > 0) this.#damaged.found([`log ${log}`]);
        if (counter !== '-') yield* this.#log(log, counter);
      }
    }
  }

  async *#log(log: string, counter: string): AsyncGenerator<SnapshotRecord[], void, void> {
    const parsed = parseCounter(log, counter);
    if (parsed === undefined) this.#damaged.found([`log ${log}`]);
    const through = parsed?.through ?? 0;
    const entries: SnapshotRecord[][] = [];
    // A counter that is damaged is taken from the entries, so these must be known first.
    let last = parsed?.last ?? 0;
    if (parsed === undefined) {
      for await (const page of this.#entries(log, through, MAXIMUM_SEQUENCE)) {
        entries.push(page);
        for (const record of page) if (record.kind === 'entry') last = Math.max(last, record.sequence);
      }
    }
    yield [{ kind: 'log', log, lastSequence: last }];
    if (parsed === undefined) yield* entries;
    else if (last > through) yield* this.#entries(log, through, last);
  }

  async *#entries(log: string, after: number, last: number): AsyncGenerator<SnapshotRecord[], void, void> {
    let index: number | '' = '';
    for (;;) {
      const page = this.#page(
        await this.#askBytes(
          SNAPSHOT_ENTRIES,
          log,
          logPrefix(log),
          after,
          index,
          SNAPSHOT_BATCH_RECORDS,
          SNAPSHOT_BATCH_BYTES,
        ),
        log,
        after,
        last,
      );
      if (page === undefined) return;
      yield page.records;
      if (page.edge >= last) return;
      index = page.next;
    }
  }

  /**
   * What `SNAPSHOT_ENTRIES` answered, up to which number it goes, and the index behind it. Undefined when there is nothing more.
   * Apart from the generator, which would hold on to all that it names while it waits.
   */
  #page(
    answer: unknown[],
    log: string,
    after: number,
    last: number,
  ): { records: SnapshotRecord[]; edge: number; next: number } | undefined {
    const [from, first] = answer as [number, number];
    const elements = answer.slice(2).map((bytes) => this.#textOf(bytes)) as string[];
    if (elements.length === 0) return undefined;
    const records: SnapshotRecord[] = [];
    let edge = 0;
    for (const { sequence, entry } of numbered(log, elements, first) ?? []) {
      edge = Math.max(edge, sequence);
      if (sequence <= after || sequence > last || entry === 'gone') continue;
      if (entry === 'damaged') this.#damaged.entry(log, sequence, this.#isActive());
      else records.push({ kind: 'entry', log, sequence, at: entry.at, json: entry.json });
    }
    answer.length = 0;
    return { records, edge, next: from + elements.length };
  }

  /** Only of the active generation can damaged records be set aside. */
  #isActive(): boolean {
    return this.#snapshot.generation === this.#server.active;
  }

  /** Of bytes as a script answers them: long ones are in pieces. */
  #textOf(answer: unknown): string | null {
    const bytes = answer as Buffer | Buffer[] | null;
    if (!Array.isArray(bytes)) return bytes?.toString() ?? null;
    const length = bytes.reduce((sum, piece) => sum + piece.length, 0);
    if (length > this.#pieces.length) this.#pieces = Buffer.allocUnsafeSlow(length);
    let end = 0;
    for (const piece of bytes) end += piece.copy(this.#pieces, end);
    const text = this.#pieces.toString('utf8', 0, end);
    if (length > KEPT_BYTES) this.#pieces = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return text;
  }

  async #ask(script: RedisScript, ...args: (string | number)[]): Promise<unknown[]> {
    const { id, generation } = this.#snapshot;
    return checked(await this.#server.run(script, id, generation, ...args));
  }

  /** {@link #ask} for values, which become text here: text of each piece, and of all of them, would be twice as much. */
  async #askBytes(script: RedisScript, ...args: (string | number)[]): Promise<unknown[]> {
    const { id, generation } = this.#snapshot;
    return checked(await this.#values.ask(script, id, generation, ...args));
  }
}

/** What a script answers behind the word that the snapshot is still open. */
function checked(received: unknown): unknown[] {
  const [state, ...answer] = received as unknown[];
  // What the client answers stays reachable until V8 collects the whole heap: it makes functions that lead to the answer, of
  // a kind that is never young. With all values the memory would grow by many times a batch.
  (received as unknown[]).length = 0;
  if (String(state) === 'ok') return answer;
  throw fault(
    'storage.failed',
    'The snapshot was given up, because nothing was heard of its reader for too long.',
  );
}
