/** The model providers of the built-in chat agent, as data, and the choice among them. */
export type ProviderName = 'openai' | 'anthropic' | 'gemini';

export interface Provider {
  name: ProviderName;
  title: string;
  /** The setting that holds the key. */
  keySetting: string;
  /** The environment variable that moves the provider to another address, such as a proxy or a local server. */
  baseUrlSetting: string;
  /** A current model that is neither the largest nor the smallest. */
  defaultModel: string;
}

/**
 * In the order in which they are tried. The default models are from the catalogues of `@ai-sdk/openai` 4.0.118,
 * `@ai-sdk/anthropic` 4.0.105 and `@ai-sdk/google` 4.0.121 (November 2026); any other can be configured.
 */
const PROVIDERS: readonly Provider[] = [
  {
    name: 'openai',
    title: 'OpenAI',
    keySetting: 'OPENAI_API_KEY',
    baseUrlSetting: 'OPENAI_BASE_URL',
    defaultModel: 'gpt-6.1-terra',
  },
  {
    name: 'anthropic',
    title: 'Anthropic',
    keySetting: 'ANTHROPIC_API_KEY',
    baseUrlSetting: 'ANTHROPIC_BASE_URL',
    defaultModel: 'claude-sonnet-5-5',
  },
  {
    name: 'gemini',
    title: 'Google Gemini',
    keySetting: 'GEMINI_API_KEY',
    baseUrlSetting: 'GOOGLE_GEMINI_BASE_URL',
    defaultModel: 'gemini-flash-latest',
  },
];

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ModelChoice {
  provider: Provider;
  /** Undefined: a server of one's own, which must be asked what it has. */
  model: string | undefined;
  apiKey: string | undefined;
  baseUrl: string | undefined;
}

export type ModelProblem = { code: 'provider.key_missing' | 'provider.model_not_found'; message: string };

/** A server behind `OPENAI_BASE_URL` (Ollama, llama.cpp, …) needs no key. */
function isUsable(provider: Provider, environment: Environment): boolean {
  return (
    Boolean(environment[provider.keySetting]) ||
    (provider.name === 'openai' && Boolean(environment[provider.baseUrlSetting]))
  );
}

/** `provider/model`, as it is configured; undefined while a server of one's own has not been asked what it has. */
export function modelName({ provider, model }: ModelChoice): string | undefined {
  return model === undefined ? undefined : `${provider.name}/${model}`;
}

/** What there is to choose from beside the chosen model: the default of every provider that is set up. */
export function modelChoices(chosen: ModelChoice, environment: Environment): ModelChoice[] {
  const defaults = PROVIDERS.filter((provider) => isUsable(provider, environment))
    .map((provider) => withModel(provider, undefined, environment))
    .filter((choice) => choice.model !== undefined && modelName(choice) !== modelName(chosen));
  return [chosen, ...defaults];
}

/** The model to talk to: the wanted one (`provider/model`), else the first provider that is set up. */
export function chooseModel(
  wanted: string | undefined,
  environment: Environment,
): ModelChoice | ModelProblem {
  const provider =
    wanted === undefined
      ? PROVIDERS.find((candidate) => isUsable(candidate, environment))
      : PROVIDERS.find(({ name }) => wanted.startsWith(`${name}/`));
  if (provider === undefined) {
    return wanted === undefined
      ? {
          code: 'provider.key_missing',
          message:
            'No model provider is set up. Set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY, or OPENAI_BASE_URL for a local server such as Ollama, and start SmallTalk Console again. Echo works without.',
        }
      : {
          code: 'provider.model_not_found',
          message: `The model ${wanted} names no provider. Write it as openai/…, anthropic/… or gemini/….`,
        };
  }
  if (!isUsable(provider, environment)) {
    return {
      code: 'provider.key_missing',
      message: `${provider.title} needs a key. Set ${provider.keySetting} and start SmallTalk Console again.`,
    };
  }
  return withModel(provider, wanted?.slice(provider.name.length + 1), environment);
}

function withModel(provider: Provider, wanted: string | undefined, environment: Environment): ModelChoice {
  const baseUrl = environment[provider.baseUrlSetting] || undefined;
  const isOwnServer = provider.name === 'openai' && baseUrl !== undefined;
  return {
    provider,
    model: wanted || (isOwnServer ? undefined : provider.defaultModel),
    apiKey: environment[provider.keySetting] || undefined,
    baseUrl,
  };
}
