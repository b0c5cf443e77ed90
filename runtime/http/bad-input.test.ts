import { afterEach, describe, expect, it } from 'vitest';
import { MAX_PROMPT_BYTES, type Session } from '../contract/index.ts';
import { type Application, createApplication, problemOf, request } from './application.fixture.ts';

let app: Application;
const open = async (options?: Parameters<typeof createApplication>[0]) => {
  app = await createApplication(options);
  return app;
};
afterEach(async () => {
  await app.stop();
  expect(app.clock.pending).toBe(0);
});

const fetch = (...input: Parameters<typeof request>) => app.fetch(request(...input));

describe('bad input', () => {
  const text = { 'content-type': 'application/json' };

  it.each<[string, Parameters<typeof request>, number, string]>([
    ['an unknown route', ['GET', '/api/nothing'], 404, 'route.not_found'],
    ['the API itself', ['GET', '/api'], 404, 'route.not_found'],
    ['a path in a path', ['GET', '/api/sessions/a/b'], 404, 'route.not_found'],
    ['a wrong method', ['PUT', '/api/sessions'], 405, 'route.method_not_allowed'],
    ['a wrong method on a stream', ['POST', '/api/events/stream'], 405, 'route.method_not_allowed'],
    ['a wrong method on a page', ['POST', '/'], 405, 'route.method_not_allowed'],
    ['a wrong method on health', ['POST', '/health'], 405, 'route.method_not_allowed'],
    ['an unknown id', ['GET', '/api/sessions/nope'], 404, 'session.not_found'],
    ['an id that cannot be one', ['GET', '/api/sessions/a%2F..%2Fb'], 400, 'request.invalid'],
    ['an id of nothing but bad bytes', ['GET', '/api/sessions/%ff'], 400, 'request.invalid'],
    [
      'broken JSON',
      ['POST', '/api/sessions', { body: '{"title":', headers: text }],
      400,
      'request.malformed_json',
    ],
    [
      'bytes that are not UTF-8',
      ['POST', '/api/sessions', { body: new Uint8Array([0x22, 0xff, 0x22]), headers: text }],
      400,
      'request.malformed_json',
    ],
    ['a list as the body', ['POST', '/api/sessions', { json: [] }], 400, 'request.invalid'],
    ['null as the body', ['POST', '/api/sessions', { json: null }], 400, 'request.invalid'],
    ['a text as the body', ['POST', '/api/sessions', { json: 'x' }], 400, 'request.invalid'],
    [
      'a body without a type',
      ['POST', '/api/sessions', { body: new TextEncoder().encode('{}') }],
      415,
      'request.unsupported_media_type',
    ],
    [
      'a form',
      [
        'POST',
        '/api/sessions',
        { body: 'title=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      ],
      415,
      'request.unsupported_media_type',
    ],
    [
      'JSON in another encoding',
      [
        'POST',
        '/api/sessions',
        { body: '{}', headers: { 'content-type': 'application/json; charset=utf-16' } },
      ],
      415,
      'request.unsupported_media_type',
    ],
    ['an empty title', ['POST', '/api/sessions', { json: { title: ' ' } }], 400, 'request.invalid'],
    ['a number for a title', ['POST', '/api/sessions', { json: { title: 1 } }], 400, 'request.invalid'],
    [
      'an empty prompt',
      ['POST', '/api/sessions/x/prompt', { json: { message: ' \n' } }],
      400,
      'request.invalid',
    ],
    ['no prompt', ['POST', '/api/sessions/x/prompt'], 400, 'request.invalid'],
    ['a limit beyond the limit', ['GET', '/api/sessions?limit=101'], 400, 'request.invalid'],
    ['two limits', ['GET', '/api/sessions?limit=1&limit=2'], 400, 'request.invalid'],
    [
      'an unknown drill',
      ['POST', '/api/agents/echo/drill', { json: { kind: 'explode' } }],
      400,
      'request.invalid',
    ],
    ['a sequence that is none', ['GET', '/api/events/abc'], 400, 'request.invalid'],
    ['an event that is not there', ['GET', '/api/events/99'], 404, 'event.not_found'],
    ['a bad archive id', ['GET', '/api/backups/a%20b/archive'], 400, 'request.invalid'],
    ['a bad attachment id', ['GET', '/api/sessions/x/attachments/a%20b'], 400, 'request.invalid'],
    ['an unknown archive', ['GET', '/api/backups/nope/archive'], 404, 'backup.not_found'],
  ])('%s', async (_, input, status, code) => {
    await open();
    const problem = await problemOf(await fetch(...input));
    expect(problem).toMatchObject({ status, code, type: `urn:smalltalk:problem:${code}` });
    expect(problem.detail).toMatch(/\w.*\.$/s);
    expect(problem.correlationId).toBeTruthy();
  });

  it.each([
    ['/api/sessions', { tilte: 'x' }, 'tilte'],
    ['/api/sessions/x/prompt', { message: 'x', id: 'another' }, 'id'],
    ['/api/agents/echo/restart', { force: true }, 'force'],
    ['/api/backups', { name: 'x' }, 'name'],
    ['/api/sessions', JSON.parse('{"__proto__": {"title": "x"}}'), '__proto__'],
  ])('an unknown field in the body of %s is named', async (path, json, field) => {
    await open();
    const problem = await problemOf(await fetch('POST', path, { json }));
    expect(problem).toMatchObject({ code: 'request.invalid', data: { issues: [{ path: field }] } });
    expect(problem.detail).toContain(field);
  });

  it.each([
    ['POST', '/api/agents', '{"name":"x","launch":{"kind":"command","command":"x","env":{"__proto__":"y"}}}'],
    ['POST', '/api/needs-you/x/answer', '{"optionId":"accept","values":{"a":1,"__proto__":"y"}}'],
    ['PUT', '/api/budgets', String.raw`{"budgets":{"\u005f_proto__":{"tokens":1}}}`],
  ])('%s %s: a field that schemas pass over is refused at any depth', async (method, path, body) => {
    await open();
    const problem = await problemOf(await fetch(method, path, { body, headers: text }));
    expect(problem).toMatchObject({ code: 'request.invalid', data: { issues: [{ path: '__proto__' }] } });
  });

  it.each([
    ['PUT', '/api/secrets/KEY', { value: 'half a pair \ud800' }, 'value'],
    ['PUT', '/api/secrets/KEY', { value: 'with \0' }, 'value'],
    [
      'POST',
      '/api/agents',
      { name: 'x', launch: { kind: 'command', command: 'x', env: { A: '\udfff' } } },
      'launch.env.A',
    ],
  ])('%s %s: a text that no process can be given is refused', async (method, path, json, field) => {
    await open();
    const problem = await problemOf(await fetch(method, path, { json }));
    expect(problem).toMatchObject({ code: 'request.invalid', data: { issues: [{ path: field }] } });
  });

  it('every fault of a body is told with its path', async () => {
    await open();
    const json = { name: '', launch: { kind: 'command', command: 'x', args: [1], shell: true } };
    const { data, detail } = await problemOf(await fetch('POST', '/api/agents', { json }));
    const issue = (path: string) => expect.objectContaining({ path });
    expect(data?.issues).toEqual(
      expect.arrayContaining([issue('name'), issue('launch.args.0'), issue('launch')]),
    );
    expect(detail).toContain('launch.args.0: ');
  });

  it('a wrong method is told the right ones', async () => {
    await open();
    const response = await fetch('PUT', '/api/sessions/x');
    expect(response.headers.get('allow')?.split(', ').sort()).toEqual(['DELETE', 'GET', 'HEAD', 'PATCH']);
  });

  it('a prompt is measured in bytes of UTF-8', async () => {
    await open();
    const session = (await (await fetch('POST', '/api/sessions', { json: {} })).json()) as Session;
    const prompt = (message: string) =>
      fetch('POST', `/api/sessions/${session.id}/prompt`, { json: { message } });
    expect((await prompt('x'.repeat(MAX_PROMPT_BYTES))).status).toBe(202);
    expect(await problemOf(await prompt('x'.repeat(MAX_PROMPT_BYTES + 1)))).toMatchObject({
      status: 413,
      code: 'request.too_large',
    });
    // Half as many characters, yet a byte too many.
    expect((await problemOf(await prompt(`${'ü'.repeat(MAX_PROMPT_BYTES / 2)}x`))).code).toBe(
      'request.too_large',
    );
    expect(
      (await problemOf(await fetch('POST', '/api/sessions', { json: { message: 'x'.repeat(1_050_000) } })))
        .code,
    ).toBe('request.too_large');
  });

  it('a body that is too large is refused as it comes in, whatever its header says', async () => {
    await open();
    let sent = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(32));
      },
      cancel: () => {
        cancelled = true;
      },
    });
    const response = await fetch('POST', '/api/sessions', { body: endless, headers: text });
    expect(await problemOf(response)).toMatchObject({ status: 413, code: 'request.too_large' });
    expect(sent).toBeLessThan(MAX_PROMPT_BYTES * 2);
    expect(cancelled).toBe(true);
    const announced = { ...text, 'content-length': '99999999' };
    expect((await fetch('POST', '/api/sessions', { body: '{}', headers: announced })).status).toBe(413);
  });

  it('a body that does not arrive is not waited for', async () => {
    await open();
    const stalled = new ReadableStream<Uint8Array>();
    const answer = fetch('POST', '/api/sessions', { body: stalled, headers: text });
    await app.clock.advance(30_000);
    expect(await problemOf(await answer)).toMatchObject({ status: 408, code: 'request.timeout' });
  });
});
