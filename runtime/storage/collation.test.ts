import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareIndexValues, compareText, foldCase } from './collation.ts';

describe('the order of text', () => {
  it('is that of its UTF-8 bytes', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareText(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
    );
  });

  it('puts astral characters behind the end of the basic plane, where UTF-16 units would not', () => {
    expect('\uffff' < '😀').toBe(false);
    expect(compareText('\uffff', '😀')).toBeLessThan(0);
  });

  it('puts numbers before text', () => {
    expect([10, '1', 9, '', -1].sort(compareIndexValues)).toEqual([-1, 9, 10, '', '1']);
  });
});

describe('folding case', () => {
  it('joins what has a case in common, one character to one', () => {
    expect(foldCase('ÄRGER Straße ΟΔΟΣ ΣΊΣΥΦΟΣ ſ K')).toBe('ärger straße οδοσ σίσυφοσ s k');
    expect(foldCase('ẞ')).toBe('ß');
    expect(foldCase('İıIi')).toBe('İıii');
    expect(foldCase('𐐀')).toBe('𐐨');
  });

  it('agrees with the simple case folding of regular expressions on every character', () => {
    for (let point = 0; point <= 0x1ffff; point++) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const character = String.fromCodePoint(point);
      const folded = foldCase(character);
      expect(foldCase(folded)).toBe(folded);
      if (folded === character) continue;
      expect(new RegExp(`^\\u{${folded.codePointAt(0)?.toString(16)}}$`, 'iu').test(character)).toBe(true);
    }
  });
});
