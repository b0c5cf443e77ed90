import type { Database, Statement } from 'better-sqlite3';
import { type CheckedPut, fieldsFromText } from '../checked-input.ts';
import { documentChecksum } from '../checksum.ts';
import type { IndexValue } from '../storage.ts';
import { setDocumentAside } from './damaged-records.ts';
import { FieldIndex } from './field-index.ts';
import type { FaultNotice } from './protocol.ts';

/** What there is to know of a document without reading its value. */
export interface DocumentHead {
  key: number;
  version: number;
  index: Record<string, IndexValue>;
  expiresAt: number | null;
}

type HeadRow = [
  key: number,
  version: number,
  fields: string,
  expiresAt: number | null,
  valueCrc: number,
  crc: number,
];

/** Heads that are remembered from one transaction to the next; when there are more, all are looked up again. */
const REMEMBERED = 1_000;

/**
 * The documents, as the transaction under way has them: their rows, the rows of their index fields, and how many there are.
 * Nobody else writes to the file, so that a head which was looked up once is known until it changes: most commits put a
 * document that a commit shortly before has put.
 */
export class DocumentTable {
  readonly #database: Database;
  readonly #onFault: (notice: FaultNotice) => void;
  readonly #fields: FieldIndex;
  readonly #head: Statement;
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #delete: Statement;
  readonly #expired: Statement;
  readonly #count: Statement;
  readonly #countExpired: Statement;
  readonly #known = new Map<string, DocumentHead>();
  /** Rows by collection, expired ones included; undefined until somebody asks. */
  #counts: Map<string, number> | undefined;

  constructor(database: Database, onFault: (notice: FaultNotice) => void) {
    this.#database = database;
    this.#onFault = onFault;
    this.#fields = new FieldIndex(database);
    this.#head = database
      .prepare(
        'SELECT key, version, fields, expires_at, value_crc, crc FROM document WHERE collection = ? AND id = ?',
      )
      .raw();
    this.#insert = database.prepare(
      'INSERT INTO document (collection, id, version, fields, expires_at, value_crc, crc, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#update = database.prepare(
      'UPDATE document SET version = ?, fields = ?, expires_at = ?, value_crc = ?, crc = ?, json = ? WHERE key = ?',
    );
    this.#delete = database.prepare('DELETE FROM document WHERE key = ?');
    this.#expired = database
      .prepare('SELECT collection, id FROM document WHERE expires_at <= ? LIMIT ?')
      .raw();
    this.#count = database.prepare('SELECT collection, count(*) FROM document GROUP BY collection').raw();
    this.#countExpired = database
      .prepare('SELECT collection, count(*) FROM document WHERE expires_at <= ? GROUP BY collection')
      .raw();
  }

  /** The head of a document, also of one that has expired. One that fails its checksum is set aside, and is not there. */
  find(collection: string, id: string, now: number): DocumentHead | undefined {
    const name = `${collection}/${id}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const row = this.#head.get(collection, id) as HeadRow | undefined;
    if (row === undefined) return undefined;
    const [key, version, fields, expiresAt, valueCrc, crc] = row;
    if (documentChecksum(collection, id, version, fields, expiresAt, valueCrc) !== crc) {
      setDocumentAside(this.#database, key, now);
      this.#counted(collection, -1);
      this.#onFault({
        record: `document ${name}`,
        message: `The document ${name} failed its checksum when it was to be changed or removed; it was set aside.`,
      });
      return undefined;
    }
    const head = { key, version, index: fieldsFromText(fields), expiresAt };
    this.#known.set(name, head);
    return head;
  }

  /** Puts the document in the place of what `find` has found. */
  put(put: CheckedPut, version: number, found: DocumentHead | undefined): void {
    const { collection, id, json, valueCrc, fields, expiresAt } = put;
    const crc = documentChecksum(collection, id, version, fields, expiresAt, valueCrc);
    const index = fieldsFromText(fields);
    if (found === undefined) {
      const added = this.#insert.run(collection, id, version, fields, expiresAt, valueCrc, crc, json);
      const key = Number(added.lastInsertRowid);
      this.#fields.insert(collection, id, key, index);
      this.#counted(collection, 1);
      this.#known.set(`${collection}/${id}`, { key, version, index, expiresAt });
    } else {
      this.#update.run(version, fields, expiresAt, valueCrc, crc, json, found.key);
      this.#fields.replace(collection, id, found.key, found.index, index);
      Object.assign(found, { version, index, expiresAt });
    }
  }

  /** Removes what `find` has found. */
  remove(collection: string, id: string, found: DocumentHead): void {
    this.#fields.delete(collection, id, found.index);
    this.#delete.run(found.key);
    this.#counted(collection, -1);
    this.#known.delete(`${collection}/${id}`);
  }

  /** Up to `limit` documents that have expired, as they say themselves. */
  expired(now: number, limit: number): [collection: string, id: string][] {
    return this.#expired.all(now, limit) as [string, string][];
  }

  /** Documents by collection, expired ones left out. Counts them all only the first time. */
  counts(now: number): Record<string, number> {
    this.#counts ??= new Map(this.#count.all() as [string, number][]);
    const expired = new Map(this.#countExpired.all(now) as [string, number][]);
    const living = [...this.#counts].map(([name, all]) => [name, all - (expired.get(name) ?? 0)] as const);
    return Object.fromEntries(living.filter(([, documents]) => documents > 0));
  }

  /** What was done is in the file now. */
  committed(): void {
    if (this.#known.size > REMEMBERED) this.#known.clear();
  }

  /** What is known is not true any more: a transaction was rolled back, or rows were changed behind this table's back. */
  forget(): void {
    this.#known.clear();
    this.#counts = undefined;
  }

  #counted(collection: string, difference: number): void {
    this.#counts?.set(collection, (this.#counts.get(collection) ?? 0) + difference);
  }
}
