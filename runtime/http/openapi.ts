import { type AnyContractProcedure, oc } from '@orpc/contract';
import { type OpenAPI, OpenAPIGenerator } from '@orpc/openapi';
import { ZodToJsonSchemaConverter } from '@orpc/zod/zod4';
import {
  ARCHIVE_MEDIA_TYPE,
  backup,
  contract,
  ERROR_CODES,
  EVENT_STREAM_PATH,
  event,
  IMPORT_PATH,
  job,
  session,
} from '../contract/index.ts';
import { PROBLEM_MEDIA_TYPE } from './problem.ts';
import { API_PREFIX, ARCHIVE_PATTERN, ATTACHMENT_PATTERN, OPENAPI_PATH } from './route-table.ts';

/** OpenAPI 3.1 of everything under `/api`: the contract, and the routes that stream and are therefore not in it. */
export async function describeApi(options: { version: string }): Promise<OpenAPI.Document> {
  const generator = new OpenAPIGenerator({ schemaConverters: [new ZodToJsonSchemaConverter()] });
  const document = await generator.generate(oc.prefix(API_PREFIX).router(contract), {
    info: {
      title: 'SmallTalk Console',
      version: options.version,
      description:
        'Sessions with supervised agents, their events, backups and health. Errors are `application/problem+json` (RFC ' +
        '9457) with a stable `code`.',
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { cookie: [] }],
    tags: tagsOf(contract).map((name) => ({ name })),
    commonSchemas: {
      Session: { schema: session, strategy: 'output' },
      Event: { schema: event, strategy: 'output' },
      Backup: { schema: backup, strategy: 'output' },
      Job: { schema: job, strategy: 'output' },
    },
  });

  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: PROBLEM_SCHEMA },
    responses: {
      Problem: {
        description: 'What went wrong',
        content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
    securitySchemes: {
      token: { type: 'http', scheme: 'bearer', description: 'The token of the console' },
      cookie: {
        type: 'apiKey',
        in: 'cookie',
        name: 'smalltalk-<port>',
        description: 'Set when a browser opens the console with its token',
      },
    },
  };
  document.paths = { ...document.paths, ...RAW_PATHS };
  for (const operation of operationsOf(document)) {
    operation.responses = { ...operation.responses, default: { $ref: '#/components/responses/Problem' } };
  }
  return document;
}

/** The tags of the routes, each once. */
function tagsOf(routes: typeof contract): string[] {
  const procedures: AnyContractProcedure[] = Object.values(routes).flatMap((group) => Object.values(group));
  return [...new Set(procedures.flatMap((procedure) => procedure['~orpc'].route.tags ?? []))];
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;

function* operationsOf(document: OpenAPI.Document): Generator<OpenAPI.OperationObject> {
  for (const item of Object.values(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item?.[method];
      if (operation !== undefined) yield operation;
    }
  }
}

const PROBLEM_SCHEMA: OpenAPI.SchemaObject = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'what happened and what to do, in words' },
    code: { type: 'string', enum: Object.keys(ERROR_CODES), description: 'stable' },
    correlationId: { type: 'string', description: 'is also in the log' },
    data: { type: 'object', additionalProperties: true, description: 'particulars for programs' },
  },
};

// OpenAPI 3.1 describes raw bytes by the media type alone, without a schema.
const binaryArchive = { [ARCHIVE_MEDIA_TYPE]: {} };

const idParameter: OpenAPI.ParameterObject = {
  name: 'id',
  in: 'path',
  required: true,
  schema: { type: 'string', minLength: 1, maxLength: 128, pattern: '^[A-Za-z0-9._-]+$' },
};

const RAW_PATHS: OpenAPI.PathsObject = {
  [EVENT_STREAM_PATH]: {
    get: {
      operationId: 'events.stream',
      summary: 'Events as they happen, as server-sent events',
      description:
        'Each `data` is one event as JSON. `id` is its sequence, on durable events only; sent back as `Last-Event-ID`, the ' +
        'stream goes on right after it.',
      tags: ['events'],
      parameters: [
        {
          name: 'topics',
          in: 'query',
          description:
            'patterns separated by commas: `*` for one word, `>` at the end for the rest; default all',
          schema: { type: 'string', maxLength: 2000, default: '>' },
        },
        {
          name: 'Last-Event-ID',
          in: 'header',
          schema: { type: 'string', pattern: '^[0-9]{1,16}$' },
        },
        {
          name: 'lastEventId',
          in: 'query',
          description: 'the same for readers that cannot set a header',
          schema: { type: 'string', pattern: '^[0-9]{1,16}$' },
        },
      ],
      responses: {
        200: {
          description: 'OK',
          content: { 'text/event-stream': { schema: { type: 'string' } } },
        },
      },
    },
  },
  [ARCHIVE_PATTERN]: {
    get: {
      operationId: 'backups.download',
      summary: 'The archive as a file',
      tags: ['backups'],
      parameters: [idParameter],
      responses: { 200: { description: 'OK', content: binaryArchive } },
    },
  },
  [ATTACHMENT_PATTERN]: {
    get: {
      operationId: 'sessions.attachment',
      summary: 'The bytes of an attachment',
      tags: ['sessions'],
      parameters: [idParameter, { ...idParameter, name: 'attachmentId' }],
      responses: {
        200: {
          description: 'OK',
          content: { '*/*': { schema: { type: 'string', contentMediaType: 'application/octet-stream' } } },
        },
      },
    },
  },
  [IMPORT_PATH]: {
    post: {
      operationId: 'backups.import',
      summary: 'Put an archive into the backup folder',
      tags: ['backups'],
      requestBody: { required: true, content: binaryArchive },
      responses: {
        201: {
          description: 'Created',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Backup' } } },
        },
      },
    },
  },
  [OPENAPI_PATH]: {
    get: {
      operationId: 'status.openapi',
      summary: 'This document',
      tags: ['status'],
      responses: {
        200: { description: 'OK', content: { 'application/json': { schema: { type: 'object' } } } },
      },
    },
  },
};
