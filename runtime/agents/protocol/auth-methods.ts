/** The ways to log in that an agent tells in `initialize`. */
import * as z from 'zod';
import type { AuthMethod } from '../../contract/index.ts';
import { boundedText } from './json-bounds.ts';

/** The file and the arguments that the agent was started with. */
export interface AgentCommand {
  command: string;
  args: readonly string[];
}

/** What is told of them is shown with every agent. */
const MAX_METHODS = 20;
const MAX_TEXT = 2000;

const text = z
  .string()
  .transform((told) => boundedText(told, MAX_TEXT))
  .nullish()
  .catch(undefined);
const words = z.array(z.string()).nullish().catch(undefined);
const variables = z.record(z.string(), z.string()).nullish().catch(undefined);

const told = z.object({
  id: z.string().min(1).max(MAX_TEXT),
  name: z.string().max(MAX_TEXT),
  description: text,
  type: text,
  args: words,
  env: variables,
  _meta: z
    .object({
      /** How agents told a terminal login before ACP had a word for it; the command is whole, not an addition. */
      'terminal-auth': z
        .object({ command: z.string(), args: words, env: variables })
        .optional()
        .catch(undefined),
    })
    .nullish()
    .catch(undefined),
});

/** What is no way to log in is left out. `started` is what a terminal login is run with. */
export function authMethodsOf(values: readonly unknown[], started: AgentCommand | undefined): AuthMethod[] {
  return values.slice(0, MAX_METHODS).flatMap((value) => {
    const parsed = told.safeParse(value);
    return parsed.success ? [authMethodOf(parsed.data, started)] : [];
  });
}

function authMethodOf(method: z.infer<typeof told>, started: AgentCommand | undefined): AuthMethod {
  const { id, name, description } = method;
  const older = method._meta?.['terminal-auth'];
  const line =
    older !== undefined
      ? commandLine(older.command, older.args ?? [], older.env ?? {})
      : method.type === 'terminal' && started !== undefined
        ? commandLine(started.command, [...started.args, ...(method.args ?? [])], method.env ?? {})
        : undefined;
  return {
    id,
    name: name || id,
    ...(description ? { description } : {}),
    type: method.type === 'terminal' || older !== undefined ? 'terminal' : 'agent',
    ...(line === undefined ? {} : { command: line }),
  };
}

/** How to log in, in words for a person. */
export function loginInWords(methods: readonly AuthMethod[]): string {
  if (methods.length === 0) return 'Log in with its own command.';
  const here = methods.filter(({ type }) => type === 'agent').map(({ name }) => `“${name}”`);
  const inTerminal = methods
    .filter(({ type }) => type === 'terminal')
    .map(({ name, command }) => `“${name}”${command === undefined ? '' : ` with ${command}`}`);
  return [
    ...(here.length === 0 ? [] : [`On its page here: ${here.join(', ')}.`]),
    ...(inTerminal.length === 0 ? [] : [`In a terminal: ${inTerminal.join(', ')}.`]),
  ].join(' ');
}

/** A command line that can be pasted into a POSIX shell. */
function commandLine(command: string, args: readonly string[], env: Record<string, string>): string {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`);
  return [...assignments, quoted(command), ...args.map(quoted)].join(' ');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
