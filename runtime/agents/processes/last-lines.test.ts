import { expect, it } from 'vitest';
import { LastLines } from './last-lines.ts';

it('keeps the last lines, put together from their pieces', () => {
  const lines = new LastLines(2, 100);
  lines.add('one\ntw');
  lines.add('o\r\nthree\nfo');
  lines.add('ur');
  expect(lines.toString()).toBe('two\nthree\nfour');
});

it('is bounded in both directions', () => {
  const lines = new LastLines(3, 10);
  for (let i = 0; i < 1000; i++) lines.add(`${'x'.repeat(50)}\n`.repeat(50));
  lines.add('y'.repeat(1_000_000));
  expect(lines.toString()).toBe([...Array(3).fill('x'.repeat(10)), 'y'.repeat(10)].join('\n'));
});

it('begins a line anew when a piece was cut', () => {
  const lines = new LastLines(5, 4);
  lines.add('abcdef');
  lines.add('gh\nok\n');
  expect(lines.toString()).toBe('abcd\nok');
});
