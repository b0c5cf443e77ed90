import type { Database, Statement } from 'better-sqlite3';
import type { CheckedDelete, CheckedOperation, CheckedPut } from '../checked-input.ts';
import { documentChecksum } from '../checksum.ts';
import { versionConflict } from '../version-conflict.ts';
import { setDocumentAside } from './damaged-records.ts';
import { FieldIndex } from './field-index.ts';
import { LogTable } from './log-table.ts';
import type { FaultNotice } from './protocol.ts';

/** What there is to know of a document without reading its value. */
interface Head {
  key: number;
  /** 0 when it has expired: its row is there, but the document is not. */
  version: number;
  fields: string;
}

type HeadRow = [
  key: number,
  version: number,
  fields: string,
  expiresAt: number | null,
  valueCrc: number,
  crc: number,
];

/** A put or delete that was checked: where its document stood before the commit, and the version that it will have. */
interface Step {
  head: Head | undefined;
  /** The same commit has changed the document before, so that `head` is out of date. */
  again: boolean;
  version: number;
}

/**
 * Carries out commits inside a transaction that somebody else begins and ends. A commit is checked as a whole before its
 * first write, so that one that conflicts leaves nothing behind and needs no savepoint.
 */
export class CommitWriter {
  readonly logs: LogTable;
  readonly #database: Database;
  readonly #fields: FieldIndex;
  readonly #onFault: (notice: FaultNotice) => void;
  readonly #head: Statement;
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #delete: Statement;
  readonly #expired: Statement;

  constructor(database: Database, onFault: (notice: FaultNotice) => void) {
    this.#database = database;
    this.#onFault = onFault;
    this.logs = new LogTable(database, onFault);
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
  }

  /** The version or sequence of each operation, 0 for a delete or trim. Throws `storage.version_conflict`. */
  apply(operations: CheckedOperation[], now: number): number[] {
    const steps = this.#check(operations, now);
    return operations.map((operation, i) => this.#applyOne(operation, steps[i], now));
  }

  /** Removes up to `limit` documents that have expired, and says how many there were. */
  removeExpired(now: number, limit: number): number {
    const expired = this.#expired.all(now, limit) as [string, string][];
    for (const [collection, id] of expired) {
      // One whose expiry was damaged is set aside here and not removed.
      const head = this.#headOf(collection, id, now);
      if (head === undefined) continue;
      this.#fields.delete(collection, id, head.fields);
      this.#delete.run(head.key);
    }
    return expired.length;
  }

  #check(operations: CheckedOperation[], now: number): (Step | undefined)[] {
    const versions = new Map<string, number>();
    return operations.map((operation) => {
      if (operation.kind !== 'put' && operation.kind !== 'delete') return undefined;
      const { collection, id, expectVersion } = operation;
      const name = `${collection}/${id}`;
      const earlier = versions.get(name);
      const head = earlier === undefined ? this.#headOf(collection, id, now) : undefined;
      const current = earlier ?? head?.version ?? 0;
      if (expectVersion !== undefined && expectVersion !== current) {
        throw versionConflict(collection, id, expectVersion, current);
      }
      const version = operation.kind === 'put' ? current + 1 : 0;
      const expired = operation.kind === 'put' && operation.expiresAt !== null && operation.expiresAt <= now;
      versions.set(name, expired ? 0 : version);
      return { head, again: earlier !== undefined, version };
    });
  }

  #applyOne(operation: CheckedOperation, step: Step | undefined, now: number): number {
    switch (operation.kind) {
      case 'put':
        return this.#put(operation, step as Step, now);
      case 'delete':
        return this.#remove(operation, step as Step, now);
      case 'append':
        return this.logs.append(operation.log, now, operation.json, operation.valueCrc);
      case 'trim':
        this.logs.trim(operation.log, operation.through);
        return 0;
    }
  }

  #put(put: CheckedPut, step: Step, now: number): number {
    const { collection, id, json, valueCrc, fields, expiresAt } = put;
    const { version } = step;
    const head = step.again ? this.#headOf(collection, id, now) : step.head;
    const crc = documentChecksum(collection, id, version, fields, expiresAt, valueCrc);
    if (head === undefined) {
      const added = this.#insert.run(collection, id, version, fields, expiresAt, valueCrc, crc, json);
      this.#fields.insert(collection, id, Number(added.lastInsertRowid), fields);
    } else {
      this.#update.run(version, fields, expiresAt, valueCrc, crc, json, head.key);
      this.#fields.replace(collection, id, head.key, head.fields, fields);
    }
    return version;
  }

  #remove({ collection, id }: CheckedDelete, step: Step, now: number): number {
    const head = step.again ? this.#headOf(collection, id, now) : step.head;
    if (head !== undefined) {
      this.#fields.delete(collection, id, head.fields);
      this.#delete.run(head.key);
    }
    return 0;
  }

  #headOf(collection: string, id: string, now: number): Head | undefined {
    const row = this.#head.get(collection, id) as HeadRow | undefined;
    if (row === undefined) return undefined;
    const [key, version, fields, expiresAt, valueCrc, crc] = row;
    if (documentChecksum(collection, id, version, fields, expiresAt, valueCrc) !== crc) {
      setDocumentAside(this.#database, key, now);
      this.#onFault({
        record: `document ${collection}/${id}`,
        message: `The document ${collection}/${id} failed its checksum when it was to be changed or removed; it was set aside.`,
      });
      return undefined;
    }
    return { key, version: expiresAt !== null && expiresAt <= now ? 0 : version, fields };
  }
}
