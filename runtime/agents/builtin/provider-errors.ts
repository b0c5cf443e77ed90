/** What a model provider answered, by kind: the code, and words that say what to do. */
import type { Provider } from './chat-models.ts';

export interface ProviderProblem {
  /** One of the `provider.*` codes. */
  code: string;
  message: string;
  /** Milliseconds that the provider asks to wait. */
  retryAfterMs?: number;
  /** True when it may work a moment later. */
  isTransient: boolean;
}

/** An error of the AI SDK, as far as it matters: its classes differ between where in the stream they come from. */
interface CallError {
  message?: unknown;
  statusCode?: unknown;
  responseHeaders?: Record<string, string>;
  responseBody?: unknown;
  data?: unknown;
  cause?: unknown;
}

const QUOTA = /insufficient[_ ]quota|billing|credit balance|quota exceeded for .*per ?day/i;
const CONTEXT =
  /context[_ ]length|context window|maximum context|prompt is too long|token count .*exceeds|too many tokens/i;
const REFUSED_CONTENT = /content[_ ]policy|content[_ ]filter|safety|moderation|prohibited[_ ]content/i;
const WRONG_KEY = /api[_ ]key[_ ]invalid|api key not valid|invalid[_ ]api[_ ]key/i;

/** What went wrong between us and the provider. `now` is for a time to wait that is given as a date. */
export function toProviderProblem(error: unknown, provider: Provider, now: number): ProviderProblem {
  const call = lastOf(error);
  const status = typeof call.statusCode === 'number' ? call.statusCode : undefined;
  const said = typeof call.message === 'string' && call.message !== '' ? call.message : 'no reason was given';
  const all = `${said} ${typeof call.responseBody === 'string' ? call.responseBody : ''}`;
  const { title, keySetting } = provider;
  const problem = (code: string, message: string, isTransient = false): ProviderProblem => ({
    code,
    message,
    isTransient,
  });

  // A connection that breaks in mid-answer comes with the status that the answer began with.
  if (status === undefined || status < 400) {
    return isNetworkError(error)
      ? problem('provider.unreachable', `${title} cannot be reached: ${innermostMessage(error)}`, true)
      : problem('provider.failed', `${title} failed: ${said}`);
  }
  // Its own words are left out here, because providers repeat a part of the key.
  if (status === 401 || (status === 403 && !REFUSED_CONTENT.test(all)) || WRONG_KEY.test(all)) {
    return problem('provider.key_refused', `${title} refused the key. Check ${keySetting}.`);
  }
  if (status === 402 || QUOTA.test(all)) {
    return problem('provider.quota_exceeded', `The quota at ${title} is used up: ${said}`);
  }
  if (status === 429) {
    const retryAfterMs = waitOf(call.responseHeaders, now);
    return {
      ...problem('provider.rate_limited', `${title} is limiting requests: ${said}`, true),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
  }
  if (CONTEXT.test(all) || status === 413) {
    return problem('provider.context_too_long', `The conversation is too long for the model: ${said}`);
  }
  if (REFUSED_CONTENT.test(all)) {
    return problem('provider.content_refused', `${title} refused the content: ${said}`);
  }
  // Without an error body of the provider's it is the address that is wrong, not the model.
  if (status === 404 && call.data !== undefined) {
    return problem('provider.model_not_found', `${title} does not know the model: ${said}`);
  }
  if (status === 404) {
    return problem(
      'provider.failed',
      `There is no chat API at the address of ${title}${provider.name === 'openai' ? ' (OPENAI_BASE_URL usually ends in /v1)' : ''}.`,
    );
  }
  return problem(
    'provider.failed',
    `${title} failed with status ${status}: ${said}`,
    status === 408 || status >= 500,
  );
}

/** The last error of a list of attempts, or the error itself. */
function lastOf(error: unknown): CallError {
  const last = (error as { lastError?: unknown } | null)?.lastError ?? error;
  return typeof last === 'object' && last !== null ? (last as CallError) : { message: String(last) };
}

/** Also true for a connection that broke while the answer was read. */
function isNetworkError(error: unknown): boolean {
  return causes(error).some(
    ({ code, message }) =>
      (typeof code === 'string' && /^(E[A-Z]+|UND_ERR_\w+)$/.test(code)) ||
      /^(terminated|fetch failed|other side closed)/.test(String(message)),
  );
}

function innermostMessage(error: unknown): string {
  const messages = causes(error).map(({ code, message }) => String(message || code));
  return messages.at(-1) ?? 'the connection failed';
}

function causes(error: unknown): { code?: unknown; message?: unknown }[] {
  const found: { code?: unknown; message?: unknown; cause?: unknown; errors?: unknown[] }[] = [];
  let current = error as (typeof found)[number] | undefined;
  while (typeof current === 'object' && current !== null && !found.includes(current)) {
    found.push(current);
    current = (current.cause ?? current.errors?.[0]) as (typeof found)[number] | undefined;
  }
  return found;
}

/** The time to wait in milliseconds: `retry-after-ms`, or `retry-after` in seconds or as a date. */
function waitOf(headers: Record<string, string> | undefined, now: number): number | undefined {
  const milliseconds = Number(headers?.['retry-after-ms']);
  if (milliseconds > 0) return milliseconds;
  const after = headers?.['retry-after'];
  if (after === undefined) return undefined;
  const wait = Number.isNaN(Number(after)) ? Date.parse(after) - now : Number(after) * 1000;
  return wait > 0 ? Math.round(wait) : undefined;
}
