import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LONGEST, longestFirst } from './longest-first.ts';

it('puts the named files first, in their order, and leaves the order of all others', () => {
  const files = ['d', 'a', 'c', 'b'].map((name) => ({ name }));
  const sorted = longestFirst(files, ({ name }) => name, ['b', 'gone', 'c']);
  expect(sorted.map(({ name }) => name)).toEqual(['b', 'c', 'd', 'a']);
});

it('names files that are there', () => {
  const root = join(import.meta.dirname, '..');
  expect(LONGEST.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  expect(new Set(LONGEST).size).toBe(LONGEST.length);
});
