import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { storageUnderTest } from '../contract/fixture.ts';
import { makeSchema, settingsFor } from '../postgres/testing/schema.ts';
import { describeStorageContract } from '../storage.contract.ts';
import type { Operation, Storage } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type PostgresServer, startPostgres } from '../testing/servers/postgres-server.ts';
import { type RedisServer, startRedis } from '../testing/servers/redis-server.ts';
import { type HotConnection, HybridStorage } from './hybrid-storage.ts';
import { createHybridStorage } from './open-hybrid.ts';
import { SlowStorage } from './testing/hot-fixture.ts';

describeWithServers(['redis', 'postgres'], 'hybrid', () => {
  let redis: RedisServer;
  let postgres: PostgresServer;
  let made = 0;
  beforeAll(async () => {
    [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  });
  afterAll(() => Promise.all([redis.stop(), postgres.stop()]));

  describeStorageContract('hybrid', async (options) => {
    const { schema, drop } = await makeSchema(postgres.url);
    made += 1;
    const make = () =>
      createHybridStorage({
        ...options,
        redis: { url: redis.url, clusterNodes: [] },
        postgres: settingsFor(postgres.url),
        hotHours: 1,
        namespace: `contract-${made}`,
        schema,
      });
    return storageUnderTest(make, async () => {
      await drop();
      const client = new Redis(redis.url);
      await client.flushall();
      client.disconnect();
    });
  });

  const put = (value: unknown): Operation => ({ kind: 'put', collection: 'sessions', id: 'a', value });
  const append = (value: unknown): Operation => ({ kind: 'append', log: 'messages/a', value });
  const notices = async (storage: Storage) => (await storage.info()).notices.map(({ code }) => code);
  const untilTrusted = (storage: Storage) =>
    expect.poll(() => notices(storage), { timeout: 10_000 }).not.toContain('hybrid.redis_away');

  const connect = (server: RedisServer, schema: string): Storage =>
    createHybridStorage({
      redis: { url: server.url, clusterNodes: [] },
      postgres: settingsFor(postgres.url),
      hotHours: 1,
      namespace: schema,
      schema,
    });

  async function start(server: RedisServer): Promise<Storage> {
    const { schema, drop } = await makeSchema(postgres.url);
    const storage = connect(server, schema);
    onTestFinished(async () => {
      await storage.close();
      await drop();
    });
    await storage.open();
    return storage;
  }

  async function ownRedis(): Promise<RedisServer> {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    return server;
  }

  it.each<['killed' | 'hung']>([['killed'], ['hung']])(
    'goes on with PostgreSQL alone while Redis is %s, and believes no copy from before when it is back',
    async (how) => {
      const server = await ownRedis();
      const storage = await start(server);
      await untilTrusted(storage);
      await storage.commit([put('before'), append('before')]);
      expect((await storage.get('sessions', 'a'))?.value).toBe('before');
      if (how === 'killed') await server.kill();
      else server.pause();
      const [result] = await storage.commit([put('meanwhile'), append('meanwhile')]);
      expect(result).toEqual({ version: 2 });
      expect((await storage.get('sessions', 'a'))?.value).toBe('meanwhile');
      expect((await storage.read('messages/a')).map(({ value }) => value)).toEqual(['before', 'meanwhile']);
      expect(await notices(storage)).toContain('hybrid.redis_away');
      if (how === 'killed') await server.restart();
      else server.resume();
      await untilTrusted(storage);
      expect((await storage.get('sessions', 'a'))?.value).toBe('meanwhile');
      expect((await storage.read('messages/a')).map(({ value }) => value)).toEqual(['before', 'meanwhile']);
    },
  );

  it.each<[string, boolean]>([
    ['has forgotten the scripts', true],
    ['has never been sent them', false],
  ])('reads what it was acknowledged on a Redis that %s', async (_, isToForget) => {
    const server = await ownRedis();
    const client = new Redis(server.url);
    onTestFinished(() => client.disconnect());
    const storage = await start(server);
    await untilTrusted(storage);
    await storage.commit([put(1), append(1)]);
    if (!isToForget) {
      await storage.close();
      await server.restart();
      await client.flushall();
      await storage.open();
    }
    await untilTrusted(storage);
    // The copies are there before the next commit claims them.
    await expect
      .poll(async () => {
        await Promise.all([storage.get('sessions', 'a'), storage.read('messages/a')]);
        return client.keys('*:hot:[cm]:*');
      })
      .toHaveLength(2);
    for (let i = 2; i <= 4; i++) {
      if (isToForget) await client.script('FLUSH');
      await storage.commit([put(i), append(i)]);
      const [document, entries] = await Promise.all([
        storage.get('sessions', 'a'),
        storage.read('messages/a'),
      ]);
      expect(document?.value).toBe(i);
      expect(entries).toHaveLength(i);
    }
  });

  it.each<[string, 'min-replicas-to-write' | 'maxmemory']>([
    ['takes no writes', 'min-replicas-to-write'],
    ['has no room', 'maxmemory'],
  ])(
    'shows nothing from before a commit to those who can still read a Redis that %s',
    {
      timeout: 30_000,
    },
    async (_, setting) => {
      const server = await ownRedis();
      const client = new Redis(server.url);
      onTestFinished(() => client.disconnect());
      const { schema, drop } = await makeSchema(postgres.url);
      const [writer, reader] = [connect(server, schema), connect(server, schema)];
      onTestFinished(async () => {
        await Promise.all([writer.close(), reader.close()]);
        await drop();
      });
      for (const storage of [writer, reader]) {
        await storage.open();
        await untilTrusted(storage);
        await storage.commit([put(1)]);
      }
      await reader.close();
      await reader.open();
      await untilTrusted(reader);
      await expect
        .poll(async () => {
          await reader.get('sessions', 'a');
          // Those of an earlier epoch, which nobody believes, may still lie there.
          const [epoch = ''] = await client.keys('*:hot:epoch');
          return client.keys(`*:hot:c:${await client.get(epoch)}:*`);
        })
        .toHaveLength(1);
      await client.config('SET', setting, '1');
      // The server refuses the claim, or at the latest what is put behind the copy before it is read.
      const other: Operation = { kind: 'put', collection: 'sessions', id: 'b', value: 1 };
      await writer.commit([other]);
      expect((await writer.get('sessions', 'b'))?.value).toBe(1);
      await writer.commit([put(2)]);
      expect((await reader.get('sessions', 'a'))?.value).toBe(2);
    },
  );

  it('takes up a Redis that has forgotten the scripts at once, also after it took no writes', async () => {
    const server = await ownRedis();
    const client = new Redis(server.url);
    onTestFinished(() => client.disconnect());
    const storage = await start(server);
    await untilTrusted(storage);
    await storage.commit([put(1)]);
    await client.config('SET', 'min-replicas-to-write', '1');
    // It is refused, and another try is planned for later; but a connection that comes back is one as well.
    await storage.get('sessions', 'never seen');
    expect(await notices(storage)).toContain('hybrid.redis_away');
    await client.config('SET', 'min-replicas-to-write', '0');
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await untilTrusted(storage);
    await storage.get('sessions', 'never seen');
    await client.script('FLUSH');
    await storage.get('sessions', 'never seen');
    // Three seconds before the one that was planned.
    await expect.poll(() => notices(storage), { timeout: 2_000 }).not.toContain('hybrid.redis_away');
  });

  it('starts without Redis, and takes it up when it comes', async () => {
    const server = await ownRedis();
    await server.kill();
    const storage = await start(server);
    expect(await notices(storage)).toContain('hybrid.redis_away');
    await storage.commit([put(1)]);
    await server.restart();
    await untilTrusted(storage);
    expect((await storage.get('sessions', 'a'))?.value).toBe(1);
  });

  it('does not start with a Redis that refuses the password', async () => {
    const server = await startRedis({ password: 'right' });
    onTestFinished(() => server.stop());
    const url = new URL(server.url);
    url.password = 'wrong';
    await expect(start({ ...server, url: url.href })).rejects.toMatchObject({
      code: 'storage.access_denied',
    });
  });

  it('still serves what is hot while PostgreSQL is away', async () => {
    const own = await startPostgres();
    onTestFinished(() => own.stop());
    const { schema } = await makeSchema(own.url);
    const storage = createHybridStorage({
      redis: { url: redis.url, clusterNodes: [] },
      postgres: settingsFor(own.url),
      hotHours: 1,
      namespace: `away-${schema}`,
      schema,
    });
    onTestFinished(() => storage.close());
    await storage.open();
    await untilTrusted(storage);
    await storage.commit([put('kept'), append('kept')]);
    await expect.poll(async () => (await storage.get('sessions', 'a'))?.value).toBe('kept');
    await storage.read('messages/a');
    await own.kill();
    expect((await storage.get('sessions', 'a'))?.value).toBe('kept');
    expect(await storage.read('messages/a')).toHaveLength(1);
    await expect(storage.get('sessions', 'never seen')).rejects.toMatchObject({
      code: 'storage.unreachable',
    });
  });
});

it('counts no outage of a hybrid storage that could not be opened', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const refusal = new Error('It refuses the user.');
  const hot: HotConnection = {
    cluster: false,
    location: 'test',
    open: () => Promise.reject(refusal),
    close: async () => undefined,
    product: async () => undefined,
    run: () => Promise.reject(refusal),
    call: () => Promise.reject(refusal),
  };
  const storage = new HybridStorage({ cold: new SlowStorage(), hot, hotHours: 1, namespace: 'refused' });
  await expect(storage.open()).rejects.toBe(refusal);
  // Or its first writers after the next attempt would not wait for Redis.
  expect(vi.getTimerCount()).toBe(0);
});
