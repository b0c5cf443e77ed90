import type { Database, Statement } from 'better-sqlite3';
import { fieldsFromText } from '../checked-input.ts';
import { foldCase } from '../collation.ts';
import type { IndexValue } from '../storage.ts';

/** Keeps the rows of the index fields in step with their documents. */
export class FieldIndex {
  readonly #insert: Statement;
  readonly #delete: Statement;

  constructor(database: Database) {
    this.#insert = database.prepare(
      // A row that is there already can only be a stray of the same document: it must not keep the document from being written.
      'INSERT OR REPLACE INTO document_field (collection, field, value, id, document, folded) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#delete = database.prepare(
      'DELETE FROM document_field WHERE collection = ? AND field = ? AND value = ? AND id = ?',
    );
  }

  insert(collection: string, id: string, document: number, fields: string): void {
    if (fields === '') return;
    const index = fieldsFromText(fields);
    for (const field of Object.keys(index)) {
      this.#insertOne(collection, id, document, field, index[field] as IndexValue);
    }
  }

  /** Touches only the fields whose value is another one: an update mostly changes one or two. */
  replace(collection: string, id: string, document: number, before: string, after: string): void {
    if (before === after) return;
    const old = fieldsFromText(before);
    const index = fieldsFromText(after);
    for (const field of Object.keys(old)) {
      if (!Object.hasOwn(index, field) || index[field] !== old[field]) {
        this.#delete.run(collection, field, old[field], id);
      }
    }
    for (const field of Object.keys(index)) {
      if (!Object.hasOwn(old, field) || index[field] !== old[field]) {
        this.#insertOne(collection, id, document, field, index[field] as IndexValue);
      }
    }
  }

  delete(collection: string, id: string, fields: string): void {
    if (fields === '') return;
    const index = fieldsFromText(fields);
    for (const field of Object.keys(index)) this.#delete.run(collection, field, index[field], id);
  }

  #insertOne(collection: string, id: string, document: number, field: string, value: IndexValue): void {
    const folded = typeof value === 'string' ? foldCase(value) : value;
    this.#insert.run(collection, field, value, id, document, folded === value ? null : folded);
  }
}
