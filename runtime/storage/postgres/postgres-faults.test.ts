import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import type { PostgresSettings } from '../../settings/settings.ts';
import { describeRemoteFaults } from '../contract/remote-faults.contract.ts';
import { type PostgresServer, startPostgres } from '../testing/servers/postgres-server.ts';
import { serverPort } from '../testing/servers/server-port.ts';
import { PostgresStorage } from './postgres-storage.ts';

/** Short, so that a server that hangs is found out soon; long enough for a busy machine. */
const TIMEOUT_MS = 2_000;
const SECRET = 'wrong-secret';

function storageOf(url: string, schema?: string): PostgresStorage {
  const postgres: PostgresSettings = {
    url,
    poolMax: 10,
    poolMin: 0,
    idleTimeoutMs: 30_000,
    connectionTimeoutMs: TIMEOUT_MS,
    maxLifetimeMs: 0,
    statementTimeoutMs: TIMEOUT_MS,
    queryTimeoutMs: TIMEOUT_MS,
  };
  return new PostgresStorage({ postgres, ...(schema === undefined ? {} : { schema }) });
}

async function ask(url: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function another(change: (server: PostgresServer) => Promise<unknown> = async () => undefined) {
  const server = await startPostgres();
  onTestFinished(() => server.stop());
  await change(server);
  return server;
}

/** A server that follows another one, and takes no writes. */
async function standby(server: PostgresServer): Promise<void> {
  await server.kill();
  await writeFile(join(server.folder, 'standby.signal'), '');
  await server.restart();
}

/** Something that listens and is no PostgreSQL. */
async function webServer(): Promise<number> {
  const port = await serverPort();
  const server = createServer((_request, response) => response.end('Hello')).listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return port;
}

describeRemoteFaults<PostgresServer>('postgres', {
  kinds: ['postgres'],
  start: () => startPostgres({ tls: true }),
  connect: async ({ url, port }, through, data) => {
    await ask(url, `CREATE SCHEMA IF NOT EXISTS ${data}`);
    return storageOf(url.replace(`:${port}/`, `:${through}/`), data);
  },
  mistakes: [
    {
      what: 'the password',
      connect: ({ guardedUrl }) => storageOf(guardedUrl.replace(/:[^:@/]+@/, `:${SECRET}@`)),
      code: 'storage.access_denied',
      says: /password.*guarded|guarded.*password/i,
      secret: SECRET,
    },
    {
      what: 'no password where one is needed',
      connect: ({ guardedUrl }) => storageOf(guardedUrl.replace(/:[^:@/]+@/, '@')),
      code: 'storage.access_denied',
      says: /password/i,
    },
    {
      what: 'the user',
      connect: ({ url }) => storageOf(url.replace('smalltalk@', `stranger:${SECRET}@`)),
      code: 'storage.access_denied',
      says: /stranger/,
      secret: SECRET,
    },
    {
      what: 'the database',
      connect: ({ url }) => storageOf(url.replace(/smalltalk$/, 'nowhere')),
      code: 'storage.access_denied',
      says: /database.*nowhere/,
    },
    {
      what: 'the rights of the user',
      connect: ({ powerlessUrl }) => storageOf(powerlessUrl),
      code: 'storage.access_denied',
      says: /powerless.*(right|permission)/,
    },
    {
      what: 'TLS asked of a server that has none',
      connect: async () => storageOf(`${(await another()).url}?sslmode=require`),
      code: 'storage.tls_failed',
      says: /TLS/,
    },
    {
      what: 'a certificate that nobody trusts',
      connect: ({ url }) => storageOf(`${url}?sslmode=verify-full`),
      code: 'storage.tls_failed',
      says: /self-signed certificate/,
    },
    {
      what: 'the port',
      connect: async () =>
        storageOf(`postgres://smalltalk:${SECRET}@127.0.0.1:${await serverPort()}/smalltalk`),
      code: 'storage.unreachable',
      says: /127\.0\.0\.1:\d+.*refused/,
      secret: SECRET,
    },
    {
      what: 'the name of the host',
      connect: () => storageOf('postgres://smalltalk@no-such-host.invalid/smalltalk'),
      code: 'storage.unreachable',
      says: /no-such-host\.invalid/,
    },
    {
      what: 'a server that is no PostgreSQL',
      connect: async () => storageOf(`postgres://smalltalk@127.0.0.1:${await webServer()}/smalltalk`),
      code: 'storage.unreachable',
      says: /PostgreSQL at .*127\.0\.0\.1/,
    },
    {
      what: 'an address that is none',
      connect: () => storageOf('not an address'),
      code: 'storage.failed',
      says: /URL/,
    },
    {
      what: 'an encoding that cannot hold every text',
      connect: async ({ adminUrl }) => {
        await ask(
          adminUrl,
          "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc TEMPLATE template0 OWNER smalltalk",
        );
        return storageOf(adminUrl.replace(/smalltalk$/, 'latin'));
      },
      code: 'storage.unsupported_server',
      says: /LATIN1.*UTF8/s,
    },
    {
      what: 'a standby in the place of the primary',
      connect: async () => storageOf((await another(standby)).url),
      code: 'storage.unsupported_server',
      says: /standby/,
    },
    {
      what: 'a database that takes no writes',
      connect: async () => {
        const server = await another(({ adminUrl }) =>
          ask(adminUrl, 'ALTER DATABASE smalltalk SET default_transaction_read_only = on'),
        );
        return storageOf(server.url);
      },
      code: 'storage.unsupported_server',
      says: /read-only/,
    },
    {
      what: 'foreign tables of the same names',
      connect: async ({ url }) => {
        await ask(url, 'CREATE SCHEMA theirs', 'CREATE TABLE theirs.sessions (theirs int)');
        return storageOf(url, 'theirs');
      },
      code: 'storage.unsupported_server',
      says: /theirs.*sessions|sessions.*theirs/,
    },
  ],
});
