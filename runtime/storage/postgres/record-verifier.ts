import { fieldsFromText } from '../checked-input.ts';
import type { LogEntry, SnapshotRecord, StorageFault, StoredDocument } from '../storage.ts';
import type { Connections, Row } from './connections.ts';
import { documentChecksum, entryChecksumsOf, logChecksum, valueChecksum } from './record-checksum.ts';

/** What {@link RecordVerifier} reads a document from, of `smalltalk_documents d`. */
export const DOCUMENT_COLUMNS = 'd.generation, d.id, d.version, d.expires_at, d.crc, d.fields, d.json';

/** A document as the server sends it: all is text, whatever the columns are. */
export interface DocumentRow {
  generation: number;
  collection: string;
  id: string;
  version: number;
  expiresAt: number | null;
  crc: number;
  fields: string;
  json: string;
}

/** Of {@link DOCUMENT_COLUMNS}, which begin at `from`. */
export function documentRow(collection: string, row: Row, from = 0): DocumentRow {
  const expiry = row[from + 3];
  return {
    generation: Number(row[from]),
    collection,
    id: row[from + 1] as string,
    version: Number(row[from + 2]),
    expiresAt: expiry === null ? null : Number(expiry),
    crc: Number(row[from + 4]),
    fields: row[from + 5] as string,
    json: row[from + 6] as string,
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
    this.#damaged(`document ${collection}/${id}`, row.generation, () => this.#documentAside(row));
    return false;
  }

  /** Rows of generation, sequence, at, crc and json. */
  entries<T>(log: string, rows: Row[]): LogEntry<T>[] {
    const entries: LogEntry<T>[] = [];
    const checksum = entryChecksumsOf(log);
    for (const row of rows) {
      const sequence = Number(row[1]);
      const at = Number(row[2]);
      const json = row[4] as string;
      if (checksum(valueChecksum(json), at, sequence) === Number(row[3])) {
        entries.push({ log, sequence, at, value: JSON.parse(json) as T });
      } else this.#damagedEntry(Number(row[0]), log, sequence);
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
    this.#damagedEntry(generation, log, sequence);
    return undefined;
  }

  /** `greatest` is the last entry that is there; a damaged counter is mended by the next append. */
  snapshotLog(log: string, lastSequence: number, crc: number, greatest: number): SnapshotRecord {
    const whole = logChecksum(log, lastSequence) === crc;
    if (!whole) this.report(`log ${log}`);
    return { kind: 'log', log, lastSequence: whole ? Math.max(lastSequence, greatest) : greatest };
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

  #damagedEntry(generation: number, log: string, sequence: number): void {
    this.#damaged(`entry ${log}#${sequence}`, generation, () => this.#entryAside(generation, log, sequence));
  }

  #damaged(record: string, _generation: number, setAside: () => Promise<void>): void {
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
  #documentAside({ generation, collection, id }: DocumentRow): Promise<void> {
    return this.#connections.transaction(async (client) => {
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

  #entryAside(generation: number, log: string, sequence: number): Promise<void> {
    return this.#connections.transaction(async (client) => {
      const key = [generation, log, sequence];
      const { rows } = await client.query<Row>({
        text: `SELECT at, crc, json FROM smalltalk_entries
          WHERE generation = $1 AND log = $2 AND sequence = $3 FOR UPDATE`,
        values: key,
        rowMode: 'array',
      });
      const [at, crc, json] = rows[0] ?? [];
      if (rows[0] === undefined) return;
      if (entryChecksumsOf(log)(valueChecksum(json as string), Number(at), sequence) === Number(crc)) return;
      await client.query(
        `WITH gone AS (DELETE FROM smalltalk_entries WHERE generation = $1 AND log = $2 AND sequence = $3
           RETURNING generation, log, sequence, at, crc, json)
         INSERT INTO smalltalk_damaged (record, columns, json)
         SELECT 'entry ' || log || '#' || sequence, concat_ws(' ', generation, at, crc), json FROM gone`,
        key,
      );
    });
  }
}
