import { crc32 } from 'node:zlib';
import { valueChecksum } from '../checksum.ts';

/**
 * The CRC-32 of the records of this adapter. The numbers that only the server can give (a version, a sequence) stand last
 * in what is summed, as eight bytes. CRC-32 is linear, so the server need not sum: this side sends the checksum as it is
 * for the number 0, and the server adds what the number makes of it, which {@link numberChange} reads from small tables.
 */

const BYTES = 8;
const POWER_32 = 2 ** 32;
const ZERO = Buffer.alloc(BYTES);

/** What each byte does to a sum, as zlib has it; a call of zlib takes longer than the few bytes of a number. */
const TABLE = new Int32Array(256);
for (let byte = 0; byte < TABLE.length; byte++) {
  TABLE[byte ^ 0xff] = ~crc32(Uint8Array.of(byte)) ^ 0x00ff_ffff;
}

/** Sums the four bytes of an integer, the highest first; `sum` is inverted. */
function addInteger(sum: number, integer: number): number {
  let crc = sum;
  crc = (crc >>> 8) ^ (TABLE[(crc ^ (integer >>> 24)) & 0xff] as number);
  crc = (crc >>> 8) ^ (TABLE[(crc ^ (integer >>> 16)) & 0xff] as number);
  crc = (crc >>> 8) ^ (TABLE[(crc ^ (integer >>> 8)) & 0xff] as number);
  return (crc >>> 8) ^ (TABLE[(crc ^ integer) & 0xff] as number);
}

function addNumber(sum: number, number: number): number {
  return addInteger(addInteger(sum, Math.floor(number / POWER_32) | 0), number | 0);
}

/** With the version 0: what is sent. */
export function documentChecksum(
  collection: string,
  id: string,
  fields: string,
  expiresAt: number | null,
  valueCrc: number,
  version = 0,
): number {
  const head = crc32(`document\n${collection}\n${id}\n${expiresAt ?? ''}\n${fields}\n`);
  return ~addNumber(addNumber(~head, valueCrc), version) >>> 0;
}

/** The checksums of the entries of one log; with the sequence 0: what is sent. */
export function entryChecksumsOf(log: string): (valueCrc: number, at: number, sequence?: number) => number {
  const head = ~crc32(`entry\n${log}\n`);
  return (valueCrc, at, sequence = 0) => ~addNumber(addNumber(addNumber(head, valueCrc), at), sequence) >>> 0;
}

const NEVER = 2 ** 53;
const NOTHING = crc32(Buffer.alloc(2 * BYTES));

/** What guards the version of a document that does not expire, so that the server can check it. */
export function headChecksum(version: number): number {
  return (~addNumber(addNumber(~0, NEVER), version) ^ NOTHING) >>> 0;
}

/** Of the counter of a log. */
export function logChecksum(log: string, lastSequence = 0): number {
  return ~addNumber(~crc32(`log\n${log}\n`), lastSequence) >>> 0;
}

/** What a number in the last eight bytes changes of a CRC-32, whatever stands before it. */
export function numberChange(number: number): number {
  return (~addNumber(~0, number) ^ crc32(ZERO)) >>> 0;
}

const NUMBER_BITS = 32;

/** The number below 2^32 that makes this {@link numberChange}; there is exactly one. */
export function numberOfChange(change: number): number {
  // What each bit changes, brought into a form in which each has a highest bit of its own.
  const basis: { change: number; number: number }[] = [];
  const reduced = (from: { change: number; number: number }) => {
    let { change: rest, number } = from;
    while (rest !== 0) {
      const one = basis[Math.clz32(rest)];
      if (one === undefined) break;
      rest = (rest ^ one.change) >>> 0;
      number = (number ^ one.number) >>> 0;
    }
    return { change: rest, number };
  };
  for (let bit = 0; bit < NUMBER_BITS; bit++) {
    const own = reduced({ change: numberChange(2 ** bit), number: (1 << bit) >>> 0 });
    basis[Math.clz32(own.change)] = own;
  }
  return reduced({ change: change >>> 0, number: 0 }).number;
}

/**
 * What each value of one byte changes, for the byte that has `behind` others behind it; the server adds them up for all
 * bytes of its numbers.
 */
export function byteChanges(behind: number): number[] {
  const nothing = crc32(Buffer.alloc(behind + 1));
  return Array.from({ length: 256 }, (_, byte) => {
    const bytes = Buffer.alloc(behind + 1);
    bytes[0] = byte;
    return (crc32(bytes) ^ nothing) >>> 0;
  });
}

export { valueChecksum };
