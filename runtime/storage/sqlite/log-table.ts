import type { Database, Statement } from 'better-sqlite3';
import { fault } from '../../contract/error-codes.ts';
import { MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { logChecksum, valueChecksum } from '../checksum.ts';
import { entryRecord, entrySeed } from './entry-text.ts';
import { ENTRY_SEQUENCE, entryKey, MAXIMUM_LOG_NUMBER } from './migrations.ts';
import type { FaultNotice } from './protocol.ts';
import { credibleLastSequence } from './rows.ts';

interface LogState {
  number: number;
  name: string;
  /** That of its entries. */
  seed: number;
  /** The number that was given last: that of its greatest entry, or the stored one when entries were removed behind it. */
  lastSequence: number;
  /** What the row of the log says. */
  stored: number;
}

/** Logs that are remembered from one transaction to the next; when there are more, all are looked up again. */
const REMEMBERED = 1_000;

/**
 * The logs and their entries, as the transaction under way has them. An append writes nothing but its entry: the greatest
 * entry is the counter. Only when that is removed does the row of the log say where to go on.
 */
export class LogTable {
  readonly #find: Statement<[string]>;
  readonly #create: Statement;
  readonly #update: Statement;
  readonly #insertEntry: Statement;
  readonly #greatest: Statement;
  readonly #trim: Statement;
  readonly #onFault: (notice: FaultNotice) => void;
  readonly #known = new Map<string, LogState>();

  constructor(database: Database, onFault: (notice: FaultNotice) => void) {
    this.#onFault = onFault;
    this.#find = database.prepare('SELECT number, last_sequence, crc FROM log WHERE name = ?').raw();
    this.#create = database.prepare('INSERT INTO log (name, last_sequence, crc) VALUES (?, 0, 0)');
    this.#update = database.prepare('UPDATE log SET last_sequence = ?, crc = ? WHERE number = ?');
    this.#insertEntry = database.prepare(`INSERT INTO entry (key, record) VALUES (${entryKey('?', '?')}, ?)`);
    const keys = `key > ${entryKey('?', '0')} AND key <= ${entryKey('?', '?')}`;
    this.#greatest = database
      .prepare(`SELECT ${ENTRY_SEQUENCE} FROM entry WHERE ${keys} ORDER BY key DESC LIMIT 1`)
      .pluck();
    this.#trim = database.prepare(`DELETE FROM entry WHERE ${keys}`);
  }

  /** `valueCrc` is the checksum that the value had when the commit was checked. */
  append(name: string, at: number, json: string, valueCrc: number): number {
    const log = this.#open(name);
    const sequence = log.lastSequence + 1;
    if (sequence > MAXIMUM_SEQUENCE)
      throw fault('storage.failed', `The log ${name} has used up its numbers.`);
    // The record is given another checksum, which must not make good what was damaged on the way from there to here.
    if (valueChecksum(json) !== valueCrc) {
      throw fault('storage.failed', `The value of an entry of ${name} was damaged before it was written.`);
    }
    this.#insertEntry.run(log.number, sequence, entryRecord(log.seed, sequence, at, json));
    log.lastSequence = sequence;
    return sequence;
  }

  /** True when there was something to remove. */
  trim(name: string, through: number): boolean {
    const log = this.#existing(name);
    if (log === undefined) return false;
    if (through >= log.lastSequence) this.#store(log);
    return this.#trim.run(log.number, log.number, Math.min(through, MAXIMUM_SEQUENCE)).changes > 0;
  }

  /** Makes the log count from at least `lastSequence`. */
  advance(name: string, lastSequence: number): void {
    const log = this.#open(name);
    log.lastSequence = Math.max(log.lastSequence, lastSequence);
    this.#store(log);
  }

  /** Makes the log remember its last number by itself, because an entry is going to be taken out. */
  keepCounter(name: string): void {
    const log = this.#existing(name);
    if (log !== undefined) this.#store(log);
  }

  /** What was done is in the file now. */
  committed(): void {
    if (this.#known.size > REMEMBERED) this.#known.clear();
  }

  /** What was done was rolled back. */
  rolledBack(): void {
    this.#known.clear();
  }

  #store(log: LogState): void {
    if (log.stored === log.lastSequence) return;
    this.#update.run(log.lastSequence, logChecksum(log.name, log.number, log.lastSequence), log.number);
    log.stored = log.lastSequence;
  }

  #open(name: string): LogState {
    const found = this.#existing(name);
    if (found !== undefined) return found;
    const number = Number(this.#create.run(name).lastInsertRowid);
    if (number > MAXIMUM_LOG_NUMBER) throw fault('storage.failed', 'There are too many logs.');
    // -1, because its checksum could not be known before its number.
    const log = { number, name, seed: entrySeed(name), lastSequence: 0, stored: -1 };
    this.#store(log);
    this.#known.set(name, log);
    return log;
  }

  #existing(name: string): LogState | undefined {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const row = this.#find.get(name) as [number, number, number] | undefined;
    if (row === undefined) return undefined;
    const [number, stored, crc] = row;
    const greatest = Number(this.#greatest.get(number, number, MAXIMUM_SEQUENCE) ?? 0);
    const log = {
      number,
      name,
      seed: entrySeed(name),
      lastSequence: Math.max(stored, greatest),
      stored,
    };
    if (logChecksum(name, number, stored) !== crc) {
      this.#onFault({
        record: `log ${name}`,
        message: `The counter of the log ${name} failed its checksum; it goes on from the greatest number known.`,
      });
      log.lastSequence = credibleLastSequence(stored, greatest);
      log.stored = -1;
      this.#store(log);
    }
    this.#known.set(name, log);
    return log;
  }
}
