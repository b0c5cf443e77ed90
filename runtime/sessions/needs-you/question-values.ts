import { fault, type QuestionField } from '../../contract/index.ts';
import type { NeedsYouAnswer } from './needs-you.ts';

type Values = NonNullable<NeedsYouAnswer['values']>;

/** What the user filled in, checked against the fields of the question. Throws `request.invalid`, naming the field. */
export function checkValues(fields: QuestionField[], values: Values = {}): Values {
  const known = new Map(fields.map((field) => [field.name, field]));
  for (const name of Object.keys(values)) {
    if (!known.has(name)) throw refusal(name, 'is none of the fields of the question');
  }
  for (const field of fields) {
    const value = Object.hasOwn(values, field.name) ? values[field.name] : undefined;
    if (value === undefined || value === '') {
      if (field.required) throw refusal(field.name, 'is missing');
    } else {
      const problem = problemOf(field, value);
      if (problem !== undefined) throw refusal(field.name, problem);
    }
  }
  return values;
}

function problemOf(field: QuestionField, value: Values[string]): string | undefined {
  switch (field.type) {
    case 'text':
      return typeof value === 'string' ? undefined : 'must be text';
    case 'number':
      return Number.isFinite(value) ? undefined : 'must be a number';
    case 'integer':
      return Number.isSafeInteger(value) ? undefined : 'must be a whole number';
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'must be yes or no';
    case 'choice':
      return field.choices?.some((choice) => choice.value === value)
        ? undefined
        : 'must be one of the choices';
  }
}

function refusal(field: string, problem: string): Error {
  return fault('request.invalid', `"${field}" ${problem}.`, { field });
}
