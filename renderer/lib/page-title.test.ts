import { expect, it } from 'vitest';
import { documentTitle } from './page-title.ts';

it.each([
  ['Overview', 0, 'Overview · SmallTalk Console'],
  ['Overview', 2, '(2) Overview · SmallTalk Console'],
  ['', 1, '(1) SmallTalk Console'],
])('the title of %j with %j waiting is %j', (page, count, title) => {
  expect(documentTitle(page, count)).toBe(title);
});
