import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { type Clock, systemClock } from '../base/clock.ts';
import { systemCodeOf } from '../base/errors.ts';
import { fault } from '../contract/index.ts';
import type { Connection } from './connection.ts';
import { problemResponse, toProblem } from './problem.ts';

/** Whoever has not sent its headers by then is cut off; they fit into one packet. */
const HEADERS_TIMEOUT_MS = 15_000;
/** For the whole request, an uploaded archive included. JSON bodies have a tighter limit of their own. */
const REQUEST_TIMEOUT_MS = 30 * 60_000;
const KEEP_ALIVE_MS = 10_000;
/** How long answers under way may take when it closes, unless the caller says otherwise. */
const CLOSE_GRACE_MS = 3000;

export interface ListenOptions {
  fetch: (request: Request, connection: Connection) => Promise<Response>;
  /** 0 lets the system choose. */
  port: number;
  host: string;
  /** The setting that chooses the port, for the words of a failure. */
  setting: 'APP_PORT' | 'HEALTH_PORT';
  clock?: Clock;
  /** Told of what goes wrong with the listener itself once it listens. */
  onError?: (error: Error) => void;
}

export interface Listener {
  /** The port that was opened. */
  readonly port: number;
  /** Takes no more connections, lets answers under way finish for `graceMs`, then cuts them off. Idempotent. */
  close(graceMs?: number): Promise<void>;
}

/**
 * Serves `fetch` over HTTP. Answers that are streamed may take for ever; `request.signal` is aborted when the client goes
 * away. Rejects with `listen.port_taken`, `listen.port_forbidden` or `listen.address_unavailable`.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { fetch, port, host, clock = systemClock } = options;
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 5000,
    },
    getRequestListener(
      (request, bindings) => {
        const { socket } = (bindings as HttpBindings).incoming;
        return fetch(request, {
          ...(socket.remoteAddress === undefined ? {} : { remoteAddress: socket.remoteAddress }),
          ...(socket.localPort === undefined ? {} : { localPort: socket.localPort }),
        });
      },
      // The library would put its own Request and Response in the place of the global ones, for the whole process.
      { overrideGlobalObjects: false, errorHandler: malformedRequest },
    ),
  );

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenFault(error, options)));
    server.listen({ port, host, exclusive: true }, resolve);
  });
  server.removeAllListeners('error');
  // Such as no more file descriptors for a new connection: those that are there go on, so nothing must end for it.
  server.on('error', (error) => options.onError?.(error));

  let closed: Promise<void> | undefined;
  server.on('request', (_, response) => {
    // A connection that was busy when it closed would otherwise be kept alive for a next request, which never comes.
    response.once('close', () => setImmediate(() => closed !== undefined && server.closeIdleConnections()));
  });
  function close(graceMs = CLOSE_GRACE_MS): Promise<void> {
    closed ??= new Promise<void>((resolve) => {
      const timer = clock.after(graceMs, () => server.closeAllConnections());
      server.close(() => {
        timer.cancel();
        resolve();
      });
      server.closeIdleConnections();
    });
    return closed;
  }

  return { port: (server.address() as AddressInfo).port, close };
}

/** What cannot even be made a Request of: a Host that is none, an address that is none. */
function malformedRequest(error: unknown): Response {
  const problem = toProblem(
    fault('request.invalid', 'The request line or the Host header is not valid.', {}, { cause: error }),
    { correlationId: '', sanitize: true, redact: (text) => text },
  );
  const { correlationId: _, ...body } = problem;
  return problemResponse(body);
}

function listenFault(error: unknown, { port, host, setting }: ListenOptions): Error {
  const data = { port, host, setting };
  const other = `Set ${setting} to another port, or to 0 for a free one.`;
  switch (systemCodeOf(error)) {
    case 'EADDRINUSE':
      return fault(
        'listen.port_taken',
        `Port ${port} is taken by another program. ${other}`,
        { ...data },
        { cause: error },
      );
    case 'EACCES':
      return fault(
        'listen.port_forbidden',
        `Port ${port} may not be opened by this user: the system reserves it. ${other}`,
        { ...data },
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'ENOTFOUND':
      return fault(
        'listen.address_unavailable',
        `${host} is not an address of this machine. Set BIND_ADDRESS to one that is.`,
        { ...data },
        { cause: error },
      );
    default:
      return fault(
        'runtime.failed',
        `Port ${port} on ${host} could not be opened.`,
        { ...data },
        { cause: error },
      );
  }
}
