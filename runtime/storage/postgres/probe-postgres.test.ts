/** Tests of a connection to a real PostgreSQL: what is found, what is wrong in words, and that nothing is left there. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadSettings } from '../../settings/load-settings.ts';
import { openStorage } from '../open-storage.ts';
import { probeStorage } from '../probe-storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type PostgresServer, startPostgres } from '../testing/servers/postgres-server.ts';

const REFUSED = '127.0.0.1:1';

const postgresAt = (url: string) =>
  probeStorage({
    ...loadSettings({ env: { STORAGE_TYPE: 'postgres', POSTGRES_URL: url } }).storage,
    dataDir: '',
  });

describeWithServers(['postgres'], 'a PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  it('is asked how it is, and keeps nothing of it', async () => {
    expect(await postgresAt(server.url)).toMatchObject({
      product: expect.stringMatching(/^PostgreSQL \d/),
      notices: [],
      empty: true,
    });
    const client = new Client({ connectionString: server.url });
    await client.connect();
    const { rows } = await client.query(
      "SELECT 1 FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    );
    expect(rows).toEqual([]);
    await client.end();
  });

  it('that refuses, is not there or hangs is told of in words, without the password', async () => {
    const guarded = new URL(server.guardedUrl);
    const found = await postgresAt(guarded.href);
    expect(found.location).not.toContain(guarded.password);
    guarded.password = 'hunter2-hunter2';
    await expect(postgresAt(guarded.href)).rejects.toSatisfy(
      (error: { code: string; message: string }) =>
        error.code === 'storage.access_denied' && !error.message.includes('hunter2'),
    );
    await expect(postgresAt(server.powerlessUrl)).rejects.toMatchObject({ code: 'storage.access_denied' });
    await expect(postgresAt(`${server.url}_of_nobody`)).rejects.toMatchObject({
      code: 'storage.access_denied',
    });
    await expect(postgresAt(`postgres://me@${REFUSED}/x`)).rejects.toMatchObject({
      code: 'storage.unreachable',
    });
    await expect(postgresAt(`${server.url}?sslmode=require`)).rejects.toMatchObject({
      code: 'storage.tls_failed',
    });
    server.pause();
    await expect(postgresAt(server.url)).rejects.toMatchObject({ code: 'storage.unreachable' });
    server.resume();
  }, 60_000);

  it('of another encoding or one that takes no writes is refused', async () => {
    const client = new Client({ connectionString: server.adminUrl });
    await client.connect();
    await client.query(
      "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    await client.query('CREATE DATABASE readonly');
    await client.query('ALTER DATABASE readonly SET default_transaction_read_only = on');
    await client.end();
    const at = (database: string) => {
      const url = new URL(server.adminUrl);
      url.pathname = `/${database}`;
      return postgresAt(url.href);
    };
    await expect(at('latin')).rejects.toMatchObject({
      code: 'storage.unsupported_server',
      message: expect.stringContaining('LATIN1'),
    });
    await expect(at('readonly')).rejects.toMatchObject({ code: 'storage.unsupported_server' });
  }, 60_000);

  it('with data says so', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'probe-'));
    const { storage: settings } = loadSettings({
      env: { STORAGE_TYPE: 'postgres', POSTGRES_URL: server.url },
    });
    const storage = await openStorage({ ...settings, dataDir });
    expect(await postgresAt(server.url)).toMatchObject({ empty: true });
    await storage.commit([{ kind: 'put', collection: 'sessions', id: 'one', value: 1 }]);
    await storage.close();
    expect(await postgresAt(server.url)).toMatchObject({ empty: false });
    await rm(dataDir, { recursive: true });
  }, 60_000);
});
