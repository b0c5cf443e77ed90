import type { Database } from 'better-sqlite3';
import { logChecksum } from '../checksum.ts';
import type { FaultNotice } from './protocol.ts';

interface LogRow {
  number: number;
  name: string;
  lastSequence: number;
  crc: number;
}

/** Bits of a number that a flip may have hit: those of a safe integer. */
const NUMBER_BITS = 53;

/**
 * Puts right the rows of logs in which one bit was flipped. The entries hang on the number in that row and are asked for by
 * its name, so that without this a single bit would cost the whole log. What cannot be put right is told by whoever meets
 * it.
 */
export function checkLogs(database: Database): FaultNotice[] {
  const rows = database
    .prepare('SELECT number, name, last_sequence AS lastSequence, crc FROM log NOT INDEXED')
    .all() as LogRow[];
  const damaged = rows.filter((row) => hasCounts(row) && !isWhole(row));
  if (damaged.length === 0) return [];
  const update = database.prepare(
    'UPDATE OR IGNORE log SET number = ?, name = ?, last_sequence = ?, crc = ? WHERE number = ?',
  );
  return database.transaction(() =>
    damaged.flatMap((row) => {
      const right = [...variants(row)].find(isWhole);
      if (right === undefined) return [];
      const { number, name, lastSequence, crc } = right;
      if (update.run(number, name, lastSequence, crc, row.number).changes === 0) return [];
      const record = `log ${name}`;
      return [{ record, message: `The ${record} was damaged in one bit; it was put right by its checksum.` }];
    }),
  )();
}

const hasCounts = ({ number, lastSequence, crc }: LogRow): boolean =>
  [number, lastSequence, crc].every(Number.isSafeInteger);

function isWhole({ number, name, lastSequence, crc }: LogRow): boolean {
  return logChecksum(name, number, lastSequence) === crc;
}

/** The row with each of its bits flipped. */
function* variants(row: LogRow): Generator<LogRow> {
  for (let bit = 0; bit < NUMBER_BITS; bit++) {
    yield { ...row, number: flip(row.number, bit) };
    yield { ...row, lastSequence: flip(row.lastSequence, bit) };
    if (bit < 32) yield { ...row, crc: flip(row.crc, bit) };
  }
  const bytes = Buffer.from(row.name);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    yield { ...row, name: flipped.toString() };
  }
}

const flip = (value: number, bit: number): number => Number(BigInt(value) ^ (1n << BigInt(bit)));
