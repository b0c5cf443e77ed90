import type { Status } from '../contract/index.ts';
import type { Settings } from './settings.ts';

/** The model providers that the built-in chat agent knows, and whether each is set up. */
export function providersOf(
  settings: Pick<Settings, 'openaiApiKey' | 'anthropicApiKey' | 'geminiApiKey' | 'openaiBaseUrl'>,
): Status['providers'] {
  return [
    { name: 'OpenAI', setting: 'OPENAI_API_KEY', configured: settings.openaiApiKey !== undefined },
    { name: 'Anthropic', setting: 'ANTHROPIC_API_KEY', configured: settings.anthropicApiKey !== undefined },
    { name: 'Gemini', setting: 'GEMINI_API_KEY', configured: settings.geminiApiKey !== undefined },
    {
      name: 'OpenAI-compatible server',
      setting: 'OPENAI_BASE_URL',
      configured: settings.openaiBaseUrl !== undefined,
    },
  ];
}
