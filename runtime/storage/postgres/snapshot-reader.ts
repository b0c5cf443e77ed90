import { SNAPSHOT_BATCH_BYTES, SnapshotBatch } from '../snapshot-batch.ts';
import type { SnapshotRecord } from '../storage.ts';
import { textArray } from './array-text.ts';
import { documentRow, type RecordVerifier } from './record-verifier.ts';
import type { Row } from './row-query.ts';
import type { RowReceiver } from './row-receiver.ts';

/** Rows that come in one answer, … */
const ROWS = 250;
/** … each with its value if that has at most so many bytes; larger ones are fetched as they are needed. */
const INLINE_BYTES = 1024;

const json = `octet_length(json), CASE WHEN octet_length(json) <= ${INLINE_BYTES} THEN json END`;

/** The rows that are streamed: the key in two columns, others, the size of the value, the value unless it is large. */
const DOCUMENTS = {
  name: 'smalltalk_documents',
  columns: `collection, id, version, expires_at, crc, fields, ${json}`,
  table: 'smalltalk_documents',
  key: ['collection', 'id', 'text'],
} as const;
const ENTRIES = {
  name: 'smalltalk_entries',
  columns: `log, sequence, at, crc, ${json}`,
  table: 'smalltalk_entries',
  key: ['log', 'sequence', 'bigint'],
} as const;

/**
 * Streams one generation, through cursors of a transaction that sees everything as it was when it began, and that locks
 * nothing that a commit or an activation takes. At most some 100 KB are in memory, or one value that is larger.
 */
export class SnapshotReader {
  readonly #receiver: RowReceiver;
  readonly #verifier: RecordVerifier;
  readonly #generation: number;
  readonly #now: number;

  constructor(receiver: RowReceiver, verifier: RecordVerifier, generation: number, now: number) {
    this.#receiver = receiver;
    this.#verifier = verifier;
    this.#generation = generation;
    this.#now = now;
  }

  async *batches(): AsyncGenerator<SnapshotRecord[], void, void> {
    const batch = new SnapshotBatch();
    for await (const rows of this.#parts(DOCUMENTS)) {
      yield* rows.flatMap((row) => this.#document(row)).flatMap((record) => batch.add(record));
    }
    for await (const records of this.#logs()) yield* records.flatMap((record) => batch.add(record));
    yield* batch.rest();
  }

  #document([collection, id, version, expiresAt, crc, fields, , value]: Row): SnapshotRecord[] {
    const document = documentRow(collection as string, [
      this.#generation,
      id,
      version,
      expiresAt,
      crc,
      fields,
      value,
    ]);
    const record = this.#verifier.snapshotDocument(document);
    // Only now, when the time of its expiry is known to be what was written.
    const living = document.expiresAt === null || document.expiresAt > this.#now;
    return record !== undefined && living ? [record] : [];
  }

  #entry(log: string, [, sequence, at, crc, , value]: Row): SnapshotRecord[] {
    const record = this.#verifier.snapshotEntry(this.#generation, log, [sequence, at, crc, value]);
    return record === undefined ? [] : [record];
  }

  async *#logs(): AsyncGenerator<SnapshotRecord[], void, void> {
    const parts = this.#parts(ENTRIES);
    /** The entries that were read last and belong to no log before. */
    let entries: Row[] = [];
    const counters = this.#cursor(
      'smalltalk_logs',
      `SELECT n, l.last_sequence, l.crc, smalltalk_last_entry($1, n, coalesce(l.last_sequence, 0))
       FROM smalltalk_log_names($1) n LEFT JOIN smalltalk_logs l ON l.generation = $1 AND l.name = n`,
    );
    for await (const page of counters) {
      for (const [name, last, crc, lastEntry] of page) {
        const log = name as string;
        const noted = last === null ? undefined : { last: Number(last), crc: Number(crc) };
        yield [this.#verifier.snapshotLog(log, noted, Number(lastEntry ?? 0))];
        for (;;) {
          if (entries.length === 0) entries = (await parts.next()).value ?? [];
          const own = entries.findIndex(([of]) => of !== log);
          const taken = entries.splice(0, own < 0 ? entries.length : own);
          if (taken.length === 0) break;
          yield taken.flatMap((row) => this.#entry(log, row));
        }
      }
    }
  }

  /** All rows of a table with their values, as many at a time as make up a batch. */
  async *#parts(table: typeof DOCUMENTS | typeof ENTRIES): AsyncGenerator<Row[], void, void> {
    const [first, second] = table.key;
    const select = `SELECT ${table.columns} FROM ${table.table} WHERE generation = $1 ORDER BY ${first}, ${second}`;
    for await (const page of this.#cursor(table.name, select)) {
      while (page.length > 0) yield await this.#withValues(table, page.splice(0, partOf(page)));
    }
  }

  /**
   * The rows with the values that they came without. In new rows: those that came may have grown old by V8's count, and would
   * then keep the values until the whole heap is collected.
   */
  async #withValues(table: typeof DOCUMENTS | typeof ENTRIES, rows: Row[]): Promise<Row[]> {
    const wanted = rows.filter((row) => row.at(-1) === null);
    if (wanted.length === 0) return rows;
    const [first, second, type] = table.key;
    const found = await this.#receiver.ask(
      `SELECT w.place, t.json FROM unnest($2::text[], $3::${type}[]) WITH ORDINALITY w (a, b, place)
        JOIN ${table.table} t ON t.generation = $1 AND t.${first} = w.a AND t.${second} = w.b`,
      [
        this.#generation,
        textArray(wanted.map((row) => row[0] as string)),
        textArray(wanted.map((row) => row[1] as string)),
      ],
    );
    const values = new Map(found.map(([place, value]) => [wanted[Number(place) - 1], value]));
    return rows.map((row) => (values.has(row) ? row.with(-1, values.get(row)) : row));
  }

  async *#cursor(name: string, select: string): AsyncGenerator<Row[], void, void> {
    // A cursor takes no parameters; this one is a whole number of the server's own.
    const bound = select.replaceAll('$1', String(this.#generation));
    await this.#receiver.ask(`DECLARE ${name} NO SCROLL CURSOR FOR ${bound}`);
    for (;;) {
      const rows = await this.#receiver.ask(`FETCH ${ROWS} FROM ${name}`);
      // Whoever takes it may take it apart.
      const isLast = rows.length < ROWS;
      if (rows.length > 0) yield rows;
      if (isLast) return;
    }
  }
}

/** How many of the rows make up a batch, by the sizes of their values; at least one. */
function partOf(rows: Row[]): number {
  let size = 0;
  const end = rows.findIndex((row, i) => {
    size += Number(row.at(-2));
    return i > 0 && size > SNAPSHOT_BATCH_BYTES;
  });
  return end < 0 ? rows.length : end;
}
