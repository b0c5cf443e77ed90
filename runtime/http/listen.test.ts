import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { type Application, createApplication, TOKEN } from './application.fixture.ts';
import type { Connection } from './connection.ts';
import { type Listener, listen } from './listen.ts';

const bearer = { authorization: `Bearer ${TOKEN}` };

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

/** One raw request, with any Host header; `fetch` would not let us lie. */
async function raw(port: number, options: RequestOptions, body?: string): Promise<Answer> {
  const sent = httpRequest({ host: '127.0.0.1', port, agent: false, ...options });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode ?? 0, headers: response.headers, body: text };
}

describe('the application over HTTP', () => {
  let app: Application;
  let listener: Listener;
  beforeEach(async () => {
    app = await createApplication({ auth: { mode: 'token', token: TOKEN, bindAddress: '127.0.0.1' } });
    listener = await listen({ fetch: app.fetch, port: 0, host: '127.0.0.1', setting: 'APP_PORT' });
  });
  afterEach(async () => {
    app.close();
    await listener.close();
    await app.stop();
  });

  const url = (path: string) => `http://127.0.0.1:${listener.port}${path}`;

  it('answers JSON, problems and errors with their lengths', async () => {
    const created = await fetch(url('/api/sessions'), {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/json' },
      body: JSON.stringify({ title: 'Ü' }),
    });
    expect([created.status, await created.json()]).toMatchObject([201, { title: 'Ü' }]);
    const problem = await fetch(url('/api/nothing'), { headers: bearer });
    expect([problem.status, problem.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
    expect(Number(problem.headers.get('content-length'))).toBe((await problem.bytes()).byteLength);
  });

  it.each([
    [{ host: 'evil.example' }, 403, 'auth.foreign_host'],
    [{ host: 'localhost:1' }, 403, 'auth.foreign_host'],
    [{ origin: 'http://evil.example' }, 403, 'auth.foreign_origin'],
    [{ authorization: 'Bearer wrong' }, 401, 'auth.wrong_token'],
  ])('refuses %o', async (headers, status, code) => {
    const host = `127.0.0.1:${listener.port}`;
    const answer = await raw(listener.port, {
      path: '/api/status',
      headers: { host, ...bearer, ...headers },
    });
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code]);
  });

  it('knows its names on the port that the system chose', async () => {
    for (const name of ['127.0.0.1', 'localhost', '[::1]']) {
      const headers = { ...bearer, host: `${name}:${listener.port}` };
      expect((await raw(listener.port, { path: '/api/status', headers })).status).toBe(200);
    }
  });

  it.each(['evil.example/..', 'a b', 'localhost:99999', '@'])(
    'answers a Host that is none ("%s") with a problem',
    async (host) => {
      const answer = await raw(listener.port, { path: '/api/status', headers: { ...bearer, host } });
      expect([400, 403]).toContain(answer.status);
      expect(answer.headers['content-type']).toBe('application/problem+json');
    },
  );

  it('never leaves the console by a path', async () => {
    for (const path of ['/../../etc/passwd', '/..%2f..%2fetc%2fpasswd', '/%2e%2e/%2e%2e/etc/passwd']) {
      const headers = { ...bearer, host: `127.0.0.1:${listener.port}` };
      expect((await raw(listener.port, { path, headers })).status).toBe(404);
    }
  });

  it('refuses a body that is too large although it is sent in chunks, and stays usable', async () => {
    const headers = { ...bearer, host: `127.0.0.1:${listener.port}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ title: 'x'.repeat(1_500_000) });
    const chunked = { ...headers, 'transfer-encoding': 'chunked' };
    const answer = await raw(
      listener.port,
      { method: 'POST', path: '/api/sessions', headers: chunked },
      body,
    );
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([413, 'request.too_large']);
    expect((await fetch(url('/healthz'))).status).toBe(200);
  });

  it('streams events, resumes them, and notices when the client goes', async () => {
    const first = new AbortController();
    const response = await fetch(url('/api/events/stream'), { headers: bearer, signal: first.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toContain(': open');
    await app.bus.publish({ topic: 'session.deleted', correlationId: 'c', data: { id: 's1' } });
    expect((await reader?.read())?.value).toMatch(/^id: 1\ndata: \{.*"s1".*\}\n\n$/s);
    expect(app.bus.stats().subscriptions).toBe(1);
    first.abort();
    await vi.waitFor(() => expect(app.bus.stats().subscriptions).toBe(0));

    await app.bus.publish({ topic: 'session.deleted', correlationId: 'c', data: { id: 's2' } });
    const second = new AbortController();
    const resumed = await fetch(url('/api/events/stream'), {
      headers: { ...bearer, 'last-event-id': '1' },
      signal: second.signal,
    });
    let text = '';
    for await (const chunk of resumed.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      if (text.includes('data: ')) break;
    }
    expect(text).toContain('"s2"');
    second.abort();
  });

  it('ends its streams and idle connections when it closes, and takes no more', async () => {
    const agent = new Agent({ keepAlive: true });
    const headers = { host: `127.0.0.1:${listener.port}` };
    await raw(listener.port, { path: '/healthz', agent, headers });
    const stream = await fetch(url('/api/events/stream'), { headers: bearer });
    const reading = stream.text();
    const { port } = listener;
    app.close();
    await listener.close();
    expect(await reading).toContain(': open');
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
    await listener.close();
    agent.destroy();
  });

  it('takes an upload whose sender goes away as broken off', async () => {
    const sent = httpRequest({
      port: listener.port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/api/backups/import',
      headers: bearer,
    });
    sent.on('error', () => undefined);
    sent.write('archive');
    await vi.waitFor(() => expect(sent.socket?.bytesWritten).toBeGreaterThan(0));
    sent.destroy();
    await vi.waitFor(() => expect(app.backups.brokenImports).toBe(1));
    expect(app.backups.archives.size).toBe(0);
  });
});

describe('listen', () => {
  const opened: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
  });
  const ok = async () => new Response('ok');

  it('tells the handler who calls and on which port, and aborts its signal when they go', async () => {
    let connection: Connection | undefined;
    const aborted = Promise.withResolvers<void>();
    const listener = await listen({
      fetch: async (request, from) => {
        connection = from;
        request.signal.addEventListener('abort', () => aborted.resolve());
        return new Response(
          new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) }),
        );
      },
      port: 0,
      host: '127.0.0.1',
      setting: 'APP_PORT',
    });
    opened.push(listener);
    const abort = new AbortController();
    await fetch(`http://127.0.0.1:${listener.port}/`, { signal: abort.signal });
    expect(connection).toEqual({ remoteAddress: '127.0.0.1', localPort: listener.port });
    abort.abort();
    await aborted.promise;
  });

  it('leaves the global Request and Response alone', async () => {
    const { Request: before } = globalThis;
    opened.push(await listen({ fetch: ok, port: 0, host: '127.0.0.1', setting: 'APP_PORT' }));
    expect(globalThis.Request).toBe(before);
  });

  it.each(['APP_PORT', 'HEALTH_PORT'] as const)(
    'says which port is taken, and that %s changes it',
    async (setting) => {
      const taken = createTcpServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      opened.push(taken);
      const { port } = taken.address() as { port: number };
      await expect(listen({ fetch: ok, port, host: '127.0.0.1', setting })).rejects.toMatchObject({
        code: 'listen.port_taken',
        message: expect.stringMatching(new RegExp(`${port}.*${setting}`)),
        data: { port, setting },
      });
    },
  );

  it('says that an address is not one of this machine', async () => {
    await expect(
      listen({ fetch: ok, port: 0, host: '192.0.2.1', setting: 'APP_PORT' }),
    ).rejects.toMatchObject({ code: 'listen.address_unavailable' });
  });

  it('lets an answer under way finish, but not for ever', async () => {
    const clock = new VirtualClock();
    const arrived = { slow: Promise.withResolvers<void>(), never: Promise.withResolvers<void>() };
    const answer = Promise.withResolvers<Response>();
    const listener = await listen({
      fetch: (request) => {
        const never = request.url.endsWith('/never');
        arrived[never ? 'never' : 'slow'].resolve();
        return never ? new Promise<never>(() => undefined) : answer.promise;
      },
      port: 0,
      host: '127.0.0.1',
      setting: 'APP_PORT',
      clock,
    });
    const slow = fetch(`http://127.0.0.1:${listener.port}/slow`).then((response) => response.text());
    const never = fetch(`http://127.0.0.1:${listener.port}/never`).catch(() => 'cut off');
    await Promise.all([arrived.slow.promise, arrived.never.promise]);
    const closing = listener.close(1000);
    answer.resolve(new Response('done'));
    expect(await slow).toBe('done');
    await clock.advance(1000);
    expect(await never).toBe('cut off');
    await closing;
    expect(clock.pending).toBe(0);
  });

  it('answers a request line that is none and goes on', async () => {
    const listener = await listen({ fetch: ok, port: 0, host: '127.0.0.1', setting: 'APP_PORT' });
    opened.push(listener);
    const socket: Socket = connect(listener.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GARBAGE\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
    expect(await (await fetch(`http://127.0.0.1:${listener.port}/`)).text()).toBe('ok');
  });
});
