import { open } from 'node:fs/promises';
import type { Database, Statement } from 'better-sqlite3';
import { systemCodeOf } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import { fieldsFromText, fieldsToText } from '../checked-input.ts';
import { documentChecksum, logChecksum, valueChecksum } from '../checksum.ts';
import type { SnapshotRecord } from '../storage.ts';
import { createDatabase } from './database.ts';
import { entryRecord, entrySeed } from './entry-text.ts';
import { FieldIndex } from './field-index.ts';
import { entryKey, MAXIMUM_LOG_NUMBER } from './migrations.ts';

/** Fills a data file with the records of a snapshot. Until it is sealed nothing of it is durable. */
export class GenerationBuilder {
  readonly file: string;
  readonly #database: Database;
  readonly #fields: FieldIndex;
  readonly #document: Statement;
  readonly #log: Statement;
  readonly #logChecksum: Statement;
  readonly #entry: Statement;
  /** The number of the log whose entries follow, … */
  #number = 0;
  /** … and their seed. */
  #seed = 0;
  /** Nothing can be taken back without a journal: after an error, or half-way sealed, it can only be thrown away. */
  #broken = false;

  static async create(file: string): Promise<GenerationBuilder> {
    const database = await createDatabase(file, 'bulk');
    try {
      return new GenerationBuilder(file, database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  private constructor(file: string, database: Database) {
    this.file = file;
    this.#database = database;
    // One transaction for all of it, and room to keep the indexes in memory: rows come in the order of their ids, which for
    // an index is no order, and each page would be written again and again.
    database.pragma('cache_size = -65536');
    database.exec('BEGIN');
    this.#fields = new FieldIndex(database);
    this.#document = database.prepare(
      'INSERT INTO document (collection, id, version, fields, expires_at, value_crc, crc, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#log = database.prepare('INSERT INTO log (name, last_sequence, crc) VALUES (?, ?, 0)');
    this.#logChecksum = database.prepare('UPDATE log SET crc = ? WHERE number = ?');
    this.#entry = database.prepare(`INSERT INTO entry (key, record) VALUES (${entryKey('?', '?')}, ?)`);
  }

  /** Takes records that were checked to be in order; throws `storage.invalid` for one that is there twice. */
  write(records: SnapshotRecord[]): void {
    if (this.#broken) throw fault('storage.failed', 'The generation could not be written; discard it.');
    try {
      for (const record of records) this.#insert(record);
    } catch (error) {
      this.#broken = true;
      if (systemCodeOf(error)?.startsWith('SQLITE_CONSTRAINT') !== true) throw error;
      throw fault('storage.invalid', 'A record is there twice.', {}, { cause: error });
    }
  }

  /** Closes the file and makes it durable; the name of it is for the caller to sync. */
  async seal(): Promise<void> {
    if (this.#broken) throw fault('storage.failed', 'The generation could not be written; discard it.');
    this.#broken = true;
    this.#database.exec('COMMIT');
    this.#database.close();
    const file = await open(this.file, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  close(): void {
    this.#database.close();
  }

  #insert(record: SnapshotRecord): void {
    if (record.kind === 'document') {
      const { collection, id, version, json, expiresAt = null } = record;
      const fields = fieldsToText(record.index);
      const value = valueChecksum(json);
      const crc = documentChecksum(collection, id, version, fields, expiresAt, value);
      const added = this.#document.run(collection, id, version, fields, expiresAt, value, crc, json);
      this.#fields.insert(collection, id, Number(added.lastInsertRowid), fieldsFromText(fields));
    } else if (record.kind === 'log') {
      this.#number = Number(this.#log.run(record.log, record.lastSequence).lastInsertRowid);
      if (this.#number > MAXIMUM_LOG_NUMBER) throw fault('storage.invalid', 'There are too many logs.');
      this.#seed = entrySeed(record.log);
      this.#logChecksum.run(logChecksum(record.log, this.#number, record.lastSequence), this.#number);
    } else {
      const { sequence, at, json } = record;
      this.#entry.run(this.#number, sequence, entryRecord(this.#seed, sequence, at, json));
    }
  }
}
