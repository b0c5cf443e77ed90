import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  documentChecksum,
  entryChecksumsOf,
  headChecksum,
  logChecksum,
  numberChange,
  numberOfChange,
} from './record-checksum.ts';

const NUMBERS = [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 38 - 1, Number.MAX_SAFE_INTEGER];

/** Numbers as the eight bytes that are summed of each. */
function bytesOf(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(8 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeBigInt64BE(BigInt(number), 8 * i);
  return bytes;
}

describe('the checksums of records in PostgreSQL', () => {
  it('are those of zlib over a text and the numbers behind it', () => {
    for (const number of NUMBERS) {
      const [crc, at] = [0xfedc_ba98, 1_790_000_000_000];
      expect(entryChecksumsOf('a/ü')(crc, at, number)).toBe(
        crc32(bytesOf(crc, at, number), crc32('entry\na/ü\n')),
      );
      expect(documentChecksum('c', 'i', '{}', -5, crc, number)).toBe(
        crc32(bytesOf(crc, number), crc32('document\nc\ni\n-5\n{}\n')),
      );
      expect(logChecksum('a', number)).toBe(crc32(bytesOf(number), crc32('log\na\n')));
      expect(numberChange(number)).toBe((crc32(bytesOf(number)) ^ crc32(bytesOf(0))) >>> 0);
      expect(headChecksum(number)).toBe((crc32(bytesOf(2 ** 53, number)) ^ crc32(bytesOf(0, 0))) >>> 0);
    }
    expect(entryChecksumsOf('a')(1, -7, 2)).toBe(crc32(bytesOf(1, -7, 2), crc32('entry\na\n')));
  });

  it('tell the number that was summed from what it changed', () => {
    for (const number of NUMBERS.filter((one) => one < 2 ** 32)) {
      expect(numberOfChange(numberChange(number))).toBe(number);
    }
    // Of a number with a bit beyond them it is another one, and none that anybody would take for it.
    expect(numberOfChange(numberChange(2 ** 37 + 5))).toBeGreaterThan(1_000_000);
  });
});
