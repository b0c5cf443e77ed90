/** Asks a model for an answer and streams it. The libraries are loaded with the first answer, and only that of one provider. */
import type { LanguageModel, ModelMessage } from 'ai';
import type { Environment, ModelChoice } from './chat-models.ts';
import { type ProviderProblem, toProviderProblem } from './provider-errors.ts';
import { pause } from './serve-stdio.ts';

export interface Answer {
  text: string;
  /** The model that answered, by the name that it was asked for; undefined when the answer was cancelled. */
  model?: string;
  /** As ACP names it. */
  stopReason: 'end_turn' | 'max_tokens' | 'refusal' | 'cancelled';
  usage?: { inputTokens: number; outputTokens: number };
}

export class ProviderError extends Error {
  readonly problem: ProviderProblem;

  constructor(problem: ProviderProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** How often and how soon a request is tried again that failed for a moment (`ERROR_RETRY_*`). */
export interface RetryLimits {
  attempts: number;
  baseDelayMs: number;
  longestDelayMs: number;
}

export function retryLimits(environment: Environment): RetryLimits {
  const number = (name: string, fallback: number) => Number(environment[name] ?? fallback) || fallback;
  return {
    attempts: number('ERROR_RETRY_MAX_ATTEMPTS', 3),
    baseDelayMs: number('ERROR_RETRY_BASE_DELAY', 100),
    longestDelayMs: number('ERROR_RETRY_MAX_DELAY', 10_000),
  };
}

/**
 * Answers the conversation. Aborting ends the HTTP request and resolves with what was there. A failure that may pass is
 * tried again as long as nothing of the answer has been told, since nothing may be told twice. Rejects with a
 * {@link ProviderError}.
 */
export async function answer(
  choice: ModelChoice,
  messages: ModelMessage[],
  retries: RetryLimits,
  signal: AbortSignal,
  tell: (kind: 'text' | 'thought', text: string) => Promise<void>,
): Promise<Answer> {
  let hasTold = false;
  let told = '';
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptAnswer(choice, messages, signal, async (kind, text) => {
        hasTold = true;
        if (kind === 'text') told += text;
        await tell(kind, text);
      });
    } catch (error) {
      if (signal.aborted) return { text: told, stopReason: 'cancelled' };
      const problem =
        error instanceof ProviderError
          ? error.problem
          : toProviderProblem(error, choice.provider, Date.now());
      const backOffMs = Math.min(retries.longestDelayMs, retries.baseDelayMs * 2 ** (attempt - 1));
      // A provider that asks for more patience than we have is taken at its word, and not asked again.
      const delayMs = problem.retryAfterMs ?? backOffMs * (0.5 + Math.random() / 2);
      const isWorthIt =
        problem.isTransient && !hasTold && attempt < retries.attempts && delayMs <= retries.longestDelayMs;
      if (!isWorthIt) throw new ProviderError(problem);
      await pause(delayMs, signal);
    }
  }
}

async function attemptAnswer(
  choice: ModelChoice,
  messages: ModelMessage[],
  signal: AbortSignal,
  tell: (kind: 'text' | 'thought', text: string) => Promise<void>,
): Promise<Answer> {
  const { streamText } = await import('ai');
  const name = choice.model ?? (await firstModelOf(choice, signal));
  const { stream } = streamText({
    model: await openModel(choice, name),
    messages,
    abortSignal: signal,
    maxRetries: 0,
    // The default prints the error, with all that was sent, to stderr.
    onError: () => undefined,
  });
  let text = '';
  for await (const part of stream) {
    switch (part.type) {
      case 'text-delta':
        text += part.text;
        if (part.text !== '') await tell('text', part.text);
        break;
      case 'reasoning-delta':
        // Anthropic sends the signature of a thought as a piece without text.
        if (part.text !== '') await tell('thought', part.text);
        break;
      case 'error':
        throw part.error;
      case 'abort':
        return { text, stopReason: 'cancelled' };
      case 'finish': {
        if (part.rawFinishReason === undefined) throw brokenOff(choice);
        const { inputTokens, outputTokens } = part.totalUsage;
        return {
          text,
          model: name,
          stopReason: stopReasonOf(part.finishReason),
          ...(inputTokens === undefined || outputTokens === undefined
            ? {}
            : { usage: { inputTokens, outputTokens } }),
        };
      }
    }
  }
  throw brokenOff(choice);
}

/** The stream ended in order, but without the word that the answer is complete: half an answer is not passed off as one. */
function brokenOff({ provider }: ModelChoice): ProviderError {
  return new ProviderError({
    code: 'provider.failed',
    message: `${provider.title} broke off before the answer was complete.`,
    isTransient: true,
  });
}

function stopReasonOf(finishReason: string): Answer['stopReason'] {
  if (finishReason === 'length') return 'max_tokens';
  return finishReason === 'content-filter' ? 'refusal' : 'end_turn';
}

async function openModel(choice: ModelChoice, model: string): Promise<LanguageModel> {
  const { provider, apiKey, baseUrl } = choice;
  const baseURL = baseUrl === undefined ? {} : { baseURL: baseUrl };
  switch (provider.name) {
    case 'openai': {
      const { createOpenAI } = await import('@ai-sdk/openai');
      // A server of one's own needs no key, but the library insists on one. Chat Completions is what they all speak.
      return createOpenAI({ apiKey: apiKey ?? 'none', ...baseURL }).chat(model);
    }
    case 'anthropic': {
      const { createAnthropic } = await import('@ai-sdk/anthropic');
      return createAnthropic({ apiKey: apiKey ?? '', ...baseURL })(model);
    }
    case 'gemini': {
      const { createGoogle } = await import('@ai-sdk/google');
      return createGoogle({ apiKey: apiKey ?? '', ...baseURL })(model);
    }
  }
}

/** The first model that a server of one's own has, by the list that OpenAI's API knows. */
async function firstModelOf(
  { baseUrl, apiKey, provider }: ModelChoice,
  signal: AbortSignal,
): Promise<string> {
  const response = await fetch(`${baseUrl?.replace(/\/+$/, '')}/models`, {
    signal,
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
  });
  if (!response.ok) {
    throw Object.assign(new Error(response.statusText), {
      statusCode: response.status,
      responseBody: await response.text(),
    });
  }
  const list = (await response.json().catch(() => undefined)) as { data?: { id?: unknown }[] } | undefined;
  const id = list?.data?.[0]?.id;
  if (typeof id === 'string') return id;
  throw new ProviderError({
    code: 'provider.model_not_found',
    message: `The server at OPENAI_BASE_URL lists no model. Load one, or name it in the agent as ${provider.name}/….`,
    isTransient: false,
  });
}
