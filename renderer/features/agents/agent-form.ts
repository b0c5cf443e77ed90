import { randomId } from '@mantine/hooks';
import type * as z from 'zod';
import {
  type Agent,
  type AgentLaunch,
  type AgentLimits,
  agentConfig,
  type Limit,
  type LimitUnit,
  type McpServer,
} from '#contract';
import { joinCommandLine, splitCommandLine } from './command-line.ts';
import { errorsOfIssues, type FieldErrors } from './field-errors.ts';
import { recordOf, rowsOf, type VariableRow } from './variable-rows.ts';

/** What the form can change of an agent. */
const agentDraft = agentConfig.omit({ id: true, createdAt: true });
export type AgentDraft = z.infer<typeof agentDraft>;

export const LIMIT_SCOPES = ['turn', 'session', 'day'] as const satisfies readonly (keyof AgentLimits)[];
export const LIMIT_UNITS = ['tokens', 'money', 'minutes'] as const satisfies readonly LimitUnit[];
export type LimitScope = (typeof LIMIT_SCOPES)[number];

/** As a number field holds it: an empty one is `''`. */
export type LimitFields = Readonly<Record<LimitUnit, number | string>>;

export interface ServerFields {
  readonly key: string;
  readonly type: McpServer['type'];
  readonly name: string;
  /** `stdio`: command and arguments in one line. */
  readonly command: string;
  readonly env: readonly VariableRow[];
  /** `http`, `sse` */
  readonly url: string;
  readonly headers: readonly VariableRow[];
}

/** What stands in the fields. */
export interface AgentFields {
  readonly kind: 'command' | 'echo' | 'chat';
  readonly name: string;
  readonly description: string;
  /** Command and arguments in one line; of a built-in agent the arguments alone. */
  readonly command: string;
  readonly cwd: string;
  readonly env: readonly VariableRow[];
  readonly model: string;
  readonly mcpServers: readonly ServerFields[];
  readonly limits: Readonly<Record<LimitScope, LimitFields>>;
  readonly autostart: boolean;
}

const NO_LIMIT: LimitFields = { tokens: '', money: '', minutes: '' };

export const EMPTY_FIELDS: AgentFields = {
  kind: 'command',
  name: '',
  description: '',
  command: '',
  cwd: '',
  env: [],
  model: '',
  mcpServers: [],
  limits: { turn: NO_LIMIT, session: NO_LIMIT, day: NO_LIMIT },
  autostart: true,
};

export function emptyServer(): ServerFields {
  return { key: randomId('server'), type: 'stdio', name: '', command: '', env: [], url: '', headers: [] };
}

/** The fields as the configuration of the agent fills them. */
export function fieldsOfAgent(agent: AgentDraft): AgentFields {
  const { launch, limits } = agent;
  return {
    kind: launch.kind === 'command' ? 'command' : launch.program,
    name: agent.name,
    description: agent.description,
    command: joinCommandLine(launch.kind === 'command' ? [launch.command, ...launch.args] : launch.args),
    cwd: launch.kind === 'command' ? (launch.cwd ?? '') : '',
    env: launch.kind === 'command' ? rowsOf(launch.env) : [],
    model: agent.model ?? '',
    mcpServers: agent.mcpServers.map(fieldsOfServer),
    limits: {
      turn: { ...NO_LIMIT, ...limits.turn },
      session: { ...NO_LIMIT, ...limits.session },
      day: { ...NO_LIMIT, ...limits.day },
    },
    autostart: agent.autostart,
  };
}

function fieldsOfServer(server: McpServer): ServerFields {
  const common = { ...emptyServer(), type: server.type, name: server.name };
  return server.type === 'stdio'
    ? { ...common, command: joinCommandLine([server.command, ...server.args]), env: rowsOf(server.env) }
    : { ...common, url: server.url, headers: rowsOf(server.headers) };
}

/** The configuration that the fields say, or what is wrong with them. The runtime checks again. */
export function draftOfFields(fields: AgentFields): { draft: AgentDraft } | { errors: FieldErrors } {
  const errors: FieldErrors = {};
  const model = fields.model.trim();
  if (fields.kind === 'chat' && model === '') errors.model = 'Give the model as provider/model.';
  const result = agentDraft.safeParse({
    name: fields.name,
    description: fields.description.trim(),
    launch: launchOfFields(fields, errors),
    ...(model !== '' && { model }),
    mcpServers: fields.mcpServers.map((server, index) => serverOfFields(server, index, errors)),
    limits: limitsOfFields(fields.limits),
    autostart: fields.autostart,
  });
  const found = result.success ? errors : { ...errorsOfIssues(result.error.issues), ...errors };
  return result.success && Object.keys(found).length === 0 ? { draft: result.data } : { errors: found };
}

/** What "Test" needs of the fields: the rest may still be empty or wrong. */
export function testOfFields(
  fields: AgentFields,
): { request: { launch: AgentLaunch; model?: string } } | { errors: FieldErrors } {
  const result = draftOfFields({ ...EMPTY_FIELDS, name: '-', ...launchPart(fields) });
  if ('errors' in result) return result;
  const { launch, model } = result.draft;
  return { request: { launch, ...(model !== undefined && { model }) } };
}

function launchPart({ kind, command, cwd, env, model }: AgentFields): Partial<AgentFields> {
  return { kind, command, cwd, env, model };
}

function launchOfFields(fields: AgentFields, errors: FieldErrors): z.input<typeof agentDraft>['launch'] {
  const words = wordsOf(fields.command, 'launch.command', errors);
  if (fields.kind !== 'command') return { kind: 'builtin', program: fields.kind, args: words };
  const [command = '', ...args] = words;
  const cwd = fields.cwd.trim();
  return {
    kind: 'command',
    command,
    args,
    env: recordOf(fields.env, 'launch.env', errors),
    ...(cwd !== '' && { cwd }),
  };
}

function serverOfFields(server: ServerFields, index: number, errors: FieldErrors): z.input<typeof mcpInput> {
  const path = `mcpServers.${index}`;
  const { type, name } = server;
  if (type !== 'stdio') {
    const headers = recordOf(server.headers, `${path}.headers`, errors);
    return { type, name, url: server.url.trim(), headers };
  }
  const [command = '', ...args] = wordsOf(server.command, `${path}.command`, errors);
  return { type, name, command, args, env: recordOf(server.env, `${path}.env`, errors) };
}

const mcpInput = agentDraft.shape.mcpServers.unwrap().element;

function wordsOf(line: string, path: string, errors: FieldErrors): string[] {
  const result = splitCommandLine(line);
  if ('words' in result) return result.words;
  errors[path] = result.error;
  // Something that is a word, so that nothing is said beside what is really wrong.
  return ['-'];
}

function limitsOfFields(limits: AgentFields['limits']): AgentLimits {
  const all: AgentLimits = {};
  for (const scope of LIMIT_SCOPES) {
    const units = LIMIT_UNITS.map((unit) => [unit, limits[scope][unit]] as const);
    const set = units.filter(([, value]) => value !== '').map(([unit, value]) => [unit, Number(value)]);
    if (set.length > 0) all[scope] = Object.fromEntries(set) as Limit;
  }
  return all;
}

/** True when the fields say something else than before, rows that are only drawn anew left aside. */
export function differ(fields: AgentFields, before: AgentFields): boolean {
  return textOf(fields) !== textOf(before);
}

/** The keys of rows are made anew each time. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (name, each: unknown) => (name === 'key' ? undefined : each));
}

/** What has to be sent so that the agent becomes what the draft says. */
export function changesOf(agent: Agent, draft: AgentDraft): Partial<AgentDraft> {
  const before = agentDraft.parse(agent);
  const changed = (Object.keys(draft) as (keyof AgentDraft)[]).filter(
    (name) => JSON.stringify(draft[name]) !== JSON.stringify(before[name]),
  );
  return Object.fromEntries(changed.map((name) => [name, draft[name]]));
}
