import type * as z from 'zod';
import { toApiError } from '../../lib/api-error.ts';

/**
 * What is wrong with a form, by the path of the value in the request, dotted: `launch.env.TOKEN`. `form` is for what
 * belongs to no field.
 */
export type FieldErrors = Record<string, string>;

/** The fault at the path, or the first one below it. */
export function errorAt(errors: FieldErrors, ...paths: readonly string[]): string | undefined {
  for (const path of paths) {
    if (errors[path] !== undefined) return errors[path];
    const below = Object.keys(errors).find((key) => key.startsWith(`${path}.`));
    if (below !== undefined) return errors[below];
  }
  return undefined;
}

/** The faults without those at the paths and below: the user has changed what they are about. */
export function withoutErrorsAt(errors: FieldErrors, ...paths: readonly string[]): FieldErrors {
  const kept = Object.entries(errors).filter(
    ([key]) => key !== 'form' && !paths.some((path) => key === path || key.startsWith(`${path}.`)),
  );
  return kept.length === Object.keys(errors).length ? errors : Object.fromEntries(kept);
}

/** The faults that a schema found, in words that fit the field. */
export function errorsOfIssues(issues: readonly z.core.$ZodIssue[]): FieldErrors {
  const errors: FieldErrors = {};
  for (const issue of issues) errors[issue.path.map(String).join('.')] ??= wordsFor(issue);
  return errors;
}

function wordsFor(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String);
  const field = path.at(-1);
  if (issue.code === 'invalid_key') return 'Letters, digits and _ only, no digit first.';
  if (path[0] === 'limits') return 'A number above 0.';
  if (issue.code === 'too_big' && issue.origin === 'string') return `At most ${issue.maximum} characters.`;
  if (issue.code === 'too_big' && issue.origin === 'array') return `At most ${issue.maximum} of them.`;
  if (field === 'url') return 'An address that begins with http:// or https://.';
  if (field === 'name') return 'Give it a name.';
  if (field === 'command') return 'Give the command that starts it.';
  if (field === 'model') return 'Give the model as provider/model.';
  return issue.message;
}

const FIELD_OF_CODE: Readonly<Record<string, string>> = {
  'agent.name_taken': 'name',
  'agent.command_not_found': 'launch.command',
  'agent.command_not_executable': 'launch.command',
  'agent.working_directory_missing': 'launch.cwd',
  'agent.secret_missing': 'launch.env',
  'provider.key_missing': 'model',
};

/** Where in the form an answer of the runtime belongs. */
export function errorsOfAnswer(thrown: unknown): FieldErrors {
  const error = toApiError(thrown);
  const field = FIELD_OF_CODE[error.code];
  if (field !== undefined) return { [field]: error.detail || error.title };
  const errors: FieldErrors = {};
  const { issues } = error.data;
  for (const issue of Array.isArray(issues) ? (issues as { path?: unknown; message?: unknown }[]) : []) {
    const path = Array.isArray(issue.path) ? issue.path.map(String).join('.') : issue.path;
    if (typeof path === 'string' && typeof issue.message === 'string') errors[path] ??= issue.message;
  }
  return Object.keys(errors).length > 0 ? errors : { form: error.detail || error.title };
}
