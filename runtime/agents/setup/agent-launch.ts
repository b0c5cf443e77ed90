/** From the configuration of an agent to the command that is run. */
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { programCommand } from '../../base/program.ts';
import { type AgentConfig, type AgentLaunch, fault } from '../../contract/index.ts';
import type { SecretStore } from '../../settings/secret-store.ts';
import type { Settings } from '../../settings/settings.ts';
import { expandHome, findCommand, isFolder } from './executables.ts';
import { inheritedEnvironment } from './inherited-environment.ts';
import { mayFetch } from './recipes.ts';
import { foldersOf } from './search-path.ts';
import { readSecrets, type Variables, variablesOf, withSecrets } from './secret-references.ts';

export interface LaunchCommand {
  /** Absolute. */
  command: string;
  args: string[];
  /** Absolute; also the working directory of the sessions. */
  cwd: string;
  env: Record<string, string>;
  /** What of it, and of the MCP servers that it is given, must not be shown. */
  secrets: string[];
  /** Set for a built-in program, which a spare process can become instead of being started. */
  builtin?: { program: 'echo' | 'chat'; args: string[] };
  /** How long it may take to answer `initialize`, when that is longer than for others. */
  initializeTimeoutMs?: number;
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
  secrets: Pick<SecretStore, 'get'>;
  /** The folders in which commands are found by their names. */
  searchPath: () => Promise<string[]>;
}

/**
 * A small young generation: a built-in agent holds a conversation, not data. Flags that change how V8 compiles
 * (`--max-lazy`) would cost a third of the start: Node.js then cannot use the code that it has compiled of itself.
 */
const BUILTIN_NODE_FLAGS = ['--max-semi-space-size=1'];

/** `npx` and its like fetch what they run at its first start: tens of megabytes, over whatever line there is. */
const FETCH_AND_INITIALIZE_MS = 180_000;

const PROVIDER_SETTINGS = [
  'OPENAI_API_KEY',
  'ANTHROPIC_API_KEY',
  'GEMINI_API_KEY',
  'OPENAI_BASE_URL',
] as const;
/** `MAX_TOKENS=4096` and `USE_KEYRING=true` are none, and masking such words would spoil whatever is shown. */
const SHORTEST_LIKELY_SECRET = 8;
const SECRET_NAME = /key|token|secret|passw|credential|authorization|cookie/i;

/**
 * The command of an agent. Rejects with `agent.command_not_found`, `agent.command_not_executable`,
 * `agent.working_directory_missing`, `agent.secret_missing` or `secret.unreadable`.
 */
export async function resolveLaunch(
  config: Pick<AgentConfig, 'launch' | 'model'> & Partial<Pick<AgentConfig, 'mcpServers'>>,
  context: LaunchContext,
): Promise<LaunchCommand> {
  const { launch } = config;
  const inherited = inheritedEnvironment(context.environment);
  const values = await readSecrets(config, context.secrets);
  const secrets = [
    ...context.settings.secrets,
    ...values.values(),
    ...variablesOf(config).flatMap(secretLooking),
  ];
  if (launch.kind === 'builtin') {
    return builtinCommand(launch, config.model, inherited, { ...context.settings, secrets });
  }
  const cwd = await workingDirectory(launch.cwd);
  const own = withSecrets(launch.env, values);
  const env = { ...inherited, PATH: (await context.searchPath()).join(delimiter), ...own };
  return {
    command: await findCommand(launch.command, foldersOf(env.PATH), cwd),
    args: launch.args,
    cwd,
    env,
    secrets,
    ...(mayFetch(launch.command) ? { initializeTimeoutMs: FETCH_AND_INITIALIZE_MS } : {}),
  };
}

async function workingDirectory(configured: string | undefined): Promise<string> {
  const cwd = expandHome(configured ?? homedir());
  if (!isAbsolute(cwd)) {
    throw fault('agent.working_directory_missing', `The working directory ${cwd} is not an absolute path.`, {
      cwd,
    });
  }
  if (!(await isFolder(cwd))) {
    throw fault('agent.working_directory_missing', `The working directory ${cwd} does not exist.`, { cwd });
  }
  return cwd;
}

/** The values of variables that a name like `API_KEY` gives away as secrets. */
function secretLooking(variables: Variables): string[] {
  return Object.entries(variables).flatMap(([name, value]) =>
    typeof value === 'string' && SECRET_NAME.test(name) && value.length >= SHORTEST_LIKELY_SECRET
      ? [value]
      : [],
  );
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
    builtin: { program: launch.program, args },
  };
}
