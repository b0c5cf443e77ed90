import type { PoolClient } from 'pg';
import { fieldsFromText } from '../checked-input.ts';
import type { LogEntry, SnapshotRecord, StorageFault, StoredDocument } from '../storage.ts';
import { WIDEST_GAP } from './commit-function.ts';
import type { Connections } from './connections.ts';
import {
  documentChecksum,
  entryChecksumsOf,
  logChecksum,
  numberOfChange,
  valueChecksum,
} from './record-checksum.ts';
import type { Row } from './row-query.ts';

/** What {@link RecordVerifier} reads a document from, of `smalltalk_documents d`. */
export const DOCUMENT_COLUMNS = 'd.generation, d.id, d.version, d.expires_at, d.crc, d.fields, d.json';

/** A document as the server sends it: all is text, whatever the columns are. */
export interface DocumentRow {
  /** Undefined: the active one. */
  generation: number | undefined;
  collection: string;
  id: string;
  version: number;
  expiresAt: number | null;
  crc: number;
  fields: string;
  json: string;
}

/** Of {@link DOCUMENT_COLUMNS}, which begin at `from`. */
export function documentRow(collection: string, row: Row, from = 0): DocumentRow & { generation: number } {
  const generation = Number(row[from]);
  return { ...foundRow(collection, row[from + 1] as string, row, from + 2), generation };
}

/** What {@link foundRow} reads a document from whose key is known. */
export const FOUND_COLUMNS = 'd.version, d.expires_at, d.crc, d.fields, d.json';

/** Of {@link FOUND_COLUMNS}, which begin at `from`, in the active generation. */
export function foundRow(collection: string, id: string, row: Row, from = 0): DocumentRow {
  const expiry = row[from + 1];
  return {
    generation: undefined,
    collection,
    id,
    version: Number(row[from]),
    expiresAt: expiry === null ? null : Number(expiry),
    crc: Number(row[from + 2]),
    fields: row[from + 3] as string,
    json: row[from + 4] as string,
  };
}

function isWhole({ collection, id, fields, expiresAt, json, version, crc }: DocumentRow): boolean {
  return documentChecksum(collection, id, fields, expiresAt, valueChecksum(json), version) === crc;
}

/**
 * Lets no damaged record pass: it is reported once and set aside in the table `smalltalk_damaged`. The checksums are
 * summed on this side of the connection, so they cover the whole way that the bytes came.
 */
export class RecordVerifier {
  readonly #onFault: ((fault: StorageFault) => void) | undefined;
  readonly #connections: Connections;
  readonly #reported = new Set<string>();
  /** What is being set aside; `close` waits for it. */
  readonly #work = new Set<Promise<void>>();

  constructor(onFault: ((fault: StorageFault) => void) | undefined, connections: Connections) {
    this.#onFault = onFault;
    this.#connections = connections;
  }

  document<T>(row: DocumentRow): StoredDocument<T> | undefined {
    if (!this.check(row)) return undefined;
    const { collection, id, version, expiresAt, json } = row;
    const value = JSON.parse(json) as T;
    return { collection, id, version, value, ...(expiresAt === null ? {} : { expiresAt }) };
  }

  /** True when the document is what was written. */
  check(row: DocumentRow): boolean {
    if (isWhole(row)) return true;
    const { collection, id } = row;
    this.#damaged(`document ${collection}/${id}`, () => this.#documentAside(row));
    return false;
  }

  /** Rows of sequence, at, crc and json, of the active generation. */
  entries<T>(log: string, rows: Row[]): LogEntry<T>[] {
    const entries: LogEntry<T>[] = [];
    const checksum = entryChecksumsOf(log);
    for (const row of rows) {
      const sequence = Number(row[0]);
      const at = Number(row[1]);
      const json = row[3] as string;
      if (checksum(valueChecksum(json), at, sequence) === Number(row[2])) {
        entries.push({ log, sequence, at, value: JSON.parse(json) as T });
      } else this.#damagedEntry(undefined, log, row[0] as string);
    }
    return entries;
  }

  snapshotDocument(row: DocumentRow): SnapshotRecord | undefined {
    if (!this.check(row)) return undefined;
    const { collection, id, version, json, fields, expiresAt } = row;
    const expiry = expiresAt === null ? {} : { expiresAt };
    return { kind: 'document', collection, id, version, json, index: fieldsFromText(fields), ...expiry };
  }

  snapshotEntry(generation: number, log: string, row: Row): SnapshotRecord | undefined {
    const [sequence, at, crc] = [Number(row[0]), Number(row[1]), Number(row[2])];
    const json = row[3] as string;
    if (entryChecksumsOf(log)(valueChecksum(json), at, sequence) === crc) {
      return { kind: 'entry', log, sequence, at, json };
    }
    this.#damagedEntry(generation, log, row[0] as string);
    return undefined;
  }

  /** `noted` is its row, if it has one; a damaged one is mended by the next append. `lastEntry` is what its entries tell. */
  snapshotLog(
    log: string,
    noted: { last: number; crc: number } | undefined,
    lastEntry: number,
  ): SnapshotRecord {
    const whole = noted !== undefined && logChecksum(log, noted.last) === noted.crc;
    if (noted !== undefined && !whole) this.report(`log ${log}`);
    return { kind: 'log', log, lastSequence: whole ? Math.max(noted.last, lastEntry) : lastEntry };
  }

  /** Tells of a record, unless that was done before. */
  report(record: string): boolean {
    if (this.#reported.has(record)) return false;
    this.#reported.add(record);
    const what = record.startsWith('log ')
      ? `The counter of the ${record} failed its checksum; the log goes on behind its last entry.`
      : record.startsWith('index ')
        ? `The ${record} says other than the document itself; it was made anew.`
        : `The ${record} failed its checksum; it was set aside and is not served.`;
    this.#onFault?.({ code: 'storage.corrupt_record', record, message: what });
    return true;
  }

  /** The record may be damaged once more, and is then a new fault. */
  forget(record: string): void {
    this.#reported.delete(record);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#work);
  }

  /** `sequence` as the server has it: damaged, it may be more than a number here holds exactly. */
  #damagedEntry(generation: number | undefined, log: string, sequence: string): void {
    this.#damaged(`entry ${log}#${sequence}`, () => this.#entryAside(generation, log, sequence));
  }

  #damaged(record: string, setAside: () => Promise<void>): void {
    if (!this.report(record)) return;
    const work = setAside().then(
      () => this.#reported.delete(record),
      // The server is away, or takes no writes: it stays where it is, and stays reported.
      () => undefined,
    );
    const tracked: Promise<void> = work.then(() => {
      this.#work.delete(tracked);
    });
    this.#work.add(tracked);
  }

  /** Looks at it again first: the fault may have been on the way, or the record may have been replaced meanwhile. */
  #documentAside({ generation: known, collection, id }: DocumentRow): Promise<void> {
    return this.#connections.transaction(async (client) => {
      const generation = await take(client, known);
      const { rows } = await client.query<Row>({
        text: `SELECT ${DOCUMENT_COLUMNS} FROM smalltalk_documents d
          WHERE d.generation = $1 AND d.collection = $2 AND d.id = $3 FOR UPDATE`,
        values: [generation, collection, id],
        rowMode: 'array',
      });
      if (rows[0] === undefined || isWhole(documentRow(collection, rows[0]))) return;
      await client.query('SELECT smalltalk_set_document_aside($1, $2, $3)', [generation, collection, id]);
    });
  }

  #entryAside(known: number | undefined, log: string, sequence: string): Promise<void> {
    return this.#connections.transaction(async (client) => {
      const generation = await take(client, known);
      const key = [generation, log, sequence];
      const { rows } = await client.query<Row>({
        text: `SELECT at, crc, json FROM smalltalk_entries
          WHERE generation = $1 AND log = $2 AND sequence = $3 FOR UPDATE`,
        values: key,
        rowMode: 'array',
      });
      if (rows[0] === undefined) return;
      const [at, crc] = [Number(rows[0][0]), Number(rows[0][1])];
      const checksum = entryChecksumsOf(log);
      const valueCrc = valueChecksum(rows[0][2] as string);
      if (checksum(valueCrc, at, Number(sequence)) === crc) return;
      await client.query(
        `WITH gone AS (DELETE FROM smalltalk_entries WHERE generation = $1 AND log = $2 AND sequence = $3
           RETURNING generation, log, sequence, at, crc, json)
         INSERT INTO smalltalk_damaged (record, columns, json)
         SELECT 'entry ' || log || '#' || sequence, concat_ws(' ', generation, at, crc), json FROM gone`,
        key,
      );
      const counter = await client.query<{ last: string }>(
        'SELECT smalltalk_counter($1, $2, $3)::text AS last',
        [generation, log, logChecksum(log)],
      );
      const last = Number(counter.rows[0]?.last);
      const given = givenNumber(sequence, numberOfChange(crc ^ checksum(valueCrc, at)), last);
      // With the last entry of a log goes what tells where it goes on.
      if (given > last) {
        await client.query('SELECT smalltalk_count($1, $2, $3, $4)', [
          generation,
          log,
          given,
          logChecksum(log),
        ]);
      }
    });
  }
}

/**
 * The number that a damaged entry was given, of which its checksum says `summed`: that is true if it is the number that is
 * damaged, and nothing otherwise. `last` is what the log knows of without it.
 */
function givenNumber(sequence: string, summed: number, last: number): number {
  const flipped = BigInt.asUintN(64, BigInt(sequence) ^ BigInt(summed));
  const isOneBit = flipped > 0n && (flipped & (flipped - 1n)) === 0n;
  if (summed >= 1 && (summed <= last + 1 || isOneBit)) return summed;
  // Not believed by the commits either.
  return Number(sequence) - last > WIDEST_GAP ? last + 1 : Number(sequence);
}

/** Lets nobody else write to the end of the transaction. Answers the generation, by default the active one. */
async function take(client: PoolClient, generation: number | undefined): Promise<number> {
  await client.query("SELECT smalltalk_take('')");
  if (generation !== undefined) return generation;
  const { rows } = await client.query<{ active: string }>('SELECT active FROM smalltalk_state');
  return Number(rows[0]?.active);
}
