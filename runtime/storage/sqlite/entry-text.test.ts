import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { areWhole, entryIfWhole, entryOf, entryRecord, entrySeed } from './entry-text.ts';

const SEED = entrySeed('messages/a');
const textOf = (sequence: number, at: number, json: string, seed = SEED) =>
  `${sequence}${entryRecord(seed, sequence, at, json)}`;

/** Texts of a page; the second parameter makes them longer than what is summed at a time. */
const page = (count: number, padding = 40) =>
  Array.from({ length: count }, (_, i) =>
    textOf(i + 1, 1_790_000_000_000 + i, JSON.stringify(`entry ${i} ü€😀 ${'x'.repeat(padding)}`)),
  );

/** The text as SQLite would give it out with this bit of its bytes flipped. */
function flipped(text: string, bit: number): string {
  const bytes = Buffer.from(text);
  bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return bytes.toString();
}

it('says what was written, whatever it was', () => {
  const numbers = fc.oneof(
    fc.maxSafeInteger(),
    fc.integer(),
    fc.constantFrom(0, 9, 1e9 - 1, 1e9, 1e9 + 1, 2 ** 31, 2 ** 38 - 1, Number.MAX_SAFE_INTEGER),
  );
  fc.assert(
    fc.property(numbers, numbers, fc.json({ stringUnit: 'binary' }), (number, at, json) => {
      const sequence = Math.abs(number);
      const text = textOf(sequence, at, json.toWellFormed());
      expect(areWhole(SEED, [text])).toBe(true);
      expect(entryIfWhole(SEED, text)).toEqual({ sequence, at, json: json.toWellFormed() });
    }),
  );
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 60])('seals nothing of the time %d', (at) => {
  expect(() => textOf(1, at, '1')).toThrow(/no time/);
});

describe('a page of entries', () => {
  it.each([
    ['none', 0, 0],
    ['one', 1, 0],
    ['many', 100, 400],
    ['so many that they are summed in parts', 1_000, 900],
    ['large ones', 3, 200_000],
  ])('is whole: %s', (_name, count, padding) => {
    expect(areWhole(SEED, page(count, padding))).toBe(true);
  });

  it('is not whole with any one bit flipped in any of its entries', () => {
    const texts = page(5, 4);
    for (const [i, text] of texts.entries()) {
      for (let bit = 0; bit < Buffer.byteLength(text) * 8; bit++) {
        const damaged = flipped(text, bit);
        expect(areWhole(SEED, texts.with(i, damaged))).toBe(false);
        expect(entryIfWhole(SEED, damaged)).toBeUndefined();
      }
    }
  });

  it('is not whole with the same bit flipped in two of its entries, or in all', () => {
    const texts = page(6);
    const bits = Buffer.byteLength(texts[0] as string) * 8;
    for (let bit = 0; bit < bits; bit++) {
      expect(
        areWhole(
          SEED,
          texts.with(1, flipped(texts[1] as string, bit)).with(4, flipped(texts[4] as string, bit)),
        ),
      ).toBe(false);
      expect(
        areWhole(
          SEED,
          texts.map((text) => flipped(text, bit)),
        ),
      ).toBe(false);
    }
  });

  it('is not whole with damage of any length', () => {
    const texts = page(40);
    const damage = fc.array(
      fc.record({ i: fc.nat(39), from: fc.nat(50), length: fc.nat(60), by: fc.string() }),
      {
        minLength: 1,
        maxLength: 5,
      },
    );
    fc.assert(
      fc.property(damage, (all) => {
        const damaged = [...texts];
        for (const { i, from, length, by } of all) {
          const text = damaged[i] as string;
          damaged[i] = text.slice(0, from) + by + text.slice(from + length);
        }
        fc.pre(damaged.some((text, i) => text !== texts[i]));
        expect(areWhole(SEED, damaged)).toBe(false);
      }),
    );
  });

  it.each<[string, (texts: string[]) => unknown[]]>([
    ['of another log', (texts) => texts.with(3, textOf(4, 1, '1', entrySeed('messages/b')))],
    ['with another number', (texts) => texts.with(3, `5${(texts[3] as string).slice(1)}`)],
    ['that has not even a number', (texts) => texts.with(3, (texts[3] as string).slice(1))],
    ['that is no text', (texts) => (texts as unknown[]).with(3, null)],
  ])('is not whole with one %s', (_name, damage) => {
    const texts = damage(page(10));
    expect(areWhole(SEED, texts)).toBe(false);
    expect(entryIfWhole(SEED, texts[3])).toBeUndefined();
  });
});

it.each([
  '',
  ' ',
  '1',
  '1 2',
  '1 2 3',
  `1 ${'2'.repeat(18)} "json"@@@@@@@`,
  'x 2 "json"@@@@@@@',
  '1 - "json"@@@@@@@',
])('finds no entry in %j', (text) => expect(entryOf(text)).toBeUndefined());
