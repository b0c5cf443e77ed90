import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareIndexValues } from '../collation.ts';
import {
  byteChanges,
  documentChecksum,
  entryChecksumsOf,
  logChecksum,
  numberChange,
} from './record-checksum.ts';
import { MAXIMUM_KEY, sortKeyOf, valueOfKey } from './sort-key.ts';

const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
  fc.integer(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', '\0', '\u0001', '\uffff', '😀'), maxLength: 5 }),
);

describe('sort keys', () => {
  it('sort as the port demands, and give their values back', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [left, right] = [sortKeyOf(a), sortKeyOf(b)];
        expect(Math.sign(left.key.compare(right.key))).toBe(Math.sign(compareIndexValues(a, b)));
        expect(valueOfKey(left.full ?? left.key)).toBe(a);
      }),
    );
  });

  it('are cut where an index row would end, and keep their order up to there', () => {
    const long = 'x'.repeat(MAXIMUM_KEY);
    const [a, b, less] = [
      sortKeyOf(`${long}a`),
      sortKeyOf(`${long}b`),
      sortKeyOf('x'.repeat(MAXIMUM_KEY - 3)),
    ];
    expect(a.key).toHaveLength(MAXIMUM_KEY);
    expect(a.key.equals(b.key)).toBe(true);
    expect(a.full?.compare(b.full ?? Buffer.alloc(0))).toBe(-1);
    expect(less.full).toBeNull();
    expect(less.key.compare(a.key)).toBe(-1);
  });
});

describe('checksums', () => {
  it('can be completed by what a number changes of them', () => {
    const number = fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
    fc.assert(
      fc.property(number, (n) => {
        const add = (crc: number) => (crc ^ numberChange(n)) >>> 0;
        expect(add(documentChecksum('c', 'id', '{}', null, 5))).toBe(
          documentChecksum('c', 'id', '{}', null, 5, n),
        );
        expect(add(entryChecksumsOf('log')(5, -6))).toBe(entryChecksumsOf('log')(5, -6, n));
        expect(add(logChecksum('log'))).toBe(logChecksum('log', n));
        let byBytes = 0;
        for (let i = 0, rest = BigInt(n); i < 8; i++, rest >>= 8n) {
          byBytes ^= byteChanges(i)[Number(rest & 255n)] ?? 0;
        }
        expect(byBytes >>> 0).toBe(numberChange(n));
      }),
    );
  });
});
