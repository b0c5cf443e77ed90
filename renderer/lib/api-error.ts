import type { Problem } from '#contract';

/** The request never got an answer: the runtime is not there, or the connection broke. */
export const UNREACHABLE = 'network.unreachable';
/** There was an answer, but not one of the runtime's: no problem document in it. */
export const UNEXPECTED_ANSWER = 'network.unexpected_answer';

/**
 * Every failure of a request, whatever its cause. `code` is one of the contract's `ERROR_CODES`, or one of
 * the two above; `detail` says what happened in words for the user; `status` is 0 where there was no answer.
 */
export class ApiError extends Error {
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly status: number;
  readonly correlationId: string | undefined;
  readonly data: Record<string, unknown>;

  constructor(problem: Omit<Problem, 'type'>, options?: ErrorOptions) {
    super(problem.detail || problem.title, options);
    this.name = 'ApiError';
    this.code = problem.code;
    this.title = problem.title;
    this.detail = problem.detail;
    this.status = problem.status;
    this.correlationId = problem.correlationId;
    this.data = problem.data ?? {};
  }
}

/** True when trying the same request again may succeed without the user doing anything. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return error.code === UNREACHABLE || error.status === 502 || error.status === 503 || error.status === 504;
}

/** True for the rejection of a request that was cancelled on purpose. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** The failure of a request that got no answer. */
export function unreachable(cause: unknown): ApiError {
  return new ApiError(
    {
      code: UNREACHABLE,
      title: 'The runtime cannot be reached',
      detail: 'The runtime did not answer. It may be starting, or it has stopped.',
      status: 0,
    },
    { cause },
  );
}

/** Reads an answer that is not 2xx into an {@link ApiError}; never rejects, whatever the body holds. */
export async function errorOfResponse(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  return problemOfText(text) ?? unexpectedAnswer(response, text);
}

/** How the browsers, and Vite's loader, say that a part of the console itself did not arrive; there is no code for it. */
const CODE_NOT_LOADED =
  /^(?:Failed to fetch dynamically imported module|error loading dynamically imported module|Importing a module script failed|Unable to preload CSS)/;

/** Anything that was thrown, as an {@link ApiError}: what is shown always has a code and a title. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof Error && CODE_NOT_LOADED.test(error.message)) return unreachable(error);
  return new ApiError(
    {
      code: 'console.failed',
      title: 'The console could not do this',
      detail: error instanceof Error ? error.message : String(error),
      status: 0,
    },
    { cause: error },
  );
}

function problemOfText(text: string): ApiError | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(body) || typeof body.code !== 'string' || typeof body.status !== 'number') return undefined;
  const { code, status, title, detail, correlationId, data } = body;
  return new ApiError({
    code,
    status,
    title: typeof title === 'string' ? title : 'The request failed',
    detail: typeof detail === 'string' ? detail : '',
    ...(typeof correlationId === 'string' && { correlationId }),
    ...(isRecord(data) && { data }),
  });
}

function unexpectedAnswer(response: Response, text: string): ApiError {
  return new ApiError({
    code: UNEXPECTED_ANSWER,
    title: 'The answer did not come from the runtime',
    detail: `Status ${response.status} ${response.statusText}`.trim(),
    status: response.status,
    data: text === '' ? {} : { body: text.slice(0, 500) },
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
