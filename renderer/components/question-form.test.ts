import { describe, expect, it } from 'vitest';
import type { QuestionField } from '#contract';
import { isFilledIn, numberOf, valuesToSend } from './question-form.ts';

const field = (type: QuestionField['type'], name: string = type): QuestionField => ({
  name,
  title: name,
  type,
  required: false,
});

describe('a number', () => {
  it.each<[number | string, number | undefined]>([
    [1.5, 1.5],
    ['1.50', 1.5],
    ['1.', 1],
    ['0', 0],
    ['', undefined],
    [' ', undefined],
    ['-', undefined],
  ])('typed as %j is %j', (typed, value) => {
    expect(numberOf(typed)).toBe(value);
  });
});

it.each<[QuestionField['type'], string | number | boolean | undefined, boolean]>([
  ['text', undefined, false],
  ['text', '', false],
  ['text', 'x', true],
  ['choice', '', false],
  ['number', 0, true],
  ['number', '', false],
  ['integer', '7', true],
  ['boolean', undefined, true],
])('a field for %s with %j is filled in: %j', (type, value, expected) => {
  expect(isFilledIn(field(type), value)).toBe(expected);
});

it('sends what has an answer: numbers as numbers, an unticked box as no, nothing for what was left empty', () => {
  const fields = [
    field('text'),
    field('number'),
    field('integer'),
    field('boolean'),
    field('choice'),
    field('text', 'other'),
  ];
  expect(valuesToSend(fields, { text: 'Ada', number: '1.50', integer: 36, choice: '', other: '' })).toEqual({
    text: 'Ada',
    number: 1.5,
    integer: 36,
    boolean: false,
  });
});
