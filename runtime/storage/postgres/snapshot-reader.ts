import { SNAPSHOT_BATCH_BYTES, SNAPSHOT_BATCH_RECORDS } from '../snapshot-batch.ts';
import type { SnapshotRecord } from '../storage.ts';
import { documentRow, type RecordVerifier } from './record-verifier.ts';
import type { Row } from './row-query.ts';

/** What the reader needs of a connection. */
export interface SnapshotClient {
  query(config: { text: string; values?: unknown[]; rowMode: 'array' }): Promise<{ rows: Row[] }>;
}

/** A value up to so many bytes comes with its row; larger ones are fetched as they are needed. */
const INLINE_BYTES = 8 * 1024;

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
 * nothing that a commit or an activation takes. At most some MB are in memory, whatever the size of the values.
 */
export class SnapshotReader {
  readonly #client: SnapshotClient;
  readonly #verifier: RecordVerifier;
  readonly #generation: number;
  readonly #now: number;

  constructor(client: SnapshotClient, verifier: RecordVerifier, generation: number, now: number) {
    this.#client = client;
    this.#verifier = verifier;
    this.#generation = generation;
    this.#now = now;
  }

  async *batches(): AsyncGenerator<SnapshotRecord[], void, void> {
    let batch: SnapshotRecord[] = [];
    let bytes = 0;
    for await (const record of this.#records()) {
      batch.push(record);
      bytes += record.kind === 'log' ? 0 : record.json.length;
      if (batch.length < SNAPSHOT_BATCH_RECORDS && bytes < SNAPSHOT_BATCH_BYTES) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) yield batch;
  }

  async *#records(): AsyncGenerator<SnapshotRecord, void, void> {
    for await (const row of this.#rows(DOCUMENTS)) {
      const [collection, id, version, expiresAt, crc, fields, , value] = row;
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
      if (record !== undefined && living) yield record;
    }
    yield* this.#logs();
  }

  async *#logs(): AsyncGenerator<SnapshotRecord, void, void> {
    const entries = this.#rows(ENTRIES);
    let entry = await entries.next();
    const counters = this.#cursor(
      'smalltalk_logs',
      `SELECT n, l.last_sequence, l.crc, smalltalk_last_entry($1, n, coalesce(l.last_sequence, 0))
       FROM smalltalk_log_names($1) n LEFT JOIN smalltalk_logs l ON l.generation = $1 AND l.name = n`,
    );
    for await (const page of counters) {
      for (const [name, last, crc, lastEntry] of page) {
        const log = name as string;
        const noted = last === null ? undefined : { last: Number(last), crc: Number(crc) };
        yield this.#verifier.snapshotLog(log, noted, Number(lastEntry ?? 0));
        while (entry.done !== true && entry.value[0] === log) {
          const [, sequence, at, ownCrc, , value] = entry.value;
          const record = this.#verifier.snapshotEntry(this.#generation, log, [sequence, at, ownCrc, value]);
          if (record !== undefined) yield record;
          entry = await entries.next();
        }
      }
    }
  }

  /** All rows of a table with their values. */
  async *#rows(table: typeof DOCUMENTS | typeof ENTRIES): AsyncGenerator<Row, void, void> {
    const [first, second] = table.key;
    const select = `SELECT ${table.columns} FROM ${table.table} WHERE generation = $1 ORDER BY ${first}, ${second}`;
    for await (const page of this.#cursor(table.name, select)) {
      for (let i = 0; i < page.length; i++) {
        const row = page[i] as Row;
        if (row.at(-1) === null) await this.#fetchValues(table, page, i);
        yield row;
        // It may be large, and the page stays until its last row.
        row.length = 0;
      }
    }
  }

  /** The values of the rows from one on, as many as make up a batch; at least of that one. */
  async #fetchValues(table: typeof DOCUMENTS | typeof ENTRIES, page: Row[], from: number): Promise<void> {
    const wanted: Row[] = [];
    let bytes = 0;
    for (let i = from; i < page.length; i++) {
      const row = page[i] as Row;
      if (row.at(-1) !== null) continue;
      bytes += Number(row.at(-2));
      if (wanted.length > 0 && bytes > SNAPSHOT_BATCH_BYTES) break;
      wanted.push(row);
    }
    const [first, second, type] = table.key;
    const { rows } = await this.#client.query({
      text: `SELECT w.place, t.json FROM unnest($2::text[], $3::${type}[]) WITH ORDINALITY w (a, b, place)
        JOIN ${table.table} t ON t.generation = $1 AND t.${first} = w.a AND t.${second} = w.b`,
      values: [this.#generation, wanted.map((row) => row[0]), wanted.map((row) => row[1])],
      rowMode: 'array',
    });
    for (const [place, value] of rows) {
      const row = wanted[Number(place) - 1];
      if (row !== undefined) row[row.length - 1] = value;
    }
  }

  async *#cursor(name: string, select: string): AsyncGenerator<Row[], void, void> {
    // A cursor takes no parameters; this one is a whole number of the server's own.
    const bound = select.replaceAll('$1', String(this.#generation));
    await this.#client.query({ text: `DECLARE ${name} NO SCROLL CURSOR FOR ${bound}`, rowMode: 'array' });
    for (;;) {
      const { rows } = await this.#client.query({
        text: `FETCH ${SNAPSHOT_BATCH_RECORDS} FROM ${name}`,
        rowMode: 'array',
      });
      if (rows.length > 0) yield rows;
      if (rows.length < SNAPSHOT_BATCH_RECORDS) return;
    }
  }
}
