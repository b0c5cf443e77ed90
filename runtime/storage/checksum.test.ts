import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { entryChecksumsOf } from './checksum.ts';

const counts = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  fc.integer({ min: 999_999_990, max: 1_000_000_010 }),
  fc.constantFrom(
    0,
    9,
    10,
    1e9 - 1,
    1e9,
    1e9 + 1,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 38 - 1,
    Number.MAX_SAFE_INTEGER,
  ),
);
/** What stands in a damaged row may be anything. */
const numbers = fc.oneof(counts, fc.integer(), fc.double());

it('sums the entries of a log without making text of their numbers', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.array(fc.tuple(numbers, numbers, numbers)),
      (log, entries) => {
        const checksum = entryChecksumsOf(log);
        for (const entry of entries) {
          expect(checksum(...entry)).toBe(crc32(['entry', log, ...entry].join('\n')));
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
