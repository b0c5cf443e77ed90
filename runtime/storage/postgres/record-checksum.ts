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
const numbers = Buffer.alloc(3 * BYTES);

/** The CRC-32 of what `head` stands for, followed by the numbers as eight bytes each. */
function withNumbers(head: number, ...following: number[]): number {
  let end = 0;
  for (const number of following) {
    numbers.writeUInt32BE(Math.floor(number / POWER_32) >>> 0, end);
    numbers.writeUInt32BE(number >>> 0, end + 4);
    end += BYTES;
  }
  return crc32(numbers.subarray(0, end), head);
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
  return withNumbers(head, valueCrc, version);
}

/** The checksums of the entries of one log; with the sequence 0: what is sent. */
export function entryChecksumsOf(log: string): (valueCrc: number, at: number, sequence?: number) => number {
  const head = crc32(`entry\n${log}\n`);
  return (valueCrc, at, sequence = 0) => withNumbers(head, valueCrc, at, sequence);
}

/** Of the counter of a log. */
export function logChecksum(log: string, lastSequence = 0): number {
  return withNumbers(crc32(`log\n${log}\n`), lastSequence);
}

/** What a number in the last eight bytes changes of a CRC-32, whatever stands before it. */
export function numberChange(number: number): number {
  return (withNumbers(0, number) ^ crc32(ZERO)) >>> 0;
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
