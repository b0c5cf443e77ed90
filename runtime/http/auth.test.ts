import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Application, createApplication, problemOf, request, TOKEN } from './application.fixture.ts';
import type { AuthOptions } from './auth.ts';
import type { Connection } from './connection.ts';

const LOCAL: Connection = { remoteAddress: '127.0.0.1', localPort: 3000 };
const bearer = { authorization: `Bearer ${TOKEN}` };
const page = { accept: 'text/html,*/*' };

let app: Application;
async function open(auth: AuthOptions, env?: Record<string, string>) {
  app = await createApplication({
    auth,
    ...(env === undefined ? {} : { env }),
    assets: async () => new Response('the console', { headers: { 'content-type': 'text/html' } }),
  });
}
const withToken = (bindAddress = '127.0.0.1', env?: Record<string, string>) =>
  open({ mode: 'token', token: TOKEN, bindAddress, enableCors: env?.ENABLE_CORS === 'true' }, env);

function ask(
  path: string,
  headers: Record<string, string> = {},
  { method = 'GET', connection = LOCAL }: { method?: string; connection?: Connection } = {},
) {
  return app.fetch(request(method, path, { headers: { host: 'localhost:3000', ...headers } }), connection);
}

afterEach(() => app.stop());

describe('with a token', () => {
  beforeEach(() => withToken());

  it.each([
    ['/api/status', {}, 401, 'auth.required'],
    ['/api/nothing', {}, 401, 'auth.required'],
    ['/api/openapi.json', {}, 401, 'auth.required'],
    ['/api/events/stream', {}, 401, 'auth.required'],
    ['/metrics', {}, 401, 'auth.required'],
    ['/metrics/json', {}, 401, 'auth.required'],
    ['/', { accept: 'application/json' }, 401, 'auth.required'],
    ['/assets/index.js', {}, 401, 'auth.required'],
    ['/api/status', { authorization: 'Bearer wrong' }, 401, 'auth.wrong_token'],
    ['/api/status', { authorization: `Bearer ${TOKEN}x` }, 401, 'auth.wrong_token'],
    ['/api/status', { authorization: `Basic ${TOKEN}` }, 401, 'auth.wrong_token'],
    ['/api/status', { authorization: TOKEN }, 401, 'auth.wrong_token'],
    ['/api/status', { cookie: `smalltalk-3000=${TOKEN}` }, 401, 'auth.required'],
    ['/api/status', { cookie: 'smalltalk-3000=' }, 401, 'auth.required'],
    [`/api/status?token=${TOKEN}`, {}, 401, 'auth.required'],
  ])('%s with %o is refused', async (path, headers, status, code) => {
    const response = await ask(path, headers);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /);
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ status, code });
    expect(JSON.stringify(problem)).not.toContain(TOKEN);
    expect(problem.detail, 'what is to be done is not taken for a secret').not.toContain('•');
  });

  it.each(['/api/status', '/metrics', '/', '/api/openapi.json'])(
    '%s is given to whom has it',
    async (path) => {
      expect((await ask(path, bearer)).status).toBe(200);
      expect((await ask(path, { authorization: `bearer  ${TOKEN} ` })).status).toBe(200);
    },
  );

  it.each(['/health', '/health/ready', '/health/live', '/healthz', '/ready'])('%s is open', async (path) => {
    expect((await ask(path)).status).toBe(200);
  });

  it('a browser without it gets a page that helps, and no script', async () => {
    const response = await ask('/sessions/"><script>', page);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      401,
      'text/html; charset=utf-8',
    ]);
    const html = await response.text();
    expect(html).toContain('name="token"');
    expect(html).not.toContain('<script');
    expect(html).toContain('action="/sessions/%22%3E%3Cscript%3E"');
    expect(response.headers.get('content-security-policy')).toContain("script-src 'self'");
    const wrong = await ask('/?token=nonsense', page);
    expect([wrong.status, await wrong.text()]).toEqual([401, expect.stringContaining('not the right one')]);
  });

  it('the address with it signs a browser in, and is then an address without it', async () => {
    const signedIn = await ask(`/sessions/abc?t=5&token=${TOKEN}`, page);
    expect(signedIn.status).toBe(303);
    expect(signedIn.headers.get('location')).toBe('/sessions/abc?t=5');
    expect(signedIn.headers.get('referrer-policy')).toBe('no-referrer');
    const cookie = signedIn.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^smalltalk-3000=[\w-]+; /);
    for (const attribute of ['HttpOnly', 'SameSite=Strict', 'Path=/']) expect(cookie).toContain(attribute);
    expect(cookie).not.toContain('Secure');
    expect(cookie).not.toContain(TOKEN);
    const sent = { cookie: `other=1; ${cookie.split(';')[0]}` };
    expect((await ask('/api/status', sent)).status).toBe(200);
    expect(await (await ask('/', { ...sent, ...page })).text()).toBe('the console');
    expect(JSON.stringify(app.log)).not.toContain(TOKEN);
  });

  it('the redirect never leads to another host', async () => {
    const response = await ask(`//evil.example/?token=${TOKEN}`, page);
    expect(response.headers.get('location')).toBe('/evil.example/');
  });

  it('a cookie of before is told to be old', async () => {
    const other = await createApplication({
      auth: { mode: 'token', token: 'another-token-0123456789', bindAddress: '127.0.0.1' },
    });
    const response = await other.fetch(
      request('GET', '/?token=another-token-0123456789', { headers: page }),
      LOCAL,
    );
    await other.stop();
    const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(await problemOf(await ask('/api/status', { cookie }))).toMatchObject({ code: 'auth.required' });
  });
});

describe('the name that a request is for', () => {
  const codeFor = async (host: string, connection?: Connection) => {
    const response = await ask(
      '/api/status',
      { ...bearer, host },
      connection === undefined ? {} : { connection },
    );
    return response.status === 200 ? 'ok' : (await problemOf(response)).code;
  };

  it.each([
    ['localhost:3000', 'ok'],
    ['LOCALHOST:3000', 'ok'],
    ['127.0.0.1:3000', 'ok'],
    ['[::1]:3000', 'ok'],
    ['console.localhost:3000', 'ok'],
    ['localhost:3001', 'auth.foreign_host'],
    ['localhost', 'auth.foreign_host'],
    ['evil.example', 'auth.foreign_host'],
    ['evil.example:3000', 'auth.foreign_host'],
    ['localhost.evil.example:3000', 'auth.foreign_host'],
    ['127.0.0.1.evil.example:3000', 'auth.foreign_host'],
    ['192.168.1.5:3000', 'auth.foreign_host'],
    ['localhost:3000@evil.example', 'auth.foreign_host'],
    ['', 'auth.foreign_host'],
  ])('"%s" on loopback: %s', async (host, code) => {
    await withToken();
    expect(await codeFor(host)).toBe(code);
  });

  it.each([
    ['192.168.1.5:3000', 'ok'],
    ['localhost:8080', 'ok'],
    [hostname(), 'ok'],
    ['evil.example:3000', 'auth.foreign_host'],
  ])('"%s" on all addresses: %s', async (host, code) => {
    await withToken('0.0.0.0');
    expect(await codeFor(host)).toBe(code);
  });

  it('is checked for health and without a token, too', async () => {
    await open({ mode: 'none', bindAddress: '127.0.0.1' });
    for (const path of ['/health', '/api/status', '/']) {
      expect((await problemOf(await ask(path, { host: 'evil.example:3000' }))).code).toBe(
        'auth.foreign_host',
      );
    }
  });

  it('is also looked for in an absolute request line', async () => {
    await withToken();
    const absolute = new Request('http://evil.example/api/status', {
      headers: { ...bearer, host: 'localhost:3000' },
    });
    expect((await problemOf(await app.fetch(absolute, LOCAL))).code).toBe('auth.foreign_host');
  });

  it('is left to a trusted proxy, and to no other', async () => {
    await withToken('127.0.0.1', { TRUSTED_PROXIES: '10.0.0.1' });
    const viaProxy = { ...bearer, host: 'console.example', 'x-forwarded-for': '203.0.113.9' };
    const from = (remoteAddress: string) => ask('/api/status', viaProxy, { connection: { remoteAddress } });
    expect((await from('10.0.0.1')).status).toBe(200);
    expect((await problemOf(await from('10.0.0.2'))).code).toBe('auth.foreign_host');
  });
});

describe('the page that a request comes from', () => {
  const codeFor = async (path: string, method: string, headers: Record<string, string>) => {
    const response = await ask(path, { ...bearer, ...headers }, { method });
    return response.headers.get('content-type') === 'application/problem+json'
      ? (await problemOf(response)).code
      : response.status;
  };
  beforeEach(() => withToken());

  it.each([
    ['POST', { origin: 'http://localhost:3000' }, 202],
    ['POST', {}, 202],
    ['POST', { 'sec-fetch-site': 'same-origin' }, 202],
    ['POST', { 'sec-fetch-site': 'none' }, 202],
    ['POST', { origin: 'http://evil.example' }, 'auth.foreign_origin'],
    ['POST', { origin: 'http://localhost:5173' }, 'auth.foreign_origin'],
    ['POST', { origin: 'null' }, 'auth.foreign_origin'],
    ['POST', { origin: 'file://' }, 'auth.foreign_origin'],
    ['POST', { origin: 'chrome-extension://localhost:3000' }, 'auth.foreign_origin'],
    ['POST', { 'sec-fetch-site': 'cross-site' }, 'auth.foreign_origin'],
    ['POST', { 'sec-fetch-site': 'same-site' }, 'auth.foreign_origin'],
    ['GET', { origin: 'http://evil.example' }, 'auth.foreign_origin'],
    ['GET', { 'sec-fetch-site': 'cross-site' }, 'auth.foreign_origin'],
    ['GET', { 'sec-fetch-site': 'same-origin' }, 200],
    ['OPTIONS', { origin: 'http://evil.example' }, 'auth.foreign_origin'],
  ])('%s to the API with %o: %s', async (method, headers, expected) => {
    expect(await codeFor('/api/backups', method, headers)).toBe(expected);
  });

  it('is looked at whatever way the path of the API is written', async () => {
    const headers = { origin: 'http://evil.example' };
    expect(await codeFor('/%61pi/openapi.json', 'GET', headers)).toBe('auth.foreign_origin');
    expect(await codeFor('/ap%69/events/stream', 'GET', headers)).toBe('auth.foreign_origin');
  });

  it('may be any for a link to the console, but not for a form', async () => {
    const headers = { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' };
    expect(await codeFor('/', 'GET', headers)).toBe(200);
    expect(await codeFor('/', 'POST', headers)).toBe('auth.foreign_origin');
  });

  it('gets no CORS headers', async () => {
    const { headers } = await ask('/api/status', { ...bearer, origin: 'http://localhost:5173' });
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('with CORS', () => {
  const origin = 'http://localhost:5173';
  beforeEach(() => withToken('127.0.0.1', { ENABLE_CORS: 'true' }));

  it('a page of this machine may call with the token', async () => {
    const preflight = await ask(
      '/api/backups',
      { origin, 'access-control-request-method': 'POST' },
      { method: 'OPTIONS' },
    );
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull();
    const called = await ask('/api/backups', { ...bearer, origin }, { method: 'POST' });
    expect([called.status, called.headers.get('access-control-allow-origin')]).toEqual([202, origin]);
  });

  it('but not with the cookie of the console', async () => {
    const signedIn = await ask(`/?token=${TOKEN}`, page);
    const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect((await ask('/api/backups', { cookie })).status).toBe(200);
    expect((await problemOf(await ask('/api/backups', { cookie, origin }))).code).toBe('auth.required');
  });

  it('a page from elsewhere still may not', async () => {
    const headers = { ...bearer, origin: 'http://evil.example' };
    const response = await ask('/api/backups', headers, { method: 'POST' });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect((await problemOf(response)).code).toBe('auth.foreign_origin');
  });
});

describe('without authentication', () => {
  it('no token is asked for, but foreign pages are still refused', async () => {
    await open({ mode: 'none', bindAddress: '127.0.0.1' });
    expect((await ask('/api/status')).status).toBe(200);
    expect((await ask('/', page)).status).toBe(200);
    const foreign = await ask('/api/backups', { origin: 'http://evil.example' }, { method: 'POST' });
    expect((await problemOf(foreign)).code).toBe('auth.foreign_origin');
  });
});

describe('trusted', () => {
  it('takes what the desktop window sends', async () => {
    await open({ mode: 'trusted' });
    const headers = { origin: 'app://console' };
    expect((await app.fetch(new Request('app://console/api/status', { headers }))).status).toBe(200);
    expect(
      (await app.fetch(new Request('app://console/api/backups', { method: 'POST', headers }))).status,
    ).toBe(202);
  });
});

describe('the rate limit', () => {
  const remote: Connection = { remoteAddress: '203.0.113.7', localPort: 3000 };
  const limits = { RATE_LIMIT_MAX_REQUESTS: '3', RATE_LIMIT_WINDOW_MS: '10000' };

  it('stops a remote client, says until when, and then lets it go on', async () => {
    await withToken('0.0.0.0', limits);
    for (let i = 0; i < 3; i++)
      expect((await ask('/api/status', bearer, { connection: remote })).status).toBe(200);
    await app.clock.advance(4000);
    const refused = await ask('/api/status', bearer, { connection: remote });
    expect(refused.headers.get('retry-after')).toBe('6');
    expect(await problemOf(refused)).toMatchObject({ status: 429, code: 'request.rate_limited' });
    const another: Connection = { ...remote, remoteAddress: '203.0.113.8' };
    expect((await ask('/api/status', bearer, { connection: another })).status).toBe(200);
    await app.clock.advance(6000);
    expect((await ask('/api/status', bearer, { connection: remote })).status).toBe(200);
  });

  it('counts guesses at the token, also in the address of a page', async () => {
    await withToken('0.0.0.0', limits);
    const guess = (path: string, headers = {}) => ask(path, headers, { connection: remote });
    await guess('/api/status', { authorization: 'Bearer guess-1' });
    await guess('/?token=guess-2');
    await guess('/', { authorization: 'Bearer guess-3' });
    expect((await guess(`/?token=${TOKEN}`)).status).toBe(429);
    expect((await guess('/health')).status).toBe(200);
  });

  it('never applies to this machine, nor when it is off', async () => {
    await withToken('0.0.0.0', limits);
    for (const remoteAddress of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
      for (let i = 0; i < 5; i++) {
        expect((await ask('/api/status', bearer, { connection: { remoteAddress } })).status).toBe(200);
      }
    }
    await app.stop();
    await withToken('0.0.0.0', { ...limits, RATE_LIMIT_ENABLED: 'false' });
    for (let i = 0; i < 5; i++)
      expect((await ask('/api/status', bearer, { connection: remote })).status).toBe(200);
  });

  it('looks through a trusted proxy, and believes nobody else', async () => {
    await withToken('0.0.0.0', { ...limits, TRUSTED_PROXIES: '127.0.0.1' });
    const via = (client: string, proxy: string) =>
      ask('/api/status', { ...bearer, 'x-forwarded-for': client }, { connection: { remoteAddress: proxy } });
    for (let i = 0; i < 3; i++) await via('198.51.100.1', '127.0.0.1');
    expect((await via('198.51.100.1', '127.0.0.1')).status).toBe(429);
    expect((await via('198.51.100.2', '127.0.0.1')).status).toBe(200);
    for (let i = 0; i < 3; i++) await via(`198.51.100.${10 + i}`, '203.0.113.7');
    expect((await via('198.51.100.20', '203.0.113.7')).status).toBe(429);
  });
});
