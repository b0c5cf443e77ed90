/** Tests of a connection to a real Redis: what is found, what is wrong in words, and that nothing is left there. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadSettings } from '../../settings/load-settings.ts';
import { openStorage } from '../open-storage.ts';
import { probeStorage } from '../probe-storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { startRedisCluster } from '../testing/servers/redis-cluster.ts';
import { type RedisServer, startRedis } from '../testing/servers/redis-server.ts';

const REFUSED = '127.0.0.1:1';

const probe = (env: Record<string, string>) =>
  probeStorage({ ...loadSettings({ env }).storage, dataDir: '' });
const redisAt = (url: string) => probe({ STORAGE_TYPE: 'redis', REDIS_URL: url });

describeWithServers(['redis'], 'a Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ password: 'right' });
  });
  afterAll(() => server.stop());
  const withPassword = (password: string) => {
    const url = new URL(server.url);
    url.password = password;
    return url.href;
  };

  it('is asked how it is, and keeps nothing of it', async () => {
    const found = await redisAt(server.url);
    expect(found).toMatchObject({ product: expect.stringMatching(/^Redis \d/), notices: [], empty: true });
    expect(JSON.stringify(found)).not.toContain('right');
    const client = new Redis(server.url);
    expect(await client.dbsize()).toBe(0);
    await client.quit();
  });

  it('with data says so', async () => {
    await using used = await startRedis();
    const dataDir = await mkdtemp(join(tmpdir(), 'probe-'));
    const { storage: settings } = loadSettings({ env: { STORAGE_TYPE: 'redis', REDIS_URL: used.url } });
    await (await openStorage({ ...settings, dataDir })).close();
    expect(await redisAt(used.url)).toMatchObject({ empty: false });
    await rm(dataDir, { recursive: true });
  });

  it('that may lose what it has acknowledged is said to', async () => {
    await using forgetful = await startRedis({ appendfsync: 'never' });
    await using lazy = await startRedis({ appendfsync: 'everysec' });
    expect((await redisAt(forgetful.url)).notices).toMatchObject([
      { code: 'redis.not_durable', message: expect.stringContaining('appendonly is off') },
    ]);
    expect((await redisAt(lazy.url)).notices).toMatchObject([
      { code: 'redis.not_durable', message: expect.stringContaining('everysec') },
    ]);
  });

  it('that removes data when its memory is full is said to', async () => {
    await using full = await startRedis();
    const client = new Redis(full.url);
    const noticesWith = async (limit: string, policy: string) => {
      await client.config('SET', 'maxmemory', limit, 'maxmemory-policy', policy);
      return (await redisAt(full.url)).notices;
    };
    for (const policy of ['allkeys-lru', 'allkeys-lfu', 'allkeys-random']) {
      expect(await noticesWith('512mb', policy)).toMatchObject([
        { code: 'redis.evicts', message: expect.stringMatching(`512 MB .*${policy}.* noeviction`) },
      ]);
    }
    expect(await noticesWith('512mb', 'noeviction')).toEqual([]);
    expect(await noticesWith('512mb', 'volatile-lru')).toEqual([]);
    expect(await noticesWith('0', 'allkeys-lru')).toEqual([]);
    await client.quit();
  });

  it('keeps no key that may be removed because it expires', async () => {
    await using used = await startRedis();
    const client = new Redis(used.url);
    const dataDir = await mkdtemp(join(tmpdir(), 'probe-'));
    const { storage: settings } = loadSettings({ env: { STORAGE_TYPE: 'redis', REDIS_URL: used.url } });
    const storage = await openStorage({ ...settings, dataDir });
    const put = { kind: 'put', collection: 'sessions', value: 1, expiresAt: Date.now() + 60_000 } as const;
    for (const id of ['a', 'b', 'c']) await storage.commit([{ ...put, id }]);
    const reading = storage.snapshot();
    await reading[Symbol.asyncIterator]().next();
    const keys = await client.keys('*');
    expect(keys.length).toBeGreaterThan(5);
    for (const key of keys) expect([key, await client.ttl(key)]).toEqual([key, -1]);
    await storage.close();
    await client.quit();
    await rm(dataDir, { recursive: true });
  });

  it('that refuses, is not there, hangs or speaks otherwise is told of in words, without the password', async () => {
    await expect(redisAt(withPassword('hunter2-hunter2'))).rejects.toSatisfy(
      (error: { code: string; message: string }) =>
        error.code === 'storage.access_denied' && !error.message.includes('hunter2'),
    );
    await expect(redisAt(withPassword(''))).rejects.toMatchObject({ code: 'storage.access_denied' });
    await expect(redisAt(`redis://${REFUSED}`)).rejects.toMatchObject({ code: 'storage.unreachable' });
    await expect(redisAt('redis://no-such-host.invalid')).rejects.toMatchObject({
      code: 'storage.unreachable',
    });
    await expect(redisAt(server.url.replace('redis:', 'rediss:'))).rejects.toMatchObject({
      code: expect.stringMatching(/^storage\.(tls_failed|unreachable)$/),
    });
    server.pause();
    await expect(redisAt(server.url)).rejects.toMatchObject({ code: 'storage.unreachable' });
    server.resume();
  }, 30_000);

  it('with a certificate that nobody trusts is told of', async () => {
    await using secure = await startRedis({ tls: true });
    await expect(redisAt(secure.url)).rejects.toMatchObject({ code: 'storage.tls_failed' });
  });

  it('is told from a cluster', async () => {
    await using cluster = await startRedisCluster();
    const nodes = cluster.nodes.join(',');
    expect(await probe({ STORAGE_TYPE: 'redis', REDIS_CLUSTER_NODES: nodes })).toMatchObject({
      product: expect.stringContaining('cluster'),
    });
    await expect(redisAt(`redis://${cluster.nodes[0]}`)).rejects.toMatchObject({
      code: 'storage.unsupported_server',
    });
    await expect(
      probe({
        STORAGE_TYPE: 'redis',
        REDIS_URL: server.url,
        REDIS_CLUSTER_NODES: `127.0.0.1:${server.port}`,
      }),
    ).rejects.toMatchObject({ code: 'storage.unsupported_server' });
  }, 60_000);
});
