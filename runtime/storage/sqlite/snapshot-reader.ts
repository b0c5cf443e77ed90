import type { Database } from 'better-sqlite3';
import { MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { SNAPSHOT_BATCH_BYTES, SNAPSHOT_BATCH_RECORDS } from '../snapshot-batch.ts';
import { openForReading } from './database.ts';
import { ENTRY_TEXT } from './entry-text.ts';
import { ENTRY_SEQUENCE, entryKey } from './migrations.ts';
import type { DocumentRow, EntryRow, SnapshotRow } from './protocol.ts';
import { DOCUMENT_COLUMNS } from './rows.ts';

/**
 * Everything in a data file as it was when this was made: a read transaction on a connection of its own, which writers
 * neither wait for nor disturb. While it is open the WAL keeps growing, so it must be ended.
 */
export class SnapshotReader {
  readonly #database: Database;
  readonly #rows: Generator<SnapshotRow, void, void>;
  /** A row that the batch before had no room for. */
  #held: SnapshotRow | undefined;

  constructor(file: string, now: number) {
    this.#database = openForReading(file);
    try {
      this.#database.exec('BEGIN');
      // A transaction sees what is there at its first read, not at its BEGIN.
      this.#database.prepare('SELECT 1 FROM sqlite_schema').get();
    } catch (error) {
      this.#database.close();
      throw error;
    }
    this.#rows = snapshotRows(this.#database, now);
  }

  next(): SnapshotRow[] | null {
    const batch: SnapshotRow[] = [];
    let bytes = 0;
    while (batch.length < SNAPSHOT_BATCH_RECORDS) {
      const row = this.#held ?? this.#rows.next().value ?? undefined;
      this.#held = undefined;
      if (row === undefined) break;
      bytes += sizeOf(row);
      if (bytes > SNAPSHOT_BATCH_BYTES && batch.length > 0) {
        this.#held = row;
        break;
      }
      batch.push(row);
    }
    return batch.length === 0 ? null : batch;
  }

  end(): void {
    this.#rows.return();
    this.#database.close();
  }
}

function sizeOf(row: SnapshotRow): number {
  if (row.kind === 'log') return 0;
  const json: unknown = row.kind === 'document' ? row.row[8] : row.row[1];
  return typeof json === 'string' ? json.length : 0;
}

function* snapshotRows(database: Database, now: number): Generator<SnapshotRow, void, void> {
  const documents = database
    .prepare(
      `SELECT ${DOCUMENT_COLUMNS} FROM document WHERE expires_at IS NULL OR expires_at > ? ORDER BY collection, id`,
    )
    .raw();
  for (const row of documents.iterate(now)) yield { kind: 'document', row: row as DocumentRow };

  const logs = database.prepare('SELECT name, number, last_sequence, crc FROM log ORDER BY name').raw();
  const entries = database
    .prepare(
      `SELECT ${ENTRY_SEQUENCE}, ${ENTRY_TEXT} FROM entry
       WHERE key > ${entryKey('?', '0')} AND key <= ${entryKey('?', '?')} ORDER BY key`,
    )
    .raw();
  const last = database
    .prepare(
      `SELECT ${ENTRY_SEQUENCE} FROM entry
       WHERE key > ${entryKey('?', '0')} AND key <= ${entryKey('?', '?')} ORDER BY key DESC LIMIT 1`,
    )
    .pluck();
  for (const log of logs.iterate()) {
    const [name, number, lastSequence, crc] = log as [string, number, number, number];
    const greatest = Number(last.get(number, number, MAXIMUM_SEQUENCE) ?? 0);
    yield { kind: 'log', log: name, number, lastSequence, crc, greatest };
    for (const row of entries.iterate(number, number, MAXIMUM_SEQUENCE)) {
      yield { kind: 'entry', log: name, row: row as EntryRow };
    }
  }
}
