import { type Context, Hono } from 'hono';
import { compress } from 'hono/compress';
import { cors } from 'hono/cors';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { MakeId } from '../base/ids.ts';
import type { Logger } from '../base/logger.ts';
import { idInput } from '../contract/common.ts';
import {
  EVENT_STREAM_PATH,
  fault,
  IMPORT_PATH,
  MAX_ATTACHMENTS_BYTES,
  MAX_PROMPT_BYTES,
} from '../contract/index.ts';
import type { HealthMonitor } from '../health/health.ts';
import type { Metrics } from '../health/metrics.ts';
import { isLoopback } from '../settings/loopback.ts';
import type { Settings } from '../settings/settings.ts';
import { wantsJson, wantsPage } from './accept.ts';
import { type ApiServices, createApi } from './api.ts';
import { downloadArchive, importArchive } from './archives.ts';
import type { Assets } from './assets.ts';
import { attachmentParameters, downloadAttachment } from './attachments.ts';
import type { Area, Auth, Caller } from './auth.ts';
import { type Client, createClientResolver } from './client-address.ts';
import type { Connection } from './connection.ts';
import { openEventStream } from './event-stream.ts';
import { HEALTH_PATHS, healthRoutes, METRICS_PATHS } from './health-routes.ts';
import { invalidRequest, isUnexpected, problemResponse, toProblem } from './problem.ts';
import { createRateLimiter } from './rate-limit.ts';
import { readJsonObject } from './request-body.ts';
import { API_PREFIX, apiRoutes, createRouteTable, OPENAPI_PATH } from './route-table.ts';
import { SECURITY_HEADERS } from './security-headers.ts';
import { signInPage } from './sign-in-page.ts';

/** A prompt of the largest size, and what JSON adds to an ordinary one. */
const MAX_BODY_BYTES = MAX_PROMPT_BYTES + 64 * 1024;
/** The same with attachments, whose bytes are sent as base64: four characters for three of them. */
const MAX_PROMPT_BODY_BYTES = MAX_BODY_BYTES + Math.ceil(MAX_ATTACHMENTS_BYTES / 3) * 4;
const PROMPT_PATTERN = `${API_PREFIX}/sessions/{id}/prompt`;
const BODY_TIMEOUT_MS = 30_000;
const CORRELATION_ID_LENGTH = 20;
const CORRELATION_HEADER = 'x-correlation-id';
const WELL_FORMED_CORRELATION_ID = /^[A-Za-z0-9._:-]{1,128}$/;

export interface HttpDependencies extends Omit<ApiServices, 'settings'> {
  settings: Settings;
  /** `createAuth(…)`. */
  auth: Auth;
  health: HealthMonitor;
  metrics: Metrics;
  /** `createAssets(…)`; without it there is only the API. */
  assets?: Assets;
  clock: Clock;
  makeId: MakeId;
  logger: Logger;
  redact: (text: string) => string;
}

export interface HttpApp {
  /** Answers every request, also with an error; never rejects. `connection` is what a listener knows of the caller. */
  fetch(request: Request, connection?: Connection): Promise<Response>;
  /** Ends every event stream and refuses further API calls (`runtime.stopped`). Health still answers. Idempotent. */
  close(): void;
}

interface Variables {
  correlationId: string;
  client: Client;
  caller: Caller;
  /** The pattern of the route, for metrics and the log. */
  route: string;
}
interface Environment {
  Bindings: { connection: Connection | undefined };
  Variables: Variables;
}

/** The one HTTP application: console, API, health, metrics. */
export function createHttpApp(dependencies: HttpDependencies): HttpApp {
  const { settings, auth, metrics, clock } = dependencies;
  const logger = dependencies.logger.with({ component: 'http' });
  const api = createApi(dependencies);
  const findRoute = createRouteTable(apiRoutes());
  const findClient = createClientResolver(settings.trustedProxies);
  const limiter = settings.rateLimitEnabled
    ? createRateLimiter({
        windowMs: settings.rateLimitWindowMs,
        maxRequests: settings.rateLimitMaxRequests,
        clock,
      })
    : undefined;
  const closing = new AbortController();
  let openApi: Promise<unknown> | undefined;

  const app = new Hono<Environment>();

  app.use(async (context, next) => {
    const startedAt = clock.monotonic();
    const request = context.req.raw;
    const given = request.headers.get(CORRELATION_HEADER) ?? '';
    const correlationId = WELL_FORMED_CORRELATION_ID.test(given)
      ? given
      : dependencies.makeId(CORRELATION_ID_LENGTH);
    const { pathname } = new URL(request.url);
    // The path by which the routes are found: decoded, so that `/%61pi` is no way around what is asked of `/api`.
    const area = areaOf(context.req.path);
    const connection = context.env.connection;
    const client = findClient(request, connection);
    const route = routeLabel(request.method, pathname, area);
    context.set('correlationId', correlationId);
    context.set('client', client);
    context.set('caller', { request, connection, client, area });
    context.set('route', route);

    await next();

    for (const [name, value] of Object.entries(SECURITY_HEADERS)) context.res.headers.set(name, value);
    context.res.headers.set(CORRELATION_HEADER, correlationId);
    const { status } = context.res;
    const milliseconds = clock.monotonic() - startedAt;
    metrics.httpRequest(request.method, route, status, milliseconds / 1000);
    const quiet = area === 'open' || route === 'console' || METRICS_PATHS.includes(pathname);
    logger
      .with({ correlationId })
      [status >= 500 && area !== 'open' ? 'warn' : quiet ? 'debug' : 'info']('A request was answered', {
        method: request.method,
        route,
        status,
        durationMs: Math.round(milliseconds * 100) / 100,
      });
  });

  app.use(async (context, next) => {
    const caller = context.var.caller;
    auth.checkHost(caller);
    limitRate(caller);
    await next();
  });

  if (settings.enableCors) {
    app.use(
      `${API_PREFIX}/*`,
      cors({
        origin: (origin) => (auth.allowsOrigin(origin) ? origin : null),
        allowHeaders: ['Authorization', 'Content-Type', 'X-Correlation-Id', 'Last-Event-ID'],
        exposeHeaders: ['X-Correlation-Id', 'Content-Disposition'],
        maxAge: 600,
      }),
    );
  }

  app.use(async (context, next) => {
    const caller = context.var.caller;
    auth.checkOrigin(caller);
    const answer = auth.checkToken(caller);
    if (answer !== undefined) return answer;
    if (caller.area === 'data' && closing.signal.aborted) {
      throw fault('runtime.stopped', 'The runtime is shutting down.');
    }
    await next();
    return undefined;
  });

  if (settings.enableCompression) {
    const compressed = compress();
    // On this machine nothing is won by it, and within the process nobody would undo it.
    app.use(`${API_PREFIX}/*`, (context, next) =>
      isRemote(context.var.client) ? compressed(context, next) : next(),
    );
  }

  app.route('/', healthRoutes(dependencies));

  app.get('/', async (context, next) => {
    if (!wantsJson(context.req.raw)) return next();
    const { name, version, status, environment, timestamp } = (await dependencies.status()).about;
    return context.json({ name, version, status, environment, timestamp });
  });

  app.get(EVENT_STREAM_PATH, (context) => {
    const signal = AbortSignal.any([context.req.raw.signal, closing.signal]);
    return openEventStream(context.req.raw, signal, dependencies);
  });
  app.get(`${API_PREFIX}/backups/:id/archive`, (context) => {
    const parsed = idInput.safeParse(context.req.param());
    if (!parsed.success) throw invalidRequest([{ path: 'id', message: 'is not the id of a backup' }]);
    return downloadArchive(context.req.raw, parsed.data.id, dependencies.backups);
  });
  app.get(`${API_PREFIX}/sessions/:id/attachments/:attachmentId`, (context) => {
    const parsed = attachmentParameters.safeParse(context.req.param());
    if (!parsed.success) {
      throw invalidRequest(
        parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })),
      );
    }
    return downloadAttachment(parsed.data, dependencies.sessions);
  });
  app.post(IMPORT_PATH, (context) =>
    importArchive(context.req.raw, context.req.raw.signal, dependencies.backups),
  );
  app.get(OPENAPI_PATH, async (context) => {
    // Loaded when somebody asks: the generator is only needed here, and costs a good part of a cold start.
    openApi ??= Promise.all([import('./openapi.ts'), dependencies.status()]).then(
      ([{ describeApi }, { about }]) => describeApi({ version: about.version }),
    );
    openApi.catch(() => {
      openApi = undefined;
    });
    return context.json((await openApi) as object);
  });

  app.all(`${API_PREFIX}/*`, (context) => callContract(context));
  app.all(API_PREFIX, (context) => callContract(context));

  app.all('*', async (context) => {
    const request = context.req.raw;
    const { pathname } = new URL(request.url);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw methodNotAllowed(request.method, pathname, ['GET', 'HEAD']);
    }
    const asset = await dependencies.assets?.(request);
    if (asset === undefined) throw notFound(request.method, pathname);
    return asset;
  });

  app.onError((error, context) => fail(error, context));

  async function callContract(context: Context<Environment>): Promise<Response> {
    const request = context.req.raw;
    const { pathname } = new URL(request.url);
    const { route, allowed } = findRoute(request.method, pathname);
    if (allowed.length === 0) throw notFound(request.method, pathname);
    if (route === undefined) throw methodNotAllowed(request.method, pathname, allowed);
    const body =
      route.method === 'GET'
        ? undefined
        : await readJsonObject(request, route.bodyFields ?? new Set(), {
            maxBytes: route.pattern === PROMPT_PATTERN ? MAX_PROMPT_BODY_BYTES : MAX_BODY_BYTES,
            timeoutMs: BODY_TIMEOUT_MS,
            clock,
          });
    // Made anew, because only these parts are meant for the handler: other headers would change how oRPC reads the body.
    const call = new Request(request.url, {
      method: route.method,
      ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
    });
    const { correlationId } = context.var;
    const response = await api(call, { correlationId, signal: request.signal });
    if (response === undefined) throw notFound(request.method, pathname);
    response.headers.set('cache-control', 'no-store');
    return response;
  }

  function limitRate({ client, area, request }: Caller): void {
    if (limiter === undefined || !isRemote(client)) return;
    // Files of the console are cheap and many; what could be guessing at the token or costs something is counted.
    const showsToken = request.headers.has('authorization') || new URL(request.url).searchParams.has('token');
    if (area === 'open' || (area === 'page' && !showsToken)) return;
    const { retryAfterSeconds } = limiter.take(client.address);
    if (retryAfterSeconds === undefined) return;
    throw fault(
      'request.rate_limited',
      `More than ${settings.rateLimitMaxRequests} requests in ${settings.rateLimitWindowMs / 1000} s. Try again in ${retryAfterSeconds} s.`,
      { retryAfterSeconds },
    );
  }

  function routeLabel(method: string, pathname: string, area: Area): string {
    if (pathname === API_PREFIX || pathname.startsWith(`${API_PREFIX}/`)) {
      return findRoute(method, pathname).route?.pattern ?? 'other';
    }
    return area === 'page' ? 'console' : pathname;
  }

  function fail(error: unknown, context: Context<Environment>): Response {
    const { correlationId, caller } = context.var;
    if (isUnexpected(error)) {
      logger.with({ correlationId }).error('A request failed in a way that was not foreseen', {
        route: context.var.route,
        error: messageOf(error),
        ...(error instanceof Error ? { stack: error.stack, cause: messageOf(error.cause ?? '') } : {}),
      });
    }
    const problem = toProblem(error, {
      correlationId,
      sanitize: settings.sanitizeErrorMessages,
      redact: dependencies.redact,
    });
    const needsToken = problem.code === 'auth.required' || problem.code === 'auth.wrong_token';
    if (needsToken && caller.area === 'page' && wantsPage(caller.request)) {
      const { pathname } = new URL(caller.request.url);
      return signInPage({ wrongToken: problem.code === 'auth.wrong_token', path: pathname });
    }
    return problemResponse(problem);
  }

  return {
    fetch: async (request, connection) => app.fetch(request, { connection }),
    close: () => closing.abort(),
  };
}

/** The health listener: health and metrics for everybody who reaches it, and nothing else. */
export function createHealthApp(
  dependencies: Pick<HttpDependencies, 'health' | 'metrics' | 'makeId' | 'redact' | 'settings' | 'logger'>,
): { fetch(request: Request): Promise<Response> } {
  const app = new Hono();
  const logger = dependencies.logger.with({ component: 'http' });
  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) context.res.headers.set(name, value);
  });
  app.route('/', healthRoutes(dependencies));
  app.all('*', (context) => {
    const { pathname } = new URL(context.req.url);
    const exists = HEALTH_PATHS.includes(pathname) || METRICS_PATHS.includes(pathname);
    throw exists
      ? methodNotAllowed(context.req.method, pathname, ['GET', 'HEAD'])
      : notFound(context.req.method, pathname);
  });
  app.onError((error) => {
    const correlationId = dependencies.makeId(CORRELATION_ID_LENGTH);
    if (isUnexpected(error)) {
      logger.with({ correlationId }).error('A health request failed', { error: messageOf(error) });
    }
    const sanitize = dependencies.settings.sanitizeErrorMessages;
    return problemResponse(toProblem(error, { correlationId, sanitize, redact: dependencies.redact }));
  });
  return { fetch: async (request) => app.fetch(request) };
}

function areaOf(pathname: string): Area {
  if (HEALTH_PATHS.includes(pathname)) return 'open';
  const data =
    pathname === API_PREFIX || pathname.startsWith(`${API_PREFIX}/`) || METRICS_PATHS.includes(pathname);
  return data ? 'data' : 'page';
}

function isRemote(client: Client): client is Client & { address: string } {
  return client.address !== undefined && !isLoopback(client.address);
}

function notFound(method: string, pathname: string): Error {
  return fault('route.not_found', `There is nothing at ${method} ${shortened(pathname)}.`);
}

function methodNotAllowed(method: string, pathname: string, allowed: string[]): Error {
  return fault(
    'route.method_not_allowed',
    `${shortened(pathname)} does not take ${method}, but ${allowed.join(', ')}.`,
    { allowed },
  );
}

function shortened(pathname: string): string {
  return pathname.length > 200 ? `${pathname.slice(0, 200)}…` : pathname;
}
