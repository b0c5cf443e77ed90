/** How each published agent is told to use the stand-in for a model, and nothing of the person who drives it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Folders that are made for this drive alone. */
export interface Places {
  home: string;
  /** The working directory. */
  project: string;
}

export interface PublishedAgent {
  id: string;
  package: string;
  args: readonly string[];
  /** What it is given in any case. */
  env?: Readonly<Record<string, string>>;
  /** Writes its configuration, if it needs one; resolves with more environment. `url`: of the stand-in. */
  withStandIn(url: string, places: Places): Promise<Record<string, string>>;
  /** The way to log in that has to be chosen although the key is in its environment. */
  authenticate?: string;
}

/** Nobody looks at it, but some check its length. */
const KEY = 'sk-stand-in-0123456789abcdef0123456789abcdef';

export const PUBLISHED_AGENTS: readonly PublishedAgent[] = [
  {
    id: 'claude-code',
    package: '@agentclientprotocol/claude-agent-acp',
    args: [],
    // Without it Claude Code refuses the mode that its adapter offers to root, which containers are.
    env: { IS_SANDBOX: '1' },
    withStandIn: async (url) => ({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: KEY }),
  },
  {
    id: 'codex',
    package: '@agentclientprotocol/codex-acp',
    args: [],
    async withStandIn(url, { home }) {
      const folder = join(home, '.codex');
      await mkdir(folder, { recursive: true });
      await writeFile(
        join(folder, 'config.toml'),
        [
          'model = "stand-in"',
          'model_provider = "stand-in"',
          '[model_providers.stand-in]',
          'name = "Stand-in"',
          `base_url = "${url}/v1"`,
          'env_key = "STAND_IN_KEY"',
          'wire_api = "responses"',
          '',
        ].join('\n'),
      );
      return { CODEX_HOME: folder, STAND_IN_KEY: KEY };
    },
  },
  {
    id: 'gemini-cli',
    package: '@google/gemini-cli',
    args: ['--acp'],
    withStandIn: async (url) => ({ GEMINI_API_KEY: KEY, GOOGLE_GEMINI_BASE_URL: url }),
    authenticate: 'gemini-api-key',
  },
  {
    id: 'qwen-code',
    package: '@qwen-code/qwen-code',
    args: ['--acp'],
    withStandIn: async (url) => ({
      OPENAI_API_KEY: KEY,
      OPENAI_BASE_URL: `${url}/v1`,
      OPENAI_MODEL: 'stand-in',
    }),
  },
  {
    id: 'opencode',
    package: 'opencode-ai',
    args: ['acp'],
    async withStandIn(url, { project }) {
      await writeFile(
        join(project, 'opencode.json'),
        JSON.stringify({
          model: 'stand-in/stand-in',
          small_model: 'stand-in/stand-in',
          autoupdate: false,
          permission: { bash: 'ask' },
          provider: {
            'stand-in': {
              npm: '@ai-sdk/openai-compatible',
              options: { baseURL: `${url}/v1`, apiKey: KEY },
              models: { 'stand-in': { name: 'Stand-in', tool_call: true } },
            },
          },
        }),
      );
      return {};
    },
  },
];
