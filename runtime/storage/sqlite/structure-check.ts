import type { Database } from 'better-sqlite3';
import { messageOf } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import { fieldsFromText } from '../checked-input.ts';
import { setDocumentAside } from './damaged-records.ts';
import { FieldIndex } from './field-index.ts';
import type { DocumentRow, FaultNotice } from './protocol.ts';
import { DOCUMENT_COLUMNS, isWholeDocument } from './rows.ts';

/** Larger files are not looked through when they are opened: the check reads about 3 GB a second, and all of the file. */
const LARGEST_CHECKED = 256 * 1024 * 1024;

/**
 * Looks for damage that no record's checksum can show: in the trees that lead to the records, where a flipped bit makes
 * records disappear without a trace. What can be had from the documents is built anew, and that is told; a file that is
 * still damaged then is refused with `storage.corrupt`, to be set aside.
 */
export function checkStructure(database: Database, file: string, now: number): FaultNotice[] {
  const pages = Number(database.pragma('page_count', { simple: true }));
  if (pages * Number(database.pragma('page_size', { simple: true })) > LARGEST_CHECKED) return [];
  const found = firstProblem(database);
  if (found === undefined) return [];
  try {
    return database.transaction(() => {
      if (makeText(database) > 0 && firstProblem(database) === undefined) {
        const message = `The type of a value in ${file} was damaged (${found}); it was put right.`;
        return [{ record: 'type of an entry', message }];
      }
      const notices = rebuildIndexes(database, now);
      const left = firstProblem(database);
      if (left !== undefined) throw new Error(left);
      const message = `An index of ${file} was damaged (${found}); it was built anew from the documents.`;
      return [...notices, { record: 'index of documents', message }];
    })();
  } catch (error) {
    throw fault(
      'storage.corrupt',
      `${file} is damaged (${messageOf(error)}); it was left as it is. Restore a backup.`,
      { file, problem: found },
      { cause: error },
    );
  }
}

function firstProblem(database: Database): string | undefined {
  const answer = String(database.pragma('integrity_check(1)', { simple: true }));
  return answer === 'ok' ? undefined : answer.replaceAll(/\s+/g, ' ').trim();
}

/**
 * A flipped bit in the head of a row turns the text of an entry into bytes or a number, which is no reason to give up the
 * file. Whether it is what was written is seen when it is read. How many there were.
 */
function makeText(database: Database): number {
  return database
    .prepare("UPDATE entry SET record = coalesce(CAST(record AS TEXT), '') WHERE typeof(record) <> 'text'")
    .run().changes;
}

/** Documents that are damaged themselves are set aside first, under the names by which the old index still knows them. */
function rebuildIndexes(database: Database, now: number): FaultNotice[] {
  const notices: FaultNotice[] = [];
  const read = database.prepare(`SELECT ${DOCUMENT_COLUMNS} FROM document NOT INDEXED WHERE key = ?`).raw();
  /** The document, if it is whole; otherwise it is told and out of the way. */
  const wholeOf = (key: number, name?: string): DocumentRow | undefined => {
    const row = read.get(key) as DocumentRow | undefined;
    if (row !== undefined && isWholeDocument(row)) return row;
    if (row !== undefined) setDocumentAside(database, key, now);
    const record = `document ${name ?? `${row?.[1]}/${row?.[2]}`}`;
    notices.push({ record, message: `The ${record} is damaged; it was set aside and is not served.` });
    return undefined;
  };
  const named = database
    .prepare('SELECT key, collection, id FROM document INDEXED BY document_by_id')
    .raw()
    .all() as [number, string, string][];
  for (const [key, collection, id] of named) wholeOf(key, `${collection}/${id}`);
  database.exec('DELETE FROM document_field; REINDEX');
  const fields = new FieldIndex(database);
  const keys = database.prepare('SELECT key FROM document NOT INDEXED').pluck().all() as number[];
  for (const key of keys) {
    const row = wholeOf(key);
    if (row !== undefined) fields.insert(row[1], row[2], key, fieldsFromText(row[4]));
  }
  return notices;
}
