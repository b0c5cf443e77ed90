import { ORPCError } from '@orpc/server';
import { isCoded, messageOf } from '../base/errors.ts';
import { ERROR_CODES, type ErrorCode, fault, isErrorCode, type Problem } from '../contract/index.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export interface ProblemOptions {
  correlationId: string;
  /** Keeps the text of unexpected errors out of the answer (`SANITIZE_ERROR_MESSAGES`). */
  sanitize: boolean;
  redact: (text: string) => string;
}

/** What is wrong with one field of a request; `path` is dotted, empty for the whole. */
export interface RequestIssue {
  path: string;
  message: string;
}

/** The answer for anything that was thrown. What is in the table of codes says what it is; the rest is `runtime.failed`. */
export function toProblem(error: unknown, options: ProblemOptions): Problem {
  const known = knownFault(error);
  const code: ErrorCode = known !== undefined && isErrorCode(known.code) ? known.code : 'runtime.failed';
  const { status, title } = ERROR_CODES[code];
  return {
    type: `urn:smalltalk:problem:${code}`,
    title,
    status,
    detail: options.redact(known?.message ?? unexpected(error, options)),
    code,
    correlationId: options.correlationId,
    ...(known !== undefined && Object.keys(known.data).length > 0 ? { data: known.data } : {}),
  };
}

/** True for what nobody foresaw: it belongs into the log with its stack. */
export function isUnexpected(error: unknown): boolean {
  const known = knownFault(error);
  return known === undefined || !isErrorCode(known.code);
}

export function problemResponse(problem: Problem): Response {
  return Response.json(problem, {
    status: problem.status,
    headers: { 'content-type': PROBLEM_MEDIA_TYPE, 'cache-control': 'no-store', ...headersFor(problem) },
  });
}

/** `request.invalid` for the given issues. */
export function invalidRequest(issues: RequestIssue[]): Error {
  const detail = issues
    .slice(0, 5)
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
  return fault('request.invalid', `${detail || 'The request is not valid'}.`.replace(/\.\.$/, '.'), {
    issues,
  });
}

function knownFault(error: unknown): ReturnType<typeof fault> | undefined {
  if (isCoded(error)) return error;
  if (error instanceof ORPCError) {
    if (isCoded(error.cause)) return error.cause;
    if (error.code === 'BAD_REQUEST') return knownFault(invalidRequest(issuesOf(error)));
    return knownFault(error.cause);
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return fault('request.cancelled', 'The caller went away before there was an answer.');
  }
  return undefined;
}

/** The issues of an oRPC validation error (`data.issues`, in the form of Standard Schema). */
function issuesOf(error: ORPCError<string, unknown>): RequestIssue[] {
  const issues = (error.data as { issues?: unknown } | undefined)?.issues;
  if (!Array.isArray(issues)) return [{ path: '', message: error.message }];
  return issues.map(({ path, message }: { path?: readonly unknown[]; message?: unknown }) => ({
    path: (path ?? []).map((part) => String(segmentKey(part))).join('.'),
    message: String(message),
  }));
}

const segmentKey = (segment: unknown): unknown =>
  typeof segment === 'object' && segment !== null && 'key' in segment ? segment.key : segment;

function unexpected(error: unknown, options: ProblemOptions): string {
  return options.sanitize
    ? `Something went wrong that was not foreseen. The log has the particulars under the correlation id ${options.correlationId}.`
    : messageOf(error instanceof ORPCError && error.cause !== undefined ? error.cause : error);
}

/** Headers that the standards ask for beside a status. */
function headersFor({ code, data }: Problem): Record<string, string> {
  switch (code) {
    case 'auth.required':
    case 'auth.wrong_token':
      return { 'www-authenticate': 'Bearer realm="SmallTalk Console"' };
    case 'route.method_not_allowed':
      return { allow: Array.isArray(data?.allowed) ? data.allowed.join(', ') : '' };
    case 'request.rate_limited':
      return { 'retry-after': String(data?.retryAfterSeconds ?? 1) };
    default:
      return {};
  }
}
