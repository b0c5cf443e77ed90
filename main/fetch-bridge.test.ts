import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createFetchBridge, type Fetch } from './fetch-bridge.ts';

const asset: Fetch = async (request) => new Response(`asset ${new URL(request.url).pathname}`);
const unreachable: Fetch = async () => {
  throw new Error('must not be called');
};

function bridge(handlers: { runtime?: Fetch; assets?: Fetch; onError?: (error: unknown) => void }): Fetch {
  return createFetchBridge({
    runtimeFetch: handlers.runtime ?? unreachable,
    assets: handlers.assets ?? unreachable,
    ...(handlers.onError === undefined ? {} : { onError: handlers.onError }),
  });
}

/** A request as the handler behind the bridge sees it. */
async function seenByRuntime(request: Request): Promise<Request> {
  let seen: Request | undefined;
  const response = await bridge({
    runtime: async (inner) => {
      seen = inner;
      return new Response('ok');
    },
  })(request);
  expect(response.status).toBe(200);
  if (seen === undefined) throw new Error('the runtime was not asked');
  return seen;
}

describe('routing', () => {
  it.each([
    '/api',
    '/api/sessions?limit=5',
    '/health',
    '/health/ready',
    '/healthz',
    '/ready',
    '/metrics',
    '/metrics/json',
  ])('hands %s to the runtime', async (path) => {
    const seen = await seenByRuntime(new Request(`app://console${path}`));
    expect(seen.url).toBe(`app://console${path}`);
  });

  it.each(['/', '/index.html', '/sessions/abc', '/apish', '/healthy.svg'])(
    'takes %s from the assets',
    async (path) => {
      const response = await bridge({ assets: asset })(new Request(`app://console${path}`));
      expect(await response.text()).toBe(`asset ${path}`);
    },
  );

  it('gives the status to who asks for / as JSON, and the console to a page load', async () => {
    const handle = bridge({ runtime: async () => Response.json({ name: 'runtime' }), assets: asset });
    const asJson = await handle(new Request('app://console/', { headers: { accept: 'application/json' } }));
    expect(await asJson.json()).toEqual({ name: 'runtime' });
    const asPage = await handle(
      new Request('app://console/', { headers: { accept: 'text/html,application/json;q=0.9' } }),
    );
    expect(await asPage.text()).toBe('asset /');
  });

  it.each(['app://other/api/sessions', 'app://console.evil.example/', 'app://console:81/'])(
    'refuses the foreign host of %s',
    async (address) => {
      const response = await bridge({})(new Request(address));
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: 'auth.foreign_host', status: 403 });
    },
  );

  it('says when there is no such asset', async () => {
    const handle = createFetchBridge({ runtimeFetch: unreachable, assets: async () => undefined });
    const response = await handle(new Request('app://console/assets/old-build.js'));
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'route.not_found' });
  });

  it('refuses to write to assets', async () => {
    const response = await bridge({})(new Request('app://console/index.html', { method: 'DELETE' }));
    expect(response.status).toBe(405);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
  });
});

describe('paths that lead out of the console', () => {
  it.each([
    '/%2e%2e%2fetc/passwd',
    '/assets/..%2f..%2fsecret',
    '/%252e%252e%252fsecret',
    '/%25252e%25252e/secret',
    '/..\\secret',
    '/..%5csecret',
    '/%255c..%255csecret',
    '/index.html%00.png',
    '/%2500',
    '/C:/Windows/win.ini',
    '/file.txt%3a$DATA',
    '/%E0%A4%A',
  ])('refuses %s', async (path) => {
    const response = await bridge({})(new Request(`app://console${path}`));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'request.invalid' });
  });

  it('resolves plain dots before anything is looked at', async () => {
    const response = await bridge({ assets: asset })(new Request('app://console/a/../../../b.js'));
    expect(await response.text()).toBe('asset /b.js');
  });

  it('allows names that only look like it', async () => {
    const response = await bridge({ assets: asset })(new Request('app://console/a..b/%20...js'));
    expect(response.status).toBe(200);
  });
});

describe('headers', () => {
  it('keeps what belongs to one connection out of the request, and asks for no compression', async () => {
    const seen = await seenByRuntime(
      new Request('app://console/api/sessions', {
        headers: {
          connection: 'keep-alive, X-Private',
          'x-private': 'mine',
          'keep-alive': 'timeout=5',
          te: 'trailers',
          upgrade: 'websocket',
          'accept-encoding': 'gzip, br',
          'last-event-id': '42',
          'content-type': 'application/json',
        },
      }),
    );
    expect(Object.fromEntries(seen.headers)).toEqual({
      'last-event-id': '42',
      'content-type': 'application/json',
    });
  });

  it('keeps them out of the answer, and leaves the rest as it is', async () => {
    const response = await bridge({
      runtime: async () =>
        new Response('made', {
          status: 201,
          statusText: 'Created',
          headers: {
            connection: 'close, X-Hop',
            'x-hop': '1',
            'transfer-encoding': 'chunked',
            'keep-alive': 'timeout=5',
            'x-correlation-id': 'abc',
            'content-security-policy': "default-src 'self'",
          },
        }),
    })(new Request('app://console/api/sessions'));
    expect(response.status).toBe(201);
    expect(response.statusText).toBe('Created');
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-security-policy': "default-src 'self'",
      'content-type': 'text/plain;charset=UTF-8',
      'x-correlation-id': 'abc',
    });
  });

  it('survives a Connection header that names nonsense', async () => {
    const seen = await seenByRuntime(
      new Request('app://console/api', { headers: { connection: ', (nonsense), x y,' } }),
    );
    expect([...seen.headers]).toEqual([]);
  });
});

describe('bodies', () => {
  it('passes a request body of several megabytes through unchanged', async () => {
    const sent = randomBytes(5 * 1024 * 1024);
    let received = Buffer.alloc(0);
    const handle = bridge({
      runtime: async (request) => {
        received = Buffer.from(await request.arrayBuffer());
        return new Response(null, { status: 204 });
      },
    });
    const response = await handle(
      new Request('app://console/api/backups', { method: 'POST', body: new Uint8Array(sent) }),
    );
    expect(response.status).toBe(204);
    expect(response.body).toBeNull();
    expect(received.equals(sent)).toBe(true);
  });

  it('passes a response of many megabytes through unchanged, no faster than it is read', async () => {
    const chunk = randomBytes(64 * 1024);
    let made = 0;
    const response = await bridge({
      runtime: async () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              if (made === 500) return controller.close();
              made++;
              controller.enqueue(new Uint8Array(chunk));
            },
          }),
        ),
    })(new Request('app://console/api/backups/1/archive'));
    const reader = response.body?.getReader();
    await reader?.read();
    expect(made).toBeLessThan(10);
    let bytes = chunk.length;
    for (;;) {
      const next = await reader?.read();
      if (next === undefined || next.done) break;
      bytes += next.value.length;
      expect(Buffer.compare(next.value, chunk)).toBe(0);
    }
    expect(bytes).toBe(500 * chunk.length);
  });

  it('hands on each event of a stream when it is made', async () => {
    let emit: ReadableStreamDefaultController<Uint8Array> | undefined;
    const response = await bridge({
      runtime: async () =>
        new Response(
          new ReadableStream<Uint8Array>({
            start(controller) {
              emit = controller;
            },
          }),
          { headers: { 'content-type': 'text/event-stream' } },
        ),
    })(new Request('app://console/api/events/stream'));
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (const frame of ['id: 1\ndata: {}\n\n', ': still here\n\n']) {
      emit?.enqueue(new TextEncoder().encode(frame));
      expect(await reader?.read()).toEqual({ done: false, value: frame });
    }
    emit?.close();
    expect(await reader?.read()).toEqual({ done: true, value: undefined });
  });
});

describe('giving up', () => {
  it('aborts the handler and ends its stream when the window cancels the body', async () => {
    let signal: AbortSignal | undefined;
    const ended = Promise.withResolvers<unknown>();
    const response = await bridge({
      runtime: async (request) => {
        signal = request.signal;
        return new Response(new ReadableStream({ cancel: (reason) => ended.resolve(reason) }));
      },
    })(new Request('app://console/api/events/stream'));
    expect(signal?.aborted).toBe(false);
    await response.body?.cancel('the page was closed');
    expect(signal?.aborted).toBe(true);
    expect(signal?.reason).toBe('the page was closed');
    expect(await ended.promise).toBe('the page was closed');
  });

  it('aborts a handler that has not answered yet when the request itself is aborted', async () => {
    const given = new AbortController();
    const handle = bridge({
      runtime: (request) =>
        new Promise((_, reject) => {
          request.signal.addEventListener('abort', () => reject(request.signal.reason), { once: true });
          given.abort(new Error('navigated away'));
        }),
    });
    const response = await handle(new Request('app://console/api/sessions', { signal: given.signal }));
    expect(response.status).toBe(500);
  });

  it('hands on an abort from before the call', async () => {
    const handle = bridge({
      runtime: async (request) => new Response(String(request.signal.aborted)),
    });
    const response = await handle(
      new Request('app://console/api', { signal: AbortSignal.abort('too late') }),
    );
    expect(await response.text()).toBe('true');
  });
});

describe('errors', () => {
  it('answers a thrown error as a problem that does not tell the particulars', async () => {
    const told: unknown[] = [];
    const response = await bridge({
      runtime: async () => {
        throw new Error('secret detail');
      },
      onError: (error) => told.push(error),
    })(new Request('app://console/api/sessions'));
    expect(response.status).toBe(500);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'runtime.failed', status: 500 });
    expect(text).not.toContain('secret detail');
    expect(told).toEqual([new Error('secret detail')]);
  });

  it('passes a failure in mid-stream on, after what came before it', async () => {
    const told: unknown[] = [];
    const response = await bridge({
      runtime: async () => {
        let first = true;
        return new Response(
          new ReadableStream({
            pull(controller) {
              if (!first) throw new Error('the disk went away');
              first = false;
              controller.enqueue(new TextEncoder().encode('half'));
            },
          }),
        );
      },
      onError: (error) => told.push(error),
    })(new Request('app://console/api/backups/1/archive'));
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('half');
    await expect(reader?.read()).rejects.toThrow('the disk went away');
    expect(told).toHaveLength(1);
  });
});
