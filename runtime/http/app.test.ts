import { afterEach, describe, expect, it } from 'vitest';
import type { Session } from '../contract/index.ts';
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

describe('attachments', () => {
  const download = async (id: string) => fetch('GET', `/api/sessions/${await sessionId()}/attachments/${id}`);
  const sessionId = async () => {
    const response = await fetch('POST', '/api/sessions', { json: {} });
    return ((await response.json()) as { id: string }).id;
  };

  it('that are pictures are shown by a browser', async () => {
    await open();
    const response = await download('picture');
    expect([response.headers.get('content-type'), response.headers.get('content-disposition')]).toEqual([
      'image/png',
      null,
    ]);
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([1, 2, 3]);
  });

  it('that could carry a script are files to be saved', async () => {
    await open();
    const { headers } = await download('page');
    expect([headers.get('content-type'), headers.get('x-content-type-options')]).toEqual([
      'application/octet-stream',
      'nosniff',
    ]);
    expect(headers.get('content-disposition')).toMatch(/^attachment; filename="_x_.html"/);
  });

  it('may have a name that cannot be written in a URL', async () => {
    const bytes = new Uint8Array([1]);
    const attachment = async () => ({ name: 'half \ud800.txt', mimeType: 'text/plain', bytes });
    await open({ sessions: { attachment } });
    const response = await download('named');
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="half_.txt"; filename*=UTF-8''half%20%EF%BF%BD.txt`,
    );
  });

  it('that are not there are told as such', async () => {
    await open();
    expect(await problemOf(await download('other'))).toMatchObject({ code: 'session.attachment_not_found' });
  });

  it('may come with a prompt beyond the size of other bodies', async () => {
    await open();
    const id = await sessionId();
    const data = Buffer.alloc(3 * 1_048_576).toString('base64');
    const attachments = [{ name: 'a.bin', mimeType: 'application/octet-stream', data }];
    const prompt = await fetch('POST', `/api/sessions/${id}/prompt`, {
      json: { message: 'hi', attachments },
    });
    expect(prompt.status).toBe(202);
    const title = await fetch('PATCH', `/api/sessions/${id}`, { json: { title: data } });
    expect(await problemOf(title)).toMatchObject({ code: 'request.too_large' });
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
