/**
 * The well-known agents that speak ACP, as data. Each recipe was checked on {@link RECIPES_CHECKED_ON} against the page
 * that `source` names, and its package against the registry that it comes from. What could not be confirmed is left out.
 */
import { basename } from 'node:path';

/** The day of the last check, as YYYY-MM-DD. */
export const RECIPES_CHECKED_ON = '2026-11-21';

export interface RecipeCommand {
  /** Looked up by name on the search path. */
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  /**
   * Another program that must be there, too. An adapter that is fetched by `npx` is offered only to those who have the
   * agent that it adapts: having Node.js does not mean having every agent of its registry.
   */
  with?: string;
}

export interface AgentRecipe {
  id: string;
  name: string;
  description: string;
  website: string;
  /** Where the command that speaks ACP is documented. */
  source: string;
  /** The first of which everything is there is taken. */
  commands: readonly RecipeCommand[];
  /** How to install it: a command line, or words. */
  install: string;
  /** How to log in, or which key it takes. */
  login: string;
}

/** Exact versions: what is fetched by `npx` changes only with this file, and needs no network once it was fetched. */
const CLAUDE_ADAPTER = '@agentclientprotocol/claude-agent-acp@0.100.0';
const CODEX_ADAPTER = '@agentclientprotocol/codex-acp@2.6.0';
const PI_ADAPTER = 'pi-acp@0.0.34';
/** `npx` would otherwise ask whether it may fetch the package, and nobody would see the question. */
const ASSENT = '--yes';

const REGISTRY = 'https://github.com/agentclientprotocol/registry/blob/main';

export const RECIPES: readonly AgentRecipe[] = [
  {
    id: 'claude-code',
    name: 'Claude Code',
    description: 'Anthropic’s coding agent, through its ACP adapter.',
    website: 'https://code.claude.com/docs',
    source: `${REGISTRY}/claude-acp/agent.json`,
    commands: [
      { command: 'claude-agent-acp', args: [] },
      // How the adapter was named before it moved to the organisation of the protocol.
      { command: 'claude-code-acp', args: [] },
      { command: 'npx', args: [ASSENT, CLAUDE_ADAPTER], with: 'claude' },
    ],
    install: `npm install --global ${CLAUDE_ADAPTER}`,
    login: 'Run `claude` in a terminal and type /login, or set ANTHROPIC_API_KEY.',
  },
  {
    id: 'codex',
    name: 'Codex',
    description: 'OpenAI’s coding agent, through its ACP adapter.',
    website: 'https://developers.openai.com/codex/cli',
    source: `${REGISTRY}/codex-acp/agent.json`,
    commands: [
      { command: 'codex-acp', args: [] },
      { command: 'npx', args: [ASSENT, CODEX_ADAPTER], with: 'codex' },
    ],
    install: `npm install --global ${CODEX_ADAPTER}`,
    login: 'Run `codex login` in a terminal, or set OPENAI_API_KEY.',
  },
  {
    id: 'gemini-cli',
    name: 'Gemini CLI',
    description: 'Google’s coding agent.',
    website: 'https://geminicli.com',
    source: `${REGISTRY}/gemini/agent.json`,
    commands: [{ command: 'gemini', args: ['--acp'] }],
    install: 'npm install --global @google/gemini-cli',
    login: 'Run `gemini` in a terminal and choose how to log in, or set GEMINI_API_KEY.',
  },
  {
    id: 'opencode',
    name: 'OpenCode',
    description: 'The open-source coding agent for any model.',
    website: 'https://opencode.ai',
    source: 'https://opencode.ai/docs/acp/',
    commands: [{ command: 'opencode', args: ['acp'] }],
    install: 'npm install --global opencode-ai',
    login: 'Run `opencode auth login` in a terminal.',
  },
  {
    id: 'goose',
    name: 'goose',
    description: 'Block’s local, extensible agent for engineering tasks.',
    website: 'https://block.github.io/goose/',
    source: `${REGISTRY}/goose/agent.json`,
    commands: [{ command: 'goose', args: ['acp'] }],
    install: 'Follow https://block.github.io/goose/docs/getting-started/installation',
    login: 'Run `goose configure` in a terminal and choose a model provider.',
  },
  {
    id: 'qwen-code',
    name: 'Qwen Code',
    description: 'Alibaba’s coding agent.',
    website: 'https://qwenlm.github.io/qwen-code-docs/',
    source: `${REGISTRY}/qwen-code/agent.json`,
    commands: [{ command: 'qwen', args: ['--acp'] }],
    install: 'npm install --global @qwen-code/qwen-code',
    login: 'Run `qwen` in a terminal and type /auth.',
  },
  {
    id: 'kimi',
    name: 'Kimi Code',
    description: 'Moonshot AI’s coding agent.',
    website: 'https://www.kimi.com/code',
    source: 'https://www.kimi.com/code/docs/en/third-party-tools/zed.html',
    commands: [{ command: 'kimi', args: ['acp'] }],
    install: 'npm install --global @moonshot-ai/kimi-code',
    login: 'Run `kimi` in a terminal and type /login.',
  },
  {
    id: 'cursor',
    name: 'Cursor',
    description: 'Cursor’s coding agent.',
    website: 'https://cursor.com/cli',
    source: 'https://cursor.com/docs/cli/acp',
    commands: [{ command: 'cursor-agent', args: ['acp'] }],
    install: 'Follow https://cursor.com/cli',
    login: 'Run `cursor-agent login` in a terminal, or set CURSOR_API_KEY.',
  },
  {
    id: 'github-copilot',
    name: 'GitHub Copilot',
    description: 'GitHub’s coding agent.',
    website: 'https://github.com/features/copilot/cli/',
    source: 'https://docs.github.com/en/copilot/reference/copilot-cli-reference/acp-server',
    commands: [{ command: 'copilot', args: ['--acp'] }],
    install: 'npm install --global @github/copilot',
    login: 'Run `copilot` in a terminal and type /login.',
  },
  {
    id: 'auggie',
    name: 'Auggie',
    description: 'Augment Code’s coding agent.',
    website: 'https://www.augmentcode.com/',
    source: 'https://docs.augmentcode.com/cli/acp',
    commands: [{ command: 'auggie', args: ['--acp'], env: { AUGMENT_DISABLE_AUTO_UPDATE: '1' } }],
    install: 'npm install --global @augmentcode/auggie',
    login: 'Run `auggie login` in a terminal.',
  },
  {
    id: 'mistral-vibe',
    name: 'Mistral Vibe',
    description: 'Mistral’s open-source coding agent.',
    website: 'https://mistral.ai/products/vibe',
    source: `${REGISTRY}/mistral-vibe/agent.json`,
    commands: [{ command: 'vibe-acp', args: [] }],
    install: 'uv tool install mistral-vibe',
    login: 'Run `vibe` in a terminal once, or set MISTRAL_API_KEY.',
  },
  {
    id: 'cline',
    name: 'Cline',
    description: 'The autonomous coding agent, from the terminal.',
    website: 'https://cline.bot/cli',
    source: 'https://docs.cline.bot/usage/acp',
    commands: [{ command: 'cline', args: ['--acp'] }],
    install: 'npm install --global cline',
    login: 'Run `cline auth` in a terminal.',
  },
  {
    id: 'openhands',
    name: 'OpenHands',
    description: 'The open platform for coding agents.',
    website: 'https://docs.openhands.dev',
    source: 'https://docs.openhands.dev/openhands/usage/run-openhands/acp',
    commands: [{ command: 'openhands', args: ['acp'] }],
    install: 'uv tool install openhands --python 3.12',
    login: 'Run `openhands` in a terminal and set a model with /settings.',
  },
  {
    id: 'fast-agent',
    name: 'fast-agent',
    description: 'Build and run agents on many model providers.',
    website: 'https://fast-agent.ai',
    source: `${REGISTRY}/fast-agent/agent.json`,
    commands: [{ command: 'fast-agent-acp', args: ['-x'] }],
    install: 'uv tool install fast-agent-acp',
    login: 'Set the key of a model provider, such as OPENAI_API_KEY or ANTHROPIC_API_KEY.',
  },
  {
    id: 'junie',
    name: 'Junie',
    description: 'JetBrains’ coding agent.',
    website: 'https://junie.jetbrains.com',
    source: `${REGISTRY}/junie/agent.json`,
    commands: [{ command: 'junie', args: ['--acp=true'] }],
    install: 'npm install --global @jetbrains/junie',
    login: 'Run `junie` in a terminal and follow its login.',
  },
  {
    id: 'factory-droid',
    name: 'Factory Droid',
    description: 'Factory’s coding agent.',
    website: 'https://factory.ai/product/cli',
    source: 'https://docs.factory.ai/integrations/jetbrains',
    commands: [
      {
        command: 'droid',
        args: ['exec', '--output-format', 'acp'],
        env: { DROID_DISABLE_AUTO_UPDATE: 'true' },
      },
    ],
    install: 'npm install --global droid',
    login: 'Run `droid` in a terminal and log in, or set FACTORY_API_KEY.',
  },
  {
    id: 'kilo',
    name: 'Kilo Code',
    description: 'The open-source coding agent of Kilo.',
    website: 'https://kilo.ai/',
    source: `${REGISTRY}/kilo/agent.json`,
    commands: [{ command: 'kilo', args: ['acp'] }],
    install: 'npm install --global @kilocode/cli',
    login: 'Run `kilo` in a terminal and type /connect.',
  },
  {
    id: 'kiro',
    name: 'Kiro',
    description: 'AWS’ coding agent.',
    website: 'https://kiro.dev',
    source: 'https://kiro.dev/docs/cli/acp',
    commands: [{ command: 'kiro-cli', args: ['acp'] }],
    install: 'Follow https://kiro.dev/docs/cli/',
    login: 'Run `kiro-cli login` in a terminal.',
  },
  {
    id: 'grok-build',
    name: 'Grok Build',
    description: 'xAI’s coding agent.',
    website: 'https://x.ai/cli',
    source: 'https://docs.x.ai/build/cli/reference',
    commands: [{ command: 'grok', args: ['agent', 'stdio'] }],
    install: 'npm install --global @xai-official/grok',
    login: 'Run `grok login` in a terminal, or set XAI_API_KEY.',
  },
  {
    id: 'pi',
    name: 'pi',
    description: 'The minimal coding agent, through its ACP adapter.',
    website: 'https://github.com/svkozak/pi-acp',
    source: `${REGISTRY}/pi-acp/agent.json`,
    commands: [
      { command: 'pi-acp', args: [] },
      { command: 'npx', args: [ASSENT, PI_ADAPTER], with: 'pi' },
    ],
    install: `npm install --global ${PI_ADAPTER}`,
    login: 'Run `pi` in a terminal and type /login, or set the key of a model provider.',
  },
];

/** Programs that fetch what they run when it is not there yet. */
const FETCHERS = new Set(['npx', 'bunx', 'pnpx', 'uvx', 'pipx']);

/** The name of a command without its folder and without the endings of Windows. */
function nameOf(command: string): string {
  return basename(command.replaceAll('\\', '/')).replace(/\.(exe|cmd|bat)$/i, '');
}

/** True for a command that may have to fetch what it runs first, which can take minutes. */
export function mayFetch(command: string): boolean {
  return FETCHERS.has(nameOf(command));
}

/** The recipe whose program this is, or that comes with this program; none for a program that runs others. */
export function recipeOfCommand(command: string): AgentRecipe | undefined {
  const name = nameOf(command);
  if (mayFetch(command)) return undefined;
  return RECIPES.find(({ commands }) =>
    commands.some((way) => way.command === name || (way.with !== undefined && way.with === name)),
  );
}

/** The recipe that a command line follows, whatever options and versions it adds. */
export function recipeOfLaunch(launch: {
  command: string;
  args: readonly string[];
}): AgentRecipe | undefined {
  const name = nameOf(launch.command);
  return RECIPES.find(({ commands }) =>
    commands.some(
      (way) =>
        way.command === name &&
        way.args
          .filter((argument) => argument !== ASSENT)
          .every((argument) =>
            launch.args.some((given) => withoutVersion(given) === withoutVersion(argument)),
          ),
    ),
  );
}

/** `@scope/name@1.2.3` as `@scope/name`; every other argument as it is. */
function withoutVersion(argument: string): string {
  return argument.replace(/(?<=.)@[^@/]*$/, '');
}
