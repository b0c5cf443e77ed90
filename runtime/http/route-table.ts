import type { AnyContractProcedure } from '@orpc/contract';
import * as z from 'zod';
import { archivePath, attachmentPath, contract, EVENT_STREAM_PATH, IMPORT_PATH } from '../contract/index.ts';

export const API_PREFIX = '/api';
export const OPENAPI_PATH = `${API_PREFIX}/openapi.json`;
/** The pattern of {@link archivePath}, written like those of the contract. */
export const ARCHIVE_PATTERN = archivePath('{id}').replace('%7Bid%7D', '{id}');

export const ATTACHMENT_PATTERN = attachmentPath('{id}', '{attachmentId}')
  .replaceAll('%7B', '{')
  .replaceAll('%7D', '}');

export interface Route {
  method: string;
  /** Such as `/api/sessions/{id}`; what metrics and log lines call it. */
  pattern: string;
  /** The fields that its JSON body may have; undefined for a route that is not in the contract. */
  bodyFields?: ReadonlySet<string>;
}

export interface RouteMatch {
  route?: Route;
  /** The methods that the path takes; empty when there is no such path. */
  allowed: string[];
}

/** The routes under `/api` that stream or describe, and are therefore not in the contract. */
const RAW_ROUTES: Route[] = [
  { method: 'GET', pattern: EVENT_STREAM_PATH },
  { method: 'GET', pattern: ARCHIVE_PATTERN },
  { method: 'GET', pattern: ATTACHMENT_PATTERN },
  { method: 'POST', pattern: IMPORT_PATH },
  { method: 'GET', pattern: OPENAPI_PATH },
];

/** Every route under `/api`, those of the contract first. */
export function apiRoutes(): Route[] {
  return [
    ...Object.values(contract).flatMap((group) => Object.values(group).map(contractRoute)),
    ...RAW_ROUTES,
  ];
}

/** Makes a function that finds the route of a request under `/api`. A trailing slash makes no difference. */
export function createRouteTable(routes: Route[]): (method: string, pathname: string) => RouteMatch {
  const compiled = routes
    .map((route) => ({ route, matches: matcher(route.pattern), parameters: route.pattern.split('{').length }))
    // `/backups/import` before `/backups/{id}`
    .sort((a, b) => a.parameters - b.parameters);
  return (method, pathname) => {
    const path = pathname.length > 1 ? pathname.replace(/\/$/, '') : pathname;
    const found = compiled.filter(({ matches }) => matches.test(path)).map(({ route }) => route);
    const wanted = method === 'HEAD' ? 'GET' : method;
    const route = found.find((candidate) => candidate.method === wanted);
    const allowed = [
      ...new Set(found.flatMap((each) => (each.method === 'GET' ? ['GET', 'HEAD'] : each.method))),
    ];
    return { ...(route === undefined ? {} : { route }), allowed };
  };
}

function contractRoute(procedure: AnyContractProcedure): Route {
  const { route, inputSchema } = procedure['~orpc'];
  const pattern = `${API_PREFIX}${route.path ?? ''}`;
  const inPath = [...pattern.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
  const fields = inputSchema instanceof z.ZodObject ? Object.keys(inputSchema.shape) : [];
  return {
    method: route.method ?? 'POST',
    pattern,
    bodyFields: new Set(fields.filter((field) => !inPath.includes(field))),
  };
}

function matcher(pattern: string): RegExp {
  const source = pattern
    .split(/\{[^}]+\}/)
    .map((literal) => literal.replace(/[.*+?^$()|[\]\\]/g, '\\$&'))
    .join('[^/]+');
  return new RegExp(`^${source}$`);
}
