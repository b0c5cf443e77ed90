import { randomId } from '@mantine/hooks';
import type { VariableValue } from '#contract';
import type { FieldErrors } from './field-errors.ts';

/** A variable of an environment, or a header, as a row of the form. */
export interface VariableRow {
  /** Tells the rows apart while their names change. */
  readonly key: string;
  readonly name: string;
  readonly kind: 'value' | 'secret';
  /** The value itself, or the name of the secret. */
  readonly value: string;
}

export function emptyRow(): VariableRow {
  return { key: randomId('row'), name: '', kind: 'value', value: '' };
}

export function rowsOf(record: Readonly<Record<string, VariableValue>>): VariableRow[] {
  return Object.entries(record).map(([name, value]) => ({
    key: randomId('row'),
    name,
    kind: typeof value === 'string' ? 'value' : 'secret',
    value: typeof value === 'string' ? value : value.secret,
  }));
}

/** The record of the rows; a row that is quite empty counts for nothing. Faults go to `errors` below `path`. */
export function recordOf(
  rows: readonly VariableRow[],
  path: string,
  errors: FieldErrors,
): Record<string, VariableValue> {
  const record: Record<string, VariableValue> = {};
  for (const row of rows) {
    const name = row.name.trim();
    const at = errorPathOf(path, row);
    if (name === '') {
      if (row.value !== '') errors[at] = 'Give it a name.';
    } else if (Object.hasOwn(record, name)) errors[at] = `${name} stands here twice.`;
    else if (row.kind === 'secret' && row.value === '') errors[at] = 'Choose a secret.';
    else record[name] = row.kind === 'secret' ? { secret: row.value } : row.value;
  }
  return record;
}

/** Where the fault of a row stands: the same path that the runtime gives it. */
export function errorPathOf(path: string, row: VariableRow): string {
  return `${path}.${row.name.trim()}`;
}
