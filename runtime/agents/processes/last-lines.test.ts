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
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  for (let i = 0; i < 1000; i++) {
    lines.add([...letters].map((letter) => `${letter.repeat(50)}\n`).join(''));
  }
  lines.add('y'.repeat(1_000_000));
  expect(lines.toString()).toBe(['x', 'y', 'z', 'y'].map((letter) => letter.repeat(10)).join('\n'));
});

it('keeps once what is said again and again, however many lines it has, and what was said before it', () => {
  const lines = new LastLines(6, 100);
  lines.add('cannot read the configuration\n');
  for (let id = 1; id <= 1000; id++) lines.add(`no such method { id: ${id} } {\n  code: -32601\n}\n`);
  lines.add('bye\nbye\n');
  expect(lines.toString().split('\n')).toEqual([
    'cannot read the configuration',
    'no such method { id: 1000 } {',
    '  code: -32601',
    '}',
    '[these 3 lines, or the same with other numbers: 999 more before]',
    'bye',
    '[this line, or the same with other numbers: 1 more before]',
  ]);
});

it('keeps what is said again after something else', () => {
  const lines = new LastLines(6, 100);
  lines.add('probe\nwork\nprobe\nmore work\nprobe\n');
  expect(lines.toString()).toBe('probe\nwork\nprobe\nmore work\nprobe');
});

it('begins a line anew when a piece was cut', () => {
  const lines = new LastLines(5, 4);
  lines.add('abcdef');
  lines.add('gh\nok\n');
  expect(lines.toString()).toBe('abcd\nok');
});

it('masks a secret through which the cut of a line goes', () => {
  const lines = new LastLines(5, 10, (text) => text.replaceAll('secret', '•••'));
  lines.add('12345678sec');
  lines.add('ret and more\nopen: secret');
  expect(lines.toString()).toBe('12345678••\nopen: •••');
});
