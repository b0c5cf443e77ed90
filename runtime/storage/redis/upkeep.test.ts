import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { recordsOf, replaceBy, TestClock } from '../contract/fixture.ts';
import type { Operation } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type RedisServer, startRedis } from '../testing/servers/redis-server.ts';
import { RedisStorage } from './redis-storage.ts';

describeWithServers(['redis'], 'the upkeep of Redis', () => {
  let server: RedisServer;
  let client: Redis;
  let namespace = '';
  let made = 0;
  const clock = new TestClock();
  beforeAll(async () => {
    server = await startRedis({ appendfsync: 'never' });
    client = new Redis(server.url);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });
  beforeEach(() => {
    made += 1;
    namespace = `upkeep-${made}`;
    clock.time = TestClock.START;
  });

  const open = async () => {
    const redis = { url: server.url, clusterNodes: [] };
    const storage = new RedisStorage({ redis, namespace, now: clock.now });
    await storage.open();
    return storage;
  };
  const keysOf = async (pattern: string) => (await client.keys(`{${namespace}}:${pattern}`)).sort();
  const put = (id: string, more: object = {}): Operation => ({
    kind: 'put',
    collection: 'sessions',
    id,
    value: id,
    index: { rank: 1 },
    ...more,
  });

  it('removes what has expired, with all that leads to it', async () => {
    const first = await open();
    const expiresAt = clock.time + 10;
    await first.commit(Array.from({ length: 500 }, (_, i) => put(`id-${i}`, { expiresAt })));
    await first.commit([put('stays')]);
    await first.close();
    clock.time = expiresAt;
    const storage = await open();
    const documents = (await keysOf('*:d:sessions'))[0] ?? '';
    // A head and a value.
    await expect.poll(() => client.hlen(documents)).toBe(2);
    expect(await client.zcard(documents.replace(':d:', ':i:'))).toBe(1);
    expect(await client.zcard(documents.replace(':d:', ':x:').concat(':rank'))).toBe(1);
    expect(await client.exists(documents.replace(':d:', ':e:'))).toBe(0);
    expect((await recordsOf(storage)).length).toBe(1);
    await storage.close();
  });

  it('leaves nothing of a generation that was dropped, or that its builder left', async () => {
    const storage = await open();
    const [first] = await storage.generations.list();
    await storage.commit([
      put('a', { expiresAt: clock.time + 10 }),
      ...Array.from(
        { length: 1_200 },
        (_, i): Operation => ({ kind: 'append', log: `messages/${i}`, value: i }),
      ),
    ]);
    await replaceBy(storage, 'next', []);
    await storage.generations.drop(first?.id ?? '');
    expect(await keysOf(`${first?.id}:*`)).toEqual([]);
    const builder = await storage.generations.create('left');
    await builder.write([{ kind: 'document', collection: 'c', id: 'a', version: 1, json: '1', index: {} }]);
    expect(await keysOf(`${builder.id}:*`)).not.toEqual([]);
    await storage.close();
    expect(await keysOf(`${builder.id}:*`)).toEqual([]);
  });

  it('gives up what a process held that is not heard of any more, and trims what waited for it', async () => {
    const lost = await open();
    const append: Operation = { kind: 'append', log: 'events', value: 1 };
    await lost.commit(Array.from({ length: 2_000 }, () => append));
    const iterator = lost.snapshot()[Symbol.asyncIterator]();
    await iterator.next();
    const builder = await lost.generations.create('lost');
    await lost.commit([{ kind: 'trim', log: 'events', through: 1_990 }]);
    const entries = (await keysOf('*:m:events'))[0] ?? '';
    expect(await client.llen(entries)).toBe(2_000);
    expect(await lost.read('events')).toHaveLength(10);
    const leases = `{${namespace}}:leases`;
    for (const name of await client.zrange(leases, 0, -1)) await client.zadd(leases, 1, name);
    const storage = await open();
    expect(await client.llen(entries)).toBe(10);
    expect(await keysOf('s:*')).toEqual([]);
    await expect(iterator.next()).rejects.toMatchObject({ code: 'storage.failed' });
    await expect(builder.seal()).rejects.toMatchObject({ code: 'storage.invalid' });
    await Promise.all([storage.close(), lost.close()]);
  });

  it('forgets writers that were not seen for a month', async () => {
    const first = await open();
    await first.commit([put('a')], { writer: 'old', number: 1 });
    clock.time += 20 * 24 * 3_600_000;
    await first.commit([put('b')], { writer: 'new', number: 1 });
    await first.close();
    clock.time += 15 * 24 * 3_600_000;
    const storage = await open();
    expect(await keysOf('w:*')).toEqual([`{${namespace}}:w:new`]);
    await storage.close();
  });
});
