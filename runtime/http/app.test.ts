import { afterEach, describe, expect, it } from 'vitest';
import { MAX_PROMPT_BYTES, type Session } from '../contract/index.ts';
import { type Application, createApplication, problemOf, request } from './application.fixture.ts';
import { apiRoutes } from './route-table.ts';

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

describe('the contract', () => {
  it('creates, reads, renames and deletes with the documented statuses', async () => {
    await open();
    const created = await fetch('POST', '/api/sessions', { json: { title: ' Hello ' } });
    expect(created.status).toBe(201);
    expect(created.headers.get('content-type')).toMatch(/^application\/json/);
    const body = await created.text();
    expect(body).toMatch(/^\{"id":/);
    const session = JSON.parse(body) as Session;
    expect(session.title).toBe('Hello');

    const read = await fetch('GET', `/api/sessions/${session.id}`);
    expect(await read.json()).toMatchObject({ id: session.id, messages: [] });
    const patched = await fetch('PATCH', `/api/sessions/${session.id}`, { json: { title: 'Two' } });
    expect(await patched.json()).toMatchObject({ title: 'Two', version: 2 });
    const prompted = await fetch('POST', `/api/sessions/${session.id}/prompt`, { json: { message: 'hi' } });
    expect(prompted.status).toBe(202);
    const deleted = await fetch('DELETE', `/api/sessions/${session.id}`);
    expect([deleted.status, await deleted.text()]).toEqual([204, '']);
    expect(await problemOf(await fetch('GET', `/api/sessions/${session.id}`))).toMatchObject({
      status: 404,
      code: 'session.not_found',
      title: 'There is no such session',
      data: { id: session.id },
    });
  });

  it('has a handler for each of its routes', async () => {
    await open();
    for (const { method, pattern, bodyFields } of apiRoutes()) {
      if (bodyFields === undefined) continue;
      const path = pattern.replace('{id}', 'missing').replace('{sequence}', '1');
      const response = await fetch(method, path);
      expect([pattern, response.status]).not.toEqual([pattern, 405]);
      if (response.status === 404) expect((await problemOf(response)).code).not.toBe('route.not_found');
      expect([pattern, response.status]).not.toEqual([pattern, 500]);
    }
  });

  it('reads queries, takes a trailing slash and answers HEAD without a body', async () => {
    await open();
    await fetch('POST', '/api/sessions', { json: {} });
    await fetch('POST', '/api/sessions', { json: {} });
    const list = await fetch('GET', '/api/sessions/?limit=1');
    expect(((await list.json()) as { items: unknown[] }).items).toHaveLength(1);
    const head = await fetch('HEAD', '/api/sessions');
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('never lets an answer be cached', async () => {
    await open();
    expect((await fetch('GET', '/api/status')).headers.get('cache-control')).toBe('no-store');
  });
});

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

describe('errors from inside', () => {
  it('that were foreseen are told as they are', async () => {
    await open();
    const { id } = (await (await fetch('POST', '/api/sessions', { json: {} })).json()) as Session;
    const response = await fetch('PATCH', `/api/sessions/${id}`, {
      json: { title: 'x', expectedVersion: 7 },
    });
    expect(await problemOf(response)).toMatchObject({
      status: 409,
      code: 'storage.version_conflict',
      data: { current: 1 },
    });
  });

  it('that were not are logged in full, and told without particulars', async () => {
    const sessions = {
      list: async () => {
        throw new TypeError('secret inner workings');
      },
    };
    await open({ sessions });
    const problem = await problemOf(
      await fetch('GET', '/api/sessions', { headers: { 'x-correlation-id': 'c-42' } }),
    );
    expect(problem).toMatchObject({ status: 500, code: 'runtime.failed', correlationId: 'c-42' });
    expect(JSON.stringify(problem)).not.toContain('inner workings');
    expect(app.log).toContainEqual(
      expect.objectContaining({
        level: 'ERROR',
        correlation_id: 'c-42',
        metadata: expect.objectContaining({
          error: 'secret inner workings',
          stack: expect.stringContaining('TypeError'),
        }),
      }),
    );
  });

  it('may be told with particulars, but never with a key', async () => {
    const sessions = {
      list: async () => {
        throw new Error('refused with sk-abcdefghijklmnopqrstuvwx');
      },
    };
    await open({ sessions, env: { SANITIZE_ERROR_MESSAGES: 'false' } });
    expect((await problemOf(await fetch('GET', '/api/sessions'))).detail).toBe('refused with •••');
  });

  it('include an answer that does not fit the contract', async () => {
    await open({ sessions: { list: async () => ({ items: [{ id: 'half' } as Session] }) } });
    expect(await problemOf(await fetch('GET', '/api/sessions'))).toMatchObject({ code: 'runtime.failed' });
  });
});

describe('correlation, log and metrics', () => {
  it('takes a well-formed correlation id, echoes it, and hands it on', async () => {
    await open();
    const { id } = (await (await fetch('POST', '/api/sessions', { json: {} })).json()) as Session;
    const response = await fetch('POST', `/api/sessions/${id}/prompt`, {
      json: { message: 'x' },
      headers: { 'x-correlation-id': 'mine:1.2-3' },
    });
    expect(response.headers.get('x-correlation-id')).toBe('mine:1.2-3');
    expect(await response.json()).toMatchObject({ correlationId: 'mine:1.2-3' });
    expect(app.log.at(-1)).toMatchObject({
      level: 'INFO',
      correlation_id: 'mine:1.2-3',
      metadata: { method: 'POST', route: '/api/sessions/{id}/prompt', status: 202 },
    });
  });

  it.each(['', 'with space', 'x'.repeat(129), '<script>'])('makes one instead of "%s"', async (given) => {
    await open();
    const made = (await fetch('GET', '/api/status', { headers: { 'x-correlation-id': given } })).headers.get(
      'x-correlation-id',
    );
    expect(made).toMatch(/^[a-z0-9]{20}$/);
  });

  it('counts by pattern, and never by what a caller makes up', async () => {
    await open();
    await fetch('GET', '/api/sessions/a');
    await fetch('GET', '/api/sessions/b');
    await fetch('GET', '/api/made-up-1');
    await fetch('GET', '/api/made-up-2');
    await fetch('GET', '/pages/made-up');
    const { body } = await app.metrics.text();
    expect(body).toContain('http_requests_total{method="GET",route="/api/sessions/{id}",status="404"} 2');
    expect(body).toContain('http_requests_total{method="GET",route="other",status="404"} 2');
    expect(body).toContain('http_requests_total{method="GET",route="console",status="404"} 1');
    expect(body).not.toContain('made-up');
  });

  it('carries the security headers on every answer', async () => {
    await open();
    for (const path of ['/api/status', '/health', '/api/nothing', '/nothing.js']) {
      const { headers } = await fetch('GET', path);
      expect(headers.get('content-security-policy')).toMatch(/script-src 'self';.*frame-ancestors 'none'/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    }
  });
});

describe('health routes', () => {
  it('answer as documented while all is well', async () => {
    await open();
    const health = await fetch('GET', '/health');
    expect([health.status, ((await health.json()) as { status: string }).status]).toEqual([200, 'healthy']);
    const ready = await fetch('GET', '/ready');
    expect([ready.status, await ready.text()]).toEqual([200, 'OK']);
    expect(await (await fetch('GET', '/health/ready')).json()).toMatchObject({
      status: 'ready',
      components: { storage: { status: 'healthy' }, eventBus: { status: 'healthy' } },
    });
    for (const path of ['/healthz', '/health/live']) expect((await fetch('GET', path)).status).toBe(200);
    expect((await fetch('HEAD', '/health')).status).toBe(200);
  });

  it.each([
    [1, 'degraded'],
    [4, 'unhealthy'],
  ])('answer 503 with %i failed agents, and stay ready and alive', async (failed, status) => {
    await open({ agentCounts: { failed } });
    const health = await fetch('GET', '/health');
    expect([health.status, ((await health.json()) as { status: string }).status]).toEqual([503, status]);
    for (const path of ['/ready', '/health/ready', '/healthz', '/health/live']) {
      expect((await fetch('GET', path)).status).toBe(200);
    }
  });

  it('serve metrics as text and as JSON', async () => {
    await open();
    await fetch('GET', '/api/status');
    const text = await fetch('GET', '/metrics');
    expect(text.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await text.text()).toContain(
      'http_requests_total{method="GET",route="/api/status",status="200"} 1',
    );
    expect(await (await fetch('GET', '/metrics/json')).json()).toContainEqual(
      expect.objectContaining({ name: 'http_requests_total', type: 'counter' }),
    );
  });

  it('say that metrics are off', async () => {
    await open({ env: { METRICS_ENABLED: 'false' } });
    expect(await problemOf(await fetch('GET', '/metrics'))).toMatchObject({ code: 'route.not_found' });
  });

  it('are all that the health listener has', async () => {
    await open();
    const ask = (method: string, path: string) => app.health.fetch(request(method, path));
    for (const path of [
      '/health',
      '/health/ready',
      '/health/live',
      '/healthz',
      '/ready',
      '/metrics',
      '/metrics/json',
    ]) {
      expect([path, (await ask('GET', path)).status]).toEqual([path, 200]);
    }
    for (const path of ['/', '/api/sessions', '/api/status']) {
      expect(await problemOf(await ask('GET', path))).toMatchObject({ code: 'route.not_found' });
    }
    expect((await problemOf(await ask('POST', '/health'))).code).toBe('route.method_not_allowed');
  });
});

describe('the root', () => {
  it('tells a script what this is', async () => {
    await open();
    const response = await fetch('GET', '/', { headers: { accept: 'application/json' } });
    expect(await response.json()).toEqual({
      name: 'SmallTalk Console',
      version: '1.2.3',
      status: 'running',
      environment: 'test',
      timestamp: '2026-01-01T00:00:00.000Z',
    });
  });

  it('gives a browser the console', async () => {
    await open({ assets: async () => new Response('the console') });
    const headers = { accept: 'text/html,application/xhtml+xml,application/json;q=0.9' };
    expect(await (await fetch('GET', '/', { headers })).text()).toBe('the console');
  });
});

describe('archives', () => {
  it('are downloaded with a safe name and their size', async () => {
    await open();
    app.backups.archives.set('b1', new TextEncoder().encode('archive bytes'));
    const response = await fetch('GET', '/api/backups/b1/archive');
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/vnd.smalltalk.backup+tar',
      'content-length': '13',
      'content-disposition': `attachment; filename="b1_.stbackup"; filename*=UTF-8''b1%20%22%C3%BC%22.stbackup`,
    });
    expect(await response.text()).toBe('archive bytes');
  });

  it('are not opened for nothing by HEAD', async () => {
    await open();
    app.backups.archives.set('b1', new TextEncoder().encode('archive bytes'));
    const response = await fetch('HEAD', '/api/backups/b1/archive');
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '13']);
    expect(app.backups.cancelledDownloads).toBe(1);
  });

  it('are taken in whatever their size, as a stream', async () => {
    await open();
    let left = 64;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('archive')),
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(65_536));
        else controller.close();
      },
    });
    const response = await fetch('POST', '/api/backups/import', {
      body,
      headers: { 'content-type': 'application/octet-stream' },
    });
    expect([response.status, await response.json()]).toMatchObject([
      201,
      { id: 'imported', sizeBytes: 7 + 64 * 65_536 },
    ]);
  });

  it.each<[string, Parameters<typeof request>[2], string]>([
    ['a foreign file', { body: new TextEncoder().encode('PK') }, 'backup.archive_foreign'],
    ['nothing', {}, 'request.invalid'],
    ['a form', { body: new FormData() }, 'request.unsupported_media_type'],
  ])('refuse %s', async (_, options, code) => {
    await open();
    expect((await problemOf(await fetch('POST', '/api/backups/import', options))).code).toBe(code);
  });
});

describe('close', () => {
  it('refuses further calls in words, and leaves health alone', async () => {
    await open();
    app.close();
    expect(await problemOf(await fetch('GET', '/api/sessions'))).toMatchObject({
      status: 503,
      code: 'runtime.stopped',
    });
    expect((await fetch('GET', '/healthz')).status).toBe(200);
  });
});
