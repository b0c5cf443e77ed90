/** Tests of a connection that belong to no single adapter: folders, and two servers at once. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings } from '../settings/load-settings.ts';
import { openStorage } from './open-storage.ts';
import { probeStorage } from './probe-storage.ts';
import { describeWithServers } from './testing/servers/describe-with-servers.ts';
import { startPostgres } from './testing/servers/postgres-server.ts';
import { startRedis } from './testing/servers/redis-server.ts';

const REFUSED = '127.0.0.1:1';

const probe = (env: Record<string, string>, dataDir = '') =>
  probeStorage({ ...loadSettings({ env }).storage, dataDir });

describe('a folder', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'probe-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it.each(['sqlite', 'file'])('for %s is tried, and nothing is left in it', async (type) => {
    expect(await probe({ STORAGE_TYPE: type }, dataDir)).toMatchObject({
      type,
      location: expect.stringContaining(dataDir),
      latencyMs: expect.any(Number),
      notices: [],
      empty: true,
    });
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('with data says so', async () => {
    await (await openStorage({ type: 'sqlite', dataDir })).close();
    expect(await probe({ STORAGE_TYPE: 'sqlite' }, dataDir)).toMatchObject({ empty: false });
    expect(await probe({ STORAGE_TYPE: 'file' }, dataDir)).toMatchObject({ empty: true });
  });

  it('that cannot be made is told of', async () => {
    await writeFile(join(dataDir, 'a file'), '');
    await expect(probe({ STORAGE_TYPE: 'file' }, join(dataDir, 'a file'))).rejects.toMatchObject({
      code: 'storage.failed',
      message: expect.stringContaining('a file'),
    });
  });
});

describeWithServers(['redis', 'postgres'], 'both', () => {
  it('are asked, and the one that is wrong is told', async () => {
    await using redis = await startRedis();
    await using postgres = await startPostgres();
    const env = { STORAGE_TYPE: 'hybrid', REDIS_URL: redis.url, POSTGRES_URL: postgres.url };
    expect(await probe(env)).toMatchObject({
      type: 'hybrid',
      product: expect.stringMatching(/^Redis .* and PostgreSQL /),
      empty: true,
    });
    await expect(probe({ ...env, REDIS_URL: `redis://${REFUSED}` })).rejects.toMatchObject({
      code: 'storage.unreachable',
      message: expect.stringContaining('Redis'),
    });
  }, 60_000);
});
