import { describe, expect, it } from 'vitest';
import { rowAfterKey } from './row-keys.ts';

describe('rowAfterKey', () => {
  it.each([
    ['j', 0, 1],
    ['ArrowDown', 4, 4],
    ['k', 3, 2],
    ['ArrowUp', 0, 0],
    ['Home', 3, 0],
    ['End', 0, 4],
    ['x', 2, undefined],
  ])('%s from row %d of 5 goes to %s', (key, from, to) => expect(rowAfterKey(key, from, 5)).toBe(to));
});
