import { describe, expect, it } from 'vitest';
import { createApplication, request } from './application.fixture.ts';
import { apiRoutes } from './route-table.ts';

type Json = { [key: string]: unknown };
interface Document {
  openapi: string;
  info: Json;
  paths: Record<
    string,
    Record<
      string,
      { operationId?: string; tags?: string[]; parameters?: Json[]; responses: Json; requestBody?: Json }
    >
  >;
  tags: { name: string }[];
  components: { schemas: Json; responses: Json; securitySchemes: Json };
  security: Json[];
}

async function read(): Promise<Document> {
  const app = await createApplication();
  const response = await app.fetch(request('GET', '/api/openapi.json'));
  const document = (await response.json()) as Document;
  await app.stop();
  return document;
}

/** Every `$ref` anywhere in the document. */
function* references(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (key === '$ref' && typeof child === 'string') yield child;
    else yield* references(child);
  }
}

function resolve(document: unknown, reference: string): unknown {
  return reference
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>(
      (value, part) => (value as Json | undefined)?.[part.replace(/~1/g, '/').replace(/~0/g, '~')],
      document,
    );
}

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1 and has every route of the API and no other', async () => {
    const document = await read();
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toMatchObject({ title: 'SmallTalk Console', version: '1.2.3' });
    const described = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(
      apiRoutes()
        .map(({ method, pattern }) => `${method} ${pattern}`)
        .sort(),
    );
  });

  it('resolves every reference, and declares every parameter of a path', async () => {
    const document = await read();
    const all = [...references(document)];
    expect(all.length).toBeGreaterThan(20);
    for (const reference of all)
      expect([reference, resolve(document, reference)]).not.toEqual([reference, undefined]);
    for (const [path, item] of Object.entries(document.paths)) {
      for (const operation of Object.values(item)) {
        const declared = (operation.parameters ?? [])
          .filter((each) => each.in === 'path')
          .map((each) => each.name);
        expect([path, declared]).toEqual([path, [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)]);
      }
    }
  });

  it('has an answer, a problem and a name of its own for every operation, and says how to sign in', async () => {
    const document = await read();
    const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
    const names = operations.map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const { responses } of operations) {
      expect(responses).toHaveProperty('default', { $ref: '#/components/responses/Problem' });
      expect(Object.keys(responses).some((status) => /^2\d\d$/.test(status))).toBe(true);
    }
    expect(document.components.securitySchemes).toMatchObject({ token: { type: 'http', scheme: 'bearer' } });
    expect(document.security).toContainEqual({ token: [] });
    const used = new Set(operations.flatMap(({ tags = [] }) => tags));
    expect(document.tags.map(({ name }) => name).sort()).toEqual([...used].sort());
    const problem = document.components.schemas.Problem as { properties: { code: { enum: string[] } } };
    expect(problem.properties.code.enum).toContain('session.not_found');
  });

  it('describes bodies as strict as they are', async () => {
    const { paths } = await read();
    const body = JSON.stringify(paths['/api/sessions']?.post?.requestBody);
    expect(body).toContain('"additionalProperties":false');
    expect(body).toContain('"message"');
  });
});
