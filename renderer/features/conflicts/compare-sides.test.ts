import { describe, expect, it } from 'vitest';
import { compareSides, nameOfDocument } from './compare-sides.ts';

describe('compareSides', () => {
  it('puts the fields that differ first, and shows what one side does not have', () => {
    const mine = { version: 3, value: { id: 'a', title: 'Mine', n: 1, only: { deep: true } } };
    const theirs = { version: 2, value: { id: 'a', title: 'Theirs', n: 1 } };
    expect(compareSides({ mine, theirs })).toEqual([
      { field: 'title', mine: 'Mine', theirs: 'Theirs', differs: true },
      { field: 'only', mine: '{\n  "deep": true\n}', theirs: undefined, differs: true },
      { field: 'id', mine: 'a', theirs: 'a', differs: false },
      { field: 'n', mine: '1', theirs: '1', differs: false },
    ]);
  });

  it('shows times as times', () => {
    const [pair] = compareSides({ mine: { version: 1, value: { updatedAt: 0 } }, theirs: { version: 0 } });
    expect(pair?.mine).toBe('1970-01-01T00:00:00.000Z');
  });

  it('takes a deleted side and a value that is no object', () => {
    expect(compareSides({ mine: { version: 0 }, theirs: { version: 1, value: [1] } })).toEqual([
      { field: 'value', mine: undefined, theirs: '[\n  1\n]', differs: true },
    ]);
  });
});

describe('nameOfDocument', () => {
  const conflict = { id: 'c', collection: 'sessions', documentId: 'abc', journaledAt: 1, foundAt: 2 };
  it('is the title, the name or the id', () => {
    const gone = { version: 0 };
    const titled = { version: 1, value: { title: 'Release notes' } };
    expect(nameOfDocument({ ...conflict, mine: gone, theirs: titled })).toBe('Release notes');
    expect(nameOfDocument({ ...conflict, mine: { version: 1, value: { name: 'Echo' } }, theirs: gone })).toBe(
      'Echo',
    );
    expect(nameOfDocument({ ...conflict, mine: { version: 1, value: 5 }, theirs: gone })).toBe('abc');
  });
});
