/** From the configuration of an agent to the command that is run. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { programCommand } from '../../base/program.ts';
import { type AgentConfig, type AgentLaunch, fault } from '../../contract/index.ts';
import type { Settings } from '../../settings/settings.ts';

export interface LaunchCommand {
  /** Absolute. */
  command: string;
  args: string[];
  /** Absolute; also the working directory of the sessions. */
  cwd: string;
  env: Record<string, string>;
  /** What of it must not be shown. */
  secrets: string[];
}

export type LaunchSettings = Pick<
  Settings,
  | 'dataDir'
  | 'openaiApiKey'
  | 'anthropicApiKey'
  | 'geminiApiKey'
  | 'openaiBaseUrl'
  | 'retryMaxAttempts'
  | 'retryBaseDelayMs'
  | 'retryMaxDelayMs'
  | 'secrets'
>;

export interface LaunchContext {
  settings: LaunchSettings;
  environment: Readonly<Record<string, string | undefined>>;
}

/**
 * A small young generation and lazy compilation: a built-in agent holds a conversation, not data, and each of them is to
 * take little private memory (measured with the ACP library loaded: 20 MB instead of 34).
 */
const BUILTIN_NODE_FLAGS = ['--max-semi-space-size=1', '--max-lazy'];

/** Settings of ours that an agent has no use for. The keys of the model providers are not among them: agents need those. */
const OWN_SECRETS = new Set([
  'API_TOKEN',
  'REDIS_URL',
  'POSTGRES_URL',
  'POSTGRES_PASSWORD',
  'SMTP_USER',
  'SMTP_PASS',
  'ALERT_SLACK_WEBHOOK',
  'ALERT_PAGERDUTY_KEY',
]);
const PROVIDER_SETTINGS = [
  'OPENAI_API_KEY',
  'ANTHROPIC_API_KEY',
  'GEMINI_API_KEY',
  'OPENAI_BASE_URL',
] as const;
const SECRET_NAME = /key|token|secret|passw|credential/i;

/**
 * The command of an agent. Rejects with `agent.command_not_found`, `agent.command_not_executable` or, for a working
 * directory that is not there, `request.invalid`.
 */
export async function resolveLaunch(
  config: Pick<AgentConfig, 'launch' | 'model'>,
  context: LaunchContext,
): Promise<LaunchCommand> {
  const { launch } = config;
  const inherited = inheritedEnvironment(context.environment);
  if (launch.kind === 'builtin') return builtinCommand(launch, config.model, inherited, context.settings);
  const cwd = launch.cwd ?? homedir();
  if (!(await isDirectory(cwd))) {
    throw fault('request.invalid', `The working directory ${cwd} does not exist.`, { cwd });
  }
  return {
    command: await findCommand(launch.command, { ...inherited, ...launch.env }.PATH, cwd),
    args: launch.args,
    cwd,
    env: { ...inherited, ...launch.env },
    secrets: [
      ...context.settings.secrets,
      ...Object.entries(launch.env).flatMap(([name, value]) => (SECRET_NAME.test(name) ? [value] : [])),
    ],
  };
}

function builtinCommand(
  launch: Extract<AgentLaunch, { kind: 'builtin' }>,
  model: string | undefined,
  inherited: Record<string, string>,
  settings: LaunchSettings,
): LaunchCommand {
  const isChat = launch.program === 'chat';
  const args = [...launch.args, ...(isChat && model !== undefined ? ['--model', model] : [])];
  const program = programCommand(isChat ? 'agent-chat' : 'agent-echo', args);
  const env: Record<string, string> = { ...inherited };
  for (const name of PROVIDER_SETTINGS) delete env[name];
  if (isChat) {
    const provided = {
      OPENAI_API_KEY: settings.openaiApiKey,
      ANTHROPIC_API_KEY: settings.anthropicApiKey,
      GEMINI_API_KEY: settings.geminiApiKey,
      OPENAI_BASE_URL: settings.openaiBaseUrl,
      ERROR_RETRY_MAX_ATTEMPTS: String(settings.retryMaxAttempts),
      ERROR_RETRY_BASE_DELAY: String(settings.retryBaseDelayMs),
      ERROR_RETRY_MAX_DELAY: String(settings.retryMaxDelayMs),
    };
    for (const [name, value] of Object.entries(provided)) if (value !== undefined) env[name] = value;
  }
  return {
    command: program.command,
    args: [...BUILTIN_NODE_FLAGS, ...program.args],
    cwd: settings.dataDir,
    // The cache spares each start the compilation, and in the source tree the stripping of types (16 MB, 17 ms).
    env: Object.assign(env, program.env, {
      NODE_COMPILE_CACHE: join(settings.dataDir, 'cache', 'programs'),
    }),
    secrets: settings.secrets,
  };
}

function inheritedEnvironment(environment: LaunchContext['environment']): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !OWN_SECRETS.has(name)) inherited[name] = value;
  }
  return inherited;
}

/** The file of a command: as it is when it is a path, else the first executable one on the PATH. */
async function findCommand(command: string, path: string | undefined, cwd: string): Promise<string> {
  const isPath = isAbsolute(command) || /[\\/]/.test(command);
  const candidates = isPath
    ? [resolve(cwd, command)]
    : (path ?? '')
        .split(delimiter)
        .filter((folder) => folder !== '')
        .flatMap((folder) => executableNames(command).map((name) => join(folder, name)));
  let found: string | undefined;
  for (const candidate of candidates) {
    const file = await stat(candidate).catch(() => undefined);
    if (file === undefined) continue;
    found = candidate;
    if (!file.isFile()) continue;
    if (await isExecutable(candidate)) return candidate;
  }
  if (found !== undefined) {
    throw fault('agent.command_not_executable', `${found} is not a file that can be executed.`, {
      command: found,
    });
  }
  throw fault(
    'agent.command_not_found',
    isPath
      ? `The command ${command} does not exist.`
      : `The command ${command} was not found on the PATH. Give its absolute path.`,
    { command },
  );
}

function executableNames(command: string): string[] {
  return process.platform === 'win32'
    ? [command, `${command}.exe`, `${command}.cmd`, `${command}.bat`]
    : [command];
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function isDirectory(folder: string): Promise<boolean> {
  return stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
