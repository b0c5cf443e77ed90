import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SEAL_LENGTH, sealFor } from './seal.ts';

const sums = fc.integer({ min: 0, max: 2 ** 32 - 1 });

it('brings any sum to any other', () => {
  fc.assert(
    fc.property(sums, sums, (sum, wanted) => {
      const seal = sealFor(sum, wanted);
      expect(seal).toMatch(/^[@-_]+$/);
      expect(seal).toHaveLength(SEAL_LENGTH);
      expect(crc32(seal, sum)).toBe(wanted);
    }),
    { numRuns: 2_000 },
  );
});

it.each(Array.from({ length: 32 }, (_, bit) => bit))('changes bit %i alone', (bit) => {
  const wanted = (1 << bit) >>> 0;
  expect(crc32(sealFor(0, wanted), 0)).toBe(wanted);
});
