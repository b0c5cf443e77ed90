import type { Database, Statement } from 'better-sqlite3';
import { foldCase } from '../collation.ts';
import type { IndexValue } from '../storage.ts';

/** Keeps the rows of the index fields in step with their documents. */
export class FieldIndex {
  readonly #insert: Statement;
  readonly #move: Statement;
  readonly #delete: Statement;

  constructor(database: Database) {
    // A row that is there already can only be a stray of the same document: it must not keep the document from being written.
    this.#insert = database.prepare(
      'INSERT OR REPLACE INTO document_field (collection, field, value, id, document, folded) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#move = database.prepare(
      `UPDATE OR REPLACE document_field SET value = ?, document = ?, folded = ?
       WHERE collection = ? AND field = ? AND value = ? AND id = ?`,
    );
    this.#delete = database.prepare(
      'DELETE FROM document_field WHERE collection = ? AND field = ? AND value = ? AND id = ?',
    );
  }

  insert(collection: string, id: string, document: number, index: Record<string, IndexValue>): void {
    for (const field of Object.keys(index)) {
      this.#insertOne(collection, id, document, field, index[field] as IndexValue);
    }
  }

  /** Touches only the fields whose value is another one: an update mostly changes one or two. */
  replace(
    collection: string,
    id: string,
    document: number,
    before: Record<string, IndexValue>,
    after: Record<string, IndexValue>,
  ): void {
    for (const field of Object.keys(before)) {
      if (!Object.hasOwn(after, field)) this.#delete.run(collection, field, before[field], id);
    }
    for (const field of Object.keys(after)) {
      const value = after[field] as IndexValue;
      const old = Object.hasOwn(before, field) ? before[field] : undefined;
      if (value === old) continue;
      const moved =
        old !== undefined &&
        this.#move.run(value, document, foldedOf(value), collection, field, old, id).changes > 0;
      // Also when the row that should be there is not: the index is damaged, and whole again for this document.
      if (!moved) this.#insertOne(collection, id, document, field, value);
    }
  }

  delete(collection: string, id: string, index: Record<string, IndexValue>): void {
    for (const field of Object.keys(index)) this.#delete.run(collection, field, index[field], id);
  }

  #insertOne(collection: string, id: string, document: number, field: string, value: IndexValue): void {
    this.#insert.run(collection, field, value, id, document, foldedOf(value));
  }
}

/** The text without regard to case, where that differs. */
function foldedOf(value: IndexValue): string | null {
  if (typeof value !== 'string') return null;
  const folded = foldCase(value);
  return folded === value ? null : folded;
}
