import { describe, expect, it } from 'vitest';
import { checkOperations, fieldsFromText, fieldsToText } from './checked-input.ts';
import type { IndexValue } from './storage.ts';

describe('index fields as text', () => {
  it('are the same text in whatever order they were given', () => {
    const text = '{"a":1,"b":"x","c":-2.5}';
    expect(fieldsToText({ a: 1, b: 'x', c: -2.5 })).toBe(text);
    expect(fieldsToText({ c: -2.5, b: 'x', a: 1 })).toBe(text);
    expect(fieldsToText({ c: -2.5, a: 1, b: 'x' })).toBe(text);
    expect(fieldsToText({})).toBe('');
  });

  it('are their own when others began with the same name', () => {
    const indexes: Record<string, IndexValue>[] = [
      { title: 'a', state: 'b' },
      { title: 'a' },
      { title: 'a', state: 'b', at: 1 },
      { title: 'a', other: 'b' },
      { title: 'a', state: 'c' },
    ];
    for (const index of [...indexes, ...indexes]) expect(fieldsFromText(fieldsToText(index))).toEqual(index);
  });

  it('are refused for a bad name behind one that has been seen', () => {
    fieldsToText({ title: 'a', state: 'b' });
    for (let i = 0; i < 2; i++) {
      expect(() => fieldsToText({ title: 'a', 'bad name': 'b' })).toThrow('bad name');
      expect(() => fieldsToText({ title: 'a', state: Number.NaN })).toThrow('NaN');
    }
  });

  it('are what JSON makes of them, well-formed and without a negative zero', () => {
    const texts = ['', 'plain', 'quo"te', 'back\\slash', 'line\n', '\x7f', 'ü', '😀', '\u2028'];
    for (const text of texts) expect(fieldsToText({ text })).toBe(JSON.stringify({ text }));
    expect(fieldsToText({ text: 'half \ud83d' })).toBe('{"text":"half \ufffd"}');
    expect(fieldsToText({ number: -0 })).toBe('{"number":0}');
    for (const number of [1e21, 5e-324, -1.5]) expect(fieldsToText({ number })).toBe(`{"number":${number}}`);
  });

  it('may be many', () => {
    const names = Array.from({ length: 300 }, (_, i) => `field${i}`);
    const index = Object.fromEntries(names.map((name, i) => [name, i]));
    const text = fieldsToText(index);
    expect(Object.keys(fieldsFromText(text))).toEqual(names.toSorted());
    expect(fieldsFromText(text)).toEqual(index);
  });
});

it('names logs by a family, or by a family and a key', () => {
  const append = (log: string) => () => checkOperations([{ kind: 'append', log, value: 1 }]);
  for (const log of [
    'a',
    '_',
    'messages/a',
    'messages/a/b',
    'messages//',
    `m/${'x'.repeat(256)}`,
    'm/ü 😀',
  ]) {
    expect(append(log), log).not.toThrow();
  }
  const bad = ['', '/', 'a/', '/a', 'A/b', 'a\n', 'a/b\n', `m/${'x'.repeat(257)}`, 'm/half \ud83d'];
  for (const log of bad) expect(append(log), log).toThrow();
});
