import type { Database } from 'better-sqlite3';
import { MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { logChecksum } from '../checksum.ts';
import { LogTable } from './log-table.ts';
import { ENTRY_SEQUENCE, entryKey } from './migrations.ts';
import type { FaultNotice } from './protocol.ts';
import { credibleLastSequence } from './rows.ts';

/**
 * What the next generation takes over from the active one: every log counts on from where it is, so that no number is used
 * twice, and the answers of named commits, so that one that is sent again is not carried out a second time.
 */
export function carryOver(active: Database, next: Database, onFault: (notice: FaultNotice) => void): void {
  const logs = new LogTable(next, onFault);
  const remember = next.prepare(
    'INSERT OR REPLACE INTO named_commit (writer, slot, number, at, numbers, crc) VALUES (?, ?, ?, ?, ?, ?)',
  );
  next.transaction(() => {
    for (const [name, lastSequence] of lastSequences(active)) logs.advance(name, lastSequence);
    const named = active.prepare('SELECT writer, slot, number, at, numbers, crc FROM named_commit').raw();
    for (const row of named.iterate()) remember.run(row as unknown[]);
  })();
}

function* lastSequences(database: Database): Generator<[log: string, lastSequence: number], void, void> {
  const counters = database
    .prepare(
      `SELECT name, number, last_sequence, crc, coalesce((
         SELECT ${ENTRY_SEQUENCE} FROM entry
         WHERE key > ${entryKey('number', '0')} AND key <= ${entryKey('number', '?')} ORDER BY key DESC LIMIT 1), 0)
       FROM log`,
    )
    .raw();
  for (const counter of counters.iterate(MAXIMUM_SEQUENCE)) {
    const [name, number, stored, crc, greatest] = counter as [string, number, number, number, number];
    const whole = logChecksum(name, number, stored) === crc;
    yield [name, whole ? Math.max(stored, greatest) : credibleLastSequence(stored, greatest)];
  }
}
