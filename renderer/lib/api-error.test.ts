import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '#contract';
import {
  ApiError,
  errorOfResponse,
  isTransient,
  toApiError,
  UNEXPECTED_ANSWER,
  UNREACHABLE,
  unreachable,
} from './api-error.ts';
import { adviceFor } from './error-advice.ts';

const problem = {
  type: 'urn:smalltalk:problem:session.busy',
  title: 'The session is answering another prompt',
  status: 409,
  detail: 'Session k3v9 is answering a prompt.',
  code: 'session.busy',
  correlationId: 'c-1',
  data: { sessionId: 'k3v9' },
};

function answer(body: string, status = 409): Response {
  return new Response(body, { status, headers: { 'content-type': 'application/problem+json' } });
}

describe('errorOfResponse', () => {
  it('keeps everything that a problem document says', async () => {
    const error = await errorOfResponse(answer(JSON.stringify(problem)));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      code: 'session.busy',
      title: problem.title,
      detail: problem.detail,
      status: 409,
      correlationId: 'c-1',
      data: { sessionId: 'k3v9' },
      message: problem.detail,
    });
  });

  it('does without what a problem document may leave out', async () => {
    const error = await errorOfResponse(answer('{"code":"agent.failed","status":502}', 502));
    expect(error).toMatchObject({ code: 'agent.failed', correlationId: undefined, data: {} });
    expect(error.message).not.toBe('');
  });

  it.each(['<html>Bad gateway</html>', '', '[]', '"text"', 'null', '{"code":7,"status":1}'])(
    'names an answer that is not from the runtime: %s',
    async (body) => {
      const error = await errorOfResponse(answer(body, 502));
      expect(error).toMatchObject({ code: UNEXPECTED_ANSWER, status: 502 });
    },
  );

  it('survives a body that breaks off', async () => {
    const body = new ReadableStream({ start: (controller) => controller.error(new Error('reset')) });
    const error = await errorOfResponse(new Response(body, { status: 500 }));
    expect(error.code).toBe(UNEXPECTED_ANSWER);
  });
});

describe('toApiError', () => {
  it('passes an ApiError through and gives anything else a code', () => {
    const error = unreachable(new TypeError('Failed to fetch'));
    expect(toApiError(error)).toBe(error);
    expect(toApiError(new Error('broken'))).toMatchObject({ code: 'console.failed', detail: 'broken' });
    expect(toApiError('text').detail).toBe('text');
  });

  it('is unreachable where a part of the console itself did not arrive', () => {
    const chromium = new TypeError(
      'Failed to fetch dynamically imported module: http://127.0.0.1:3000/assets/settings-page-a1.js',
    );
    const vite = new Error('Unable to preload CSS for http://127.0.0.1:3000/assets/agents-page-b2.css');
    for (const error of [chromium, vite]) expect(toApiError(error).code).toBe(UNREACHABLE);
  });
});

describe('isTransient', () => {
  it('is true where nobody answered and where the runtime says that it is not ready', async () => {
    expect(isTransient(unreachable(undefined))).toBe(true);
    expect(
      isTransient(await errorOfResponse(answer('{"code":"maintenance.active","status":503}', 503))),
    ).toBe(true);
    expect(isTransient(await errorOfResponse(answer(JSON.stringify(problem))))).toBe(false);
    expect(isTransient(new Error('x'))).toBe(false);
  });
});

describe('adviceFor', () => {
  const of = (code: string) => adviceFor(new ApiError({ code, title: '', detail: '', status: 500 }));

  it('has something to do for every code', () => {
    for (const code of Object.keys(ERROR_CODES)) expect(of(code)).toMatch(/^[A-Z].*\.$/);
  });

  it('prefers the exact code to its family, and falls back for others', () => {
    expect(of('agent.stopped')).toContain('Start the agent');
    expect(of('agent.crashed')).toBe(of('agent.failed'));
    expect(of('agent.crashed')).not.toBe(of('agent.stopped'));
    expect(of('backup.archive_damaged')).toContain('another archive');
    expect(of('something.else')).toContain('correlation id');
  });
});
