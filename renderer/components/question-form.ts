import type { QuestionField } from '#contract';

/** What stands in a field. Numbers are text while they are typed ("1." is on its way to "1.5"). */
export type FieldValue = string | number | boolean;

/** The number that was typed; undefined when it is none, or not typed to its end. */
export function numberOf(typed: number | string): number | undefined {
  const value = typeof typed === 'number' ? typed : typed.trim() === '' ? Number.NaN : Number(typed);
  return Number.isFinite(value) ? value : undefined;
}

/** Whether a field has an answer; a box that is not ticked says no, which is one. */
export function isFilledIn(field: QuestionField, value: FieldValue | undefined): boolean {
  switch (field.type) {
    case 'boolean':
      return true;
    case 'number':
    case 'integer':
      return value !== undefined && typeof value !== 'boolean' && numberOf(value) !== undefined;
    case 'choice':
    case 'text':
      return typeof value === 'string' && value !== '';
  }
}

/** The answer to a question: every field that has one, numbers as numbers. */
export function valuesToSend(
  fields: readonly QuestionField[],
  values: Readonly<Record<string, FieldValue>>,
): Record<string, FieldValue> {
  const filled = fields.filter((field) => isFilledIn(field, values[field.name]));
  return Object.fromEntries(
    filled.map(({ name, type }) => {
      const value = values[name] ?? false;
      const isNumber = (type === 'number' || type === 'integer') && typeof value !== 'boolean';
      return [name, isNumber ? (numberOf(value) ?? value) : value];
    }),
  );
}
