/**
 * The desktop's only way into the runtime: every request of the window (`app://console/…`) becomes one call of
 * `runtime.fetch`, or one console asset. Imports nothing of Electron, so that all of it is tested under plain Node.
 */

export type Fetch = (request: Request) => Promise<Response>;

/** The one host of the `app:` scheme that is answered; anything else is a foreign origin. */
export const CONSOLE_HOST = 'console';

/** What the runtime answers itself; everything else is an asset of the console. `GET /` as JSON is added below. */
const RUNTIME_ROUTES = ['/api', '/health', '/healthz', '/ready', '/metrics'];

/** RFC 9110 §7.6.1 and its predecessors: these belong to one connection, and there is none here. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

export interface FetchBridgeOptions {
  /** The runtime. Its request carries a signal that is aborted when the window loses interest in the answer. */
  runtimeFetch: Fetch;
  /** The console's files; undefined for what is none. Asked with `GET` and `HEAD`, for paths that cannot leave its folder. */
  assets: (request: Request) => Promise<Response | undefined>;
  /** Told about what was thrown: by a handler, or by a response body half-way. */
  onError?: (error: unknown, request: Request) => void;
}

/** Makes the handler of the `app:` scheme. It never throws: what goes wrong is answered as `problem+json`. */
export function createFetchBridge(options: FetchBridgeOptions): Fetch {
  return async (request) => {
    const url = new URL(request.url);
    if (url.host.toLowerCase() !== CONSOLE_HOST) {
      return problem(
        403,
        'auth.foreign_host',
        'The Host header is not one of ours',
        `There is no ${url.host}.`,
      );
    }
    const toRuntime = isRuntimeRoute(url.pathname) || asksForStatus(request, url);
    if (!toRuntime) {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return problem(
          405,
          'route.method_not_allowed',
          'The route does not take this method',
          `${request.method} is not possible on ${url.pathname}.`,
        );
      }
      if (!staysInside(url.pathname)) {
        return problem(
          400,
          'request.invalid',
          'The request is not valid',
          'The path leads out of the console.',
        );
      }
    }
    const interest = new AbortController();
    try {
      const handler = toRuntime ? options.runtimeFetch : options.assets;
      const response = await handler(inwards(request, interest));
      if (response === undefined) {
        const detail = `There is nothing at ${url.pathname}.`;
        return problem(404, 'route.not_found', 'There is no such route', detail);
      }
      return outwards(response, interest, (error) => options.onError?.(error, request));
    } catch (error) {
      options.onError?.(error, request);
      return problem(
        500,
        'runtime.failed',
        'Something went wrong inside',
        'The console could not answer this request; the log says why.',
      );
    }
  };
}

function isRuntimeRoute(pathname: string): boolean {
  return RUNTIME_ROUTES.some((route) => pathname === route || pathname.startsWith(`${route}/`));
}

/** `GET /` with `Accept: application/json` is the runtime's name card; a page load never asks for it. */
function asksForStatus(request: Request, url: URL): boolean {
  return url.pathname === '/' && (request.headers.get('accept') ?? '').startsWith('application/json');
}

/**
 * True when no number of decodings turns the path into one that leaves its folder: no `..`, no backslash (a separator
 * on Windows), no drive or stream (`:`), no null byte. Decoding again and again costs nothing and makes it irrelevant
 * how often those behind the bridge decode.
 */
function staysInside(pathname: string): boolean {
  let path = pathname;
  for (;;) {
    if (path.includes('\0') || path.includes('\\') || path.includes(':')) return false;
    if (path.split('/').includes('..')) return false;
    let decoded: string;
    try {
      decoded = decodeURIComponent(path);
    } catch {
      return false;
    }
    if (decoded === path) return true;
    path = decoded;
  }
}

/**
 * The request as the runtime gets it. Electron builds a Request whose signal never fires, so it gets one that does.
 * Without `accept-encoding`: Chromium decodes content only for HTTP, and would show compressed bytes as they are.
 */
function inwards(request: Request, interest: AbortController): Request {
  if (request.signal.aborted) interest.abort(request.signal.reason);
  else request.signal.addEventListener('abort', () => interest.abort(request.signal.reason), { once: true });
  const headers = withoutHopByHop(request.headers);
  headers.delete('accept-encoding');
  return new Request(request, { headers, signal: interest.signal });
}

/** The answer as the window gets it: chunk by chunk as the runtime makes them; giving it up aborts the request. */
function outwards(
  response: Response,
  interest: AbortController,
  onError: (error: unknown) => void,
): Response {
  const { status, statusText } = response;
  const headers = withoutHopByHop(response.headers);
  if (response.body === null) return new Response(null, { status, statusText, headers });
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          if (!interest.signal.aborted) onError(error);
          controller.error(error);
        }
      },
      async cancel(reason) {
        interest.abort(reason);
        await reader.cancel(reason);
      },
    },
    // Nothing is read before the window asks for it: a slow window slows the runtime's stream, not its memory.
    { highWaterMark: 0 },
  );
  return new Response(body, { status, statusText, headers });
}

function withoutHopByHop(original: Headers): Headers {
  const headers = new Headers(original);
  const named = (headers.get('connection') ?? '').split(',').map((name) => name.trim().toLowerCase());
  for (const name of [...HOP_BY_HOP, ...named]) {
    if (/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) headers.delete(name);
  }
  return headers;
}

/** An answer of the bridge itself, in the form of the runtime's own errors (RFC 9457). */
export function problem(status: number, code: string, title: string, detail: string): Response {
  return Response.json(
    { type: `urn:smalltalk:problem:${code}`, title, status, detail, code },
    { status, headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' } },
  );
}
