import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { generateCookie } from 'hono/cookie';
import { parse as parseCookies } from 'hono/utils/cookie';
import { fault } from '../contract/index.ts';
import { bareHost, isLoopback, isWildcard } from '../settings/loopback.ts';
import type { Client } from './client-address.ts';
import type { Connection } from './connection.ts';

/**
 * Who may call.
 * - `trusted`: whoever holds the function: the desktop window through its bridge, and tests
 * - `token`: whoever shows the token; the name and the origin of the request are checked as well
 * - `none`: everybody who reaches the (loopback) port; the name and the origin are still checked, because otherwise
 *   every web page that the user visits could call
 */
export type AuthOptions =
  | { mode: 'trusted' }
  | { mode: 'token'; token: string; bindAddress: string; enableCors?: boolean }
  | { mode: 'none'; bindAddress: string; enableCors?: boolean };

/** `open`: health, for anybody. `data`: the API and metrics. `page`: what a browser opens. */
export type Area = 'open' | 'data' | 'page';

export interface Caller {
  request: Request;
  connection: Connection | undefined;
  client: Client;
  area: Area;
}

export interface Auth {
  /** Throws `auth.foreign_host` for a request under a name that is not ours (DNS rebinding). */
  checkHost(caller: Caller): void;
  /** Throws `auth.foreign_origin` for what a web page of somebody else sends. */
  checkOrigin(caller: Caller): void;
  /**
   * Throws `auth.required` or `auth.wrong_token`. Resolves the token in the address of a page (`/?token=…`) into an
   * answer that sets the cookie and leads to the address without it.
   */
  checkToken(caller: Caller): Response | undefined;
  /** True for the origins of other web pages that may call with a token (`ENABLE_CORS`). */
  allowsOrigin(origin: string): boolean;
}

const COOKIE_SECONDS = 30 * 86_400;

export function createAuth(options: AuthOptions): Auth {
  if (options.mode === 'trusted') {
    return {
      checkHost: () => undefined,
      checkOrigin: () => undefined,
      checkToken: () => undefined,
      allowsOrigin: () => false,
    };
  }
  const { bindAddress, enableCors = false } = options;
  const token = options.mode === 'token' ? createTokenCheck(options.token) : undefined;
  const onLoopback = isLoopback(bindAddress);
  const ownNames = new Set([bareHost(bindAddress), hostname()].map((name) => name.toLowerCase()));

  const isOurName = (host: string, localPort: number | undefined): boolean => {
    const url = URL.parse(`http://${host}`);
    // A host that is more than a name and a port is no host.
    if (url === null || url.pathname !== '/' || url.username !== '' || url.search !== '') return false;
    const name = bareHost(url.hostname).toLowerCase();
    if (onLoopback) {
      // Nothing stands between a loopback port and its clients, so they use its very number.
      const port = url.port === '' ? 80 : Number(url.port);
      return isLoopback(name) && (localPort === undefined || port === localPort);
    }
    // Containers and routers map ports, so the number is not known here. Rebinding needs a name, so addresses are safe.
    return isLoopback(name) || ownNames.has(name) || (isWildcard(bindAddress) && isIP(name) !== 0);
  };

  const allowsOrigin = (origin: string): boolean =>
    enableCors && isLoopback(bareHost(URL.parse(origin)?.hostname ?? ''));

  return {
    checkHost({ request, connection, client }) {
      // A proxy routes by name, so a trusted one has looked. Without a token the name is the only defence: then ours counts.
      if (client.viaProxy && token !== undefined) return;
      const named = [client.host, ...(connection === undefined ? [] : [new URL(request.url).host])];
      const foreign = named.find((host) => !isOurName(host, connection?.localPort));
      if (foreign === undefined) return;
      throw fault(
        'auth.foreign_host',
        `This request is for "${foreign.slice(0, 200)}", which is not a name of this console. Use the address printed at ` +
          'start; behind a proxy, name the proxy in TRUSTED_PROXIES.',
      );
    },

    checkOrigin({ request, client, area }) {
      if (area === 'open') return;
      const reads = request.method === 'GET' || request.method === 'HEAD';
      // A link on another page may open the console; what it shows is behind the token, and nothing is changed by it.
      if (area === 'page' && reads) return;
      const origin = request.headers.get('origin');
      if (origin !== null) {
        if (isSameOrigin(origin, client.host)) return;
        if (area === 'data' && allowsOrigin(origin)) return;
      } else {
        const site = request.headers.get('sec-fetch-site');
        if (site === null || site === 'same-origin' || site === 'none') return;
      }
      throw fault(
        'auth.foreign_origin',
        'This request was sent by a web page that is not the console, so it is refused.',
      );
    },

    checkToken({ request, client, area }) {
      if (token === undefined || area === 'open') return undefined;
      const url = new URL(request.url);
      const given = area === 'page' ? url.searchParams.get('token') : null;
      if (given !== null && request.method === 'GET') {
        if (!token.matches(given)) throw wrongToken();
        return withoutTokenInAddress(url, token.cookie(cookieName(client.host), client.secure));
      }
      const authorization = request.headers.get('authorization');
      if (authorization !== null) {
        const bearer = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
        if (bearer !== undefined && token.matches(bearer)) return undefined;
        throw wrongToken();
      }
      const origin = request.headers.get('origin');
      const ownPage = origin === null || isSameOrigin(origin, client.host);
      const cookie = parseCookies(request.headers.get('cookie') ?? '', cookieName(client.host))[
        cookieName(client.host)
      ];
      // To other pages the cookie is worth nothing, even where they may call: they must have the token themselves.
      if (cookie !== undefined && ownPage) {
        if (token.matchesCookie(cookie)) return undefined;
        throw fault(
          'auth.required',
          'The sign-in of this browser is not valid any more. Open the address printed at start.',
        );
      }
      throw fault(
        'auth.required',
        'A token is needed: send it as a bearer token in the header Authorization. It is in the address printed at start ' +
          'and in the file "token" in the data folder.',
      );
    },

    allowsOrigin,
  };
}

function createTokenCheck(token: string) {
  // Only a hash is compared, so neither the length nor a common beginning shows in the time that it takes.
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(token);
  // Not the token itself: what lies in a browser's cookie store cannot be used as a bearer token elsewhere.
  const cookieValue = createHmac('sha256', token).update('console cookie').digest('base64url');
  const expectedCookie = digest(cookieValue);
  return {
    matches: (given: string) => timingSafeEqual(digest(given), expected),
    matchesCookie: (given: string) => timingSafeEqual(digest(given), expectedCookie),
    cookie: (name: string, secure: boolean) =>
      generateCookie(name, cookieValue, {
        httpOnly: true,
        sameSite: 'Strict',
        path: '/',
        maxAge: COOKIE_SECONDS,
        secure,
      }),
  };
}

/** Browsers share the cookies of a host between its ports: the port keeps two consoles on one machine apart. */
function cookieName(host: string): string {
  return `smalltalk-${URL.parse(`http://${host}`)?.port || '80'}`;
}

/** Compared without the scheme: behind a proxy that ends TLS ours is another than the browser's. */
function isSameOrigin(origin: string, host: string): boolean {
  const from = URL.parse(origin);
  if (from === null || (from.protocol !== 'http:' && from.protocol !== 'https:')) return false;
  return from.host === URL.parse(`${from.protocol}//${host}`)?.host;
}

function withoutTokenInAddress(url: URL, cookie: string): Response {
  const rest = new URLSearchParams(url.searchParams);
  rest.delete('token');
  const query = rest.size === 0 ? '' : `?${rest}`;
  // One slash at the front, never two: `//evil.example` would lead to another host.
  const location = `/${url.pathname.replace(/^[/\\]+/, '')}${query}`;
  return new Response(null, {
    status: 303,
    headers: { location, 'set-cookie': cookie, 'cache-control': 'no-store' },
  });
}

function wrongToken(): Error {
  return fault(
    'auth.wrong_token',
    'The token is not the right one. Perhaps it was cut off when it was copied.',
  );
}
