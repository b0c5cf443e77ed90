import type { AgentLaunch } from '#contract';
import { type ApiError, toApiError } from '../../lib/api-error.ts';

/** What the user has entered, as text. */
export interface NewAgentFields {
  kind: 'command' | 'chat';
  name: string;
  description: string;
  command: string;
  /** One argument a line, so that spaces need no quotes. */
  args: string;
  cwd: string;
  /** One `NAME=value` a line. */
  env: string;
  model: string;
  autostart: boolean;
}

export const EMPTY_FIELDS: NewAgentFields = {
  kind: 'command',
  name: '',
  description: '',
  command: '',
  args: '',
  cwd: '',
  env: '',
  model: '',
  autostart: true,
};

export interface NewAgentRequest {
  name: string;
  description?: string;
  launch: AgentLaunch;
  model?: string;
  autostart: boolean;
}

/** What is wrong, by the field at which it is shown; `form` for what belongs to none. */
export type FieldErrors = Partial<Record<keyof NewAgentFields | 'form', string>>;

const NAME_OF_VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Turns the fields into the request, or into what is wrong with them. The runtime checks again. */
export function requestOfFields(
  fields: NewAgentFields,
): { request: NewAgentRequest } | { errors: FieldErrors } {
  const errors: FieldErrors = {};
  const name = fields.name.trim();
  const command = fields.command.trim();
  const env = parseEnvironment(fields.env);
  if (name === '') errors.name = 'Give the agent a name.';
  if (fields.kind === 'command' && command === '') errors.command = 'Give the command that starts the agent.';
  if (fields.kind === 'chat' && fields.model.trim() === '')
    errors.model = 'Give the model as provider/model.';
  if ('error' in env) errors.env = env.error;
  if ('error' in env || Object.keys(errors).length > 0) return { errors };

  const description = fields.description.trim();
  const cwd = fields.cwd.trim();
  const common = { name, autostart: fields.autostart, ...(description !== '' && { description }) };
  if (fields.kind === 'chat') {
    return {
      request: {
        ...common,
        launch: { kind: 'builtin', program: 'chat', args: [] },
        model: fields.model.trim(),
      },
    };
  }
  return {
    request: {
      ...common,
      launch: {
        kind: 'command',
        command,
        args: lines(fields.args),
        env: env.values,
        ...(cwd !== '' && { cwd }),
      },
    },
  };
}

/** `NAME=value` lines as a record; a value may hold further `=`. */
export function parseEnvironment(text: string): { values: Record<string, string> } | { error: string } {
  const values: Record<string, string> = {};
  for (const line of lines(text)) {
    const split = line.indexOf('=');
    const name = split === -1 ? line : line.slice(0, split);
    if (split === -1 || !NAME_OF_VARIABLE.test(name)) {
      return { error: `“${line}” is not NAME=value.` };
    }
    values[name] = line.slice(split + 1);
  }
  return { values };
}

const FIELD_OF_CODE: Readonly<Record<string, keyof NewAgentFields>> = {
  'agent.name_taken': 'name',
  'agent.command_not_found': 'command',
  'agent.command_not_executable': 'command',
  'provider.key_missing': 'model',
};

/** Where in the form an answer of the runtime belongs. */
export function errorsOfAnswer(thrown: unknown): FieldErrors {
  const error = toApiError(thrown);
  const field = FIELD_OF_CODE[error.code];
  if (field !== undefined) return { [field]: error.detail || error.title };
  const issues = issuesOf(error);
  return Object.keys(issues).length > 0 ? issues : { form: error.detail || error.title };
}

/** The issues of `request.invalid`, each with the path of the value that it is about. */
function issuesOf(error: ApiError): FieldErrors {
  const { issues } = error.data;
  if (!Array.isArray(issues)) return {};
  const errors: FieldErrors = {};
  for (const issue of issues as { path?: unknown; message?: unknown }[]) {
    const path = Array.isArray(issue.path) ? issue.path.map(String) : String(issue.path ?? '').split('.');
    const field = (path[0] === 'launch' ? path[1] : path[0]) as keyof NewAgentFields;
    if (typeof issue.message === 'string' && field in EMPTY_FIELDS) errors[field] ??= issue.message;
  }
  return errors;
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
