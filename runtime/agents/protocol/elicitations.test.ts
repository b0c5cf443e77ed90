import { expect, it } from 'vitest';
import { elicitationParams, elicitationResponse, formOf } from './elicitations.ts';

const form = (properties: Record<string, unknown>, required?: string[]) =>
  formOf(
    elicitationParams.parse({
      mode: 'form',
      sessionId: 's',
      message: 'Tell me',
      requestedSchema: { type: 'object', properties, ...(required ? { required } : {}) },
    }),
  );

it('makes fields out of the schema', () => {
  expect(
    form(
      {
        name: { type: 'string', title: 'Your name', description: 'In full', minLength: 1 },
        age: { type: 'integer' },
        size: { type: 'number' },
        sure: { type: 'boolean' },
        color: { type: 'string', enum: ['red', 'blue'] },
        town: { type: 'string', oneOf: [{ const: 'b', title: 'Berlin', description: 'the capital' }] },
        tags: { type: 'array', items: { type: 'string', enum: ['x', 'y'] } },
        titled: { type: 'array', items: { anyOf: [{ const: 'x', title: 'X' }] }, minItems: 1 },
      },
      ['name', 'tags'],
    )?.fields,
  ).toEqual([
    { name: 'name', title: 'Your name', description: 'In full', type: 'text', required: true },
    { name: 'age', title: 'age', type: 'integer', required: false },
    { name: 'size', title: 'size', type: 'number', required: false },
    { name: 'sure', title: 'sure', type: 'boolean', required: false },
    {
      name: 'color',
      title: 'color',
      type: 'choice',
      required: false,
      choices: [
        { value: 'red', title: 'red' },
        { value: 'blue', title: 'blue' },
      ],
    },
    {
      name: 'town',
      title: 'town',
      type: 'choice',
      required: false,
      choices: [{ value: 'b', title: 'Berlin' }],
    },
    {
      name: 'tags',
      title: 'tags',
      type: 'choice',
      required: true,
      choices: [
        { value: 'x', title: 'x' },
        { value: 'y', title: 'y' },
      ],
    },
    {
      name: 'titled',
      title: 'titled',
      type: 'choice',
      required: false,
      choices: [{ value: 'x', title: 'X' }],
    },
  ]);
});

it('leaves out what cannot be shown, unless it is required', () => {
  const properties = { a: { type: 'string' }, b: { type: 'hologram' } };
  expect(form(properties)?.fields).toHaveLength(1);
  expect(form(properties, ['b'])).toBeUndefined();
  const several = { a: { type: 'array', minItems: 2, items: { enum: ['x', 'y'] } } };
  expect(form(several)?.fields).toEqual([]);
  expect(form(several, ['a'])).toBeUndefined();
});

it('answers in the shape of the schema', () => {
  const asked = form({ tags: { type: 'array', items: { enum: ['x'] } }, age: { type: 'integer' } });
  if (asked === undefined) throw new Error('no form');
  expect(elicitationResponse({ action: 'accept', values: { tags: 'x', age: 3 } }, asked)).toEqual({
    action: 'accept',
    content: { tags: ['x'], age: 3 },
  });
  expect(elicitationResponse({ action: 'decline' }, asked)).toEqual({ action: 'decline' });
});
