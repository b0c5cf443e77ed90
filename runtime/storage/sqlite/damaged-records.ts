import type { Database } from 'better-sqlite3';
import { fieldsFromText } from '../checked-input.ts';
import { ENTRY_TEXT, entrySeed, entryWithValue } from './entry-text.ts';
import { FieldIndex } from './field-index.ts';
import type { LogTable } from './log-table.ts';
import { entryKey } from './migrations.ts';
import type { DamagedRecord, DocumentRow, FaultNotice } from './protocol.ts';
import { DOCUMENT_COLUMNS, isWholeDocument } from './rows.ts';

/**
 * Moves a damaged document to the table of damaged records, as it was found, so that it is in nobody's way: to the port
 * it is not there any more. Inside a transaction.
 */
export function setDocumentAside(database: Database, key: number, now: number): void {
  database
    .prepare(
      `INSERT INTO damaged (record, found_at, columns, json)
       SELECT 'document ' || collection || '/' || id, ?,
         json_array(version, fields, expires_at, value_crc, crc), CAST(json AS BLOB)
       FROM document WHERE key = ?`,
    )
    .run(now, key);
  // A search through all of them: which they are is written in the fields of the document, and those are in doubt.
  database.prepare('DELETE FROM document_field WHERE document = ?').run(key);
  database.prepare('DELETE FROM document WHERE key = ?').run(key);
}

/**
 * Looks at a record again that its reader found damaged, and sets it aside if it still is: the fault may have been on the
 * way, or the record may have been replaced meanwhile. Inside a transaction; true when it was set aside.
 */
export function setAsideIfDamaged(
  database: Database,
  logs: LogTable,
  record: DamagedRecord,
  now: number,
): boolean {
  return record.kind === 'document'
    ? documentAside(database, record.key, now)
    : entryAside(database, logs, record.log, record.sequence, now);
}

function documentAside(database: Database, key: number, now: number): boolean {
  const row = database.prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document WHERE key = ?`).raw().get(key);
  if (row === undefined || isWholeDocument(row as DocumentRow)) return false;
  setDocumentAside(database, key, now);
  return true;
}

function entryAside(database: Database, logs: LogTable, log: string, sequence: number, now: number): boolean {
  const number = database.prepare('SELECT number FROM log WHERE name = ?').pluck().get(log);
  const key = entryKey('?', '?');
  const text = database.prepare(`SELECT ${ENTRY_TEXT} FROM entry WHERE key = ${key}`).pluck();
  const found = text.get(number, sequence);
  if (found === undefined || entryWithValue(entrySeed(log), found) !== undefined) return false;
  logs.keepCounter(log);
  database
    .prepare(
      `INSERT INTO damaged (record, found_at, columns, json)
       SELECT ?, ?, '[]', CAST(record AS BLOB) FROM entry WHERE key = ${key}`,
    )
    .run(`entry ${log}#${sequence}`, now, number, sequence);
  database.prepare(`DELETE FROM entry WHERE key = ${key}`).run(number, sequence);
  return true;
}

/**
 * Puts right a document whose index rows and own fields contradict each other, and the others whose index rows lead to it:
 * sets it aside when it is damaged itself, otherwise builds the index rows anew from the fields. Says what it found. Inside
 * a transaction.
 */
export function mendDocument(database: Database, key: number, now: number): FaultNotice[] {
  const row = database.prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document WHERE key = ?`).raw().get(key);
  if (row === undefined) return [];
  const [, collection, id] = row as DocumentRow;
  if (!isWholeDocument(row as DocumentRow)) {
    setDocumentAside(database, key, now);
    const record = `document ${collection}/${id}`;
    return [{ record, message: `The ${record} failed its checksum; it was set aside and is not served.` }];
  }
  const misled = database
    .prepare(
      `SELECT DISTINCT d.key FROM document_field f JOIN document d ON d.collection = f.collection AND d.id = f.id
       WHERE f.document = ? AND d.key <> f.document`,
    )
    .pluck()
    .all(key) as number[];
  return [key, ...misled].map((one) => indexAnew(database, one)).filter((notice) => notice !== undefined);
}

/** Of a document that is damaged itself nothing is indexed: whoever meets it next sets it aside. */
function indexAnew(database: Database, key: number): FaultNotice | undefined {
  const row = database.prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document WHERE key = ?`).raw().get(key);
  database.prepare('DELETE FROM document_field WHERE document = ?').run(key);
  if (!isWholeDocument(row as DocumentRow)) return undefined;
  const [, collection, id, , fields] = row as DocumentRow;
  new FieldIndex(database).insert(collection, id, key, fieldsFromText(fields));
  const record = `index of ${collection}/${id}`;
  return { record, message: `The ${record} was damaged; it was built anew from the document.` };
}
