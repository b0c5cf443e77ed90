import type { Database, Statement } from 'better-sqlite3';
import { fault } from '../../contract/error-codes.ts';
import { commitChecksum } from '../checksum.ts';
import type { CommitId } from '../storage.ts';
import type { FaultNotice } from './protocol.ts';

/** A power of two above the numbers that the port promises to remember: a slot is used again long after it may be asked for. */
const SLOTS = 1_024;

/** A writer that was not heard of for so long will not ask again. */
const REMEMBERED_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * What the named commits have answered, kept in the transaction that carries them out: whoever sends one again, because its
 * answer was lost, is answered from here. A ring for each writer, so that nothing grows.
 */
export class CommitRing {
  readonly #database: Database;
  readonly #onFault: (notice: FaultNotice) => void;
  readonly #find: Statement;
  readonly #remember: Statement;

  constructor(database: Database, onFault: (notice: FaultNotice) => void) {
    this.#database = database;
    this.#onFault = onFault;
    this.#find = database
      .prepare('SELECT number, at, numbers, crc FROM named_commit WHERE writer = ? AND slot = ?')
      .raw();
    this.#remember = database.prepare(
      'INSERT OR REPLACE INTO named_commit (writer, slot, number, at, numbers, crc) VALUES (?, ?, ?, ?, ?, ?)',
    );
  }

  /** What the commit answered when it was carried out; undefined when it was not. */
  find({ writer, number }: CommitId, now: number): number[] | undefined {
    const slot = number % SLOTS;
    const row = this.#find.get(writer, slot) as [number, number, string, number] | undefined;
    if (row === undefined) return undefined;
    const [kept, at, numbers, crc] = row;
    if (commitChecksum(writer, kept, at, numbers) === crc) {
      return kept === number ? (JSON.parse(numbers) as number[]) : undefined;
    }
    this.#setAside(writer, slot, now);
    throw fault(
      'storage.failed',
      `It is not known whether commit ${number} of ${writer} was carried out before: what was kept of it is damaged.`,
    );
  }

  remember({ writer, number }: CommitId, numbers: number[], now: number): void {
    const text = JSON.stringify(numbers);
    const crc = commitChecksum(writer, number, now, text);
    this.#remember.run(writer, number % SLOTS, number, now, text, crc);
  }

  /** Drops the writers that were not heard of for 30 days. */
  dropOldWriters(now: number): void {
    this.#database
      .prepare(
        `DELETE FROM named_commit WHERE writer IN
           (SELECT writer FROM named_commit GROUP BY writer HAVING max(at) < ?)`,
      )
      .run(now - REMEMBERED_MS);
  }

  #setAside(writer: string, slot: number, now: number): void {
    const record = `commit ${writer}#${slot}`;
    this.#database
      .prepare(
        `INSERT INTO damaged (record, found_at, columns, json)
         SELECT ?, ?, json_array(number, at, crc), CAST(numbers AS BLOB) FROM named_commit WHERE writer = ? AND slot = ?`,
      )
      .run(record, now, writer, slot);
    this.#database.prepare('DELETE FROM named_commit WHERE writer = ? AND slot = ?').run(writer, slot);
    this.#onFault({
      record,
      message: `What was kept of a commit of ${writer} failed its checksum; it was set aside.`,
    });
  }
}
