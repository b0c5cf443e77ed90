import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { recordsOf } from '../contract/fixture.ts';
import type { Operation, StorageFault } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type RedisServer, startRedis } from '../testing/servers/redis-server.ts';
import { RedisStorage } from './redis-storage.ts';

const COUNT = 40;
const id = (i: number) => `id-${String(i).padStart(2, '0')}`;
const payload = (kind: string, i: number) => `${kind}-${i}:${'payload'.repeat(10)}`;
const document = (i: number): Operation => ({
  kind: 'put',
  collection: 'sessions',
  id: id(i),
  value: payload('document', i),
  index: { rank: i, title: `Title ${i}` },
});
const append = (i: number): Operation => ({ kind: 'append', log: 'events', value: payload('entry', i) });
const numbers = Array.from({ length: COUNT }, (_, i) => i + 1);
const byRank = { orderBy: { field: 'rank', direction: 'ascending' }, limit: 1000 } as const;

describeWithServers(['redis'], 'what was damaged in Redis', () => {
  let server: RedisServer;
  let client: Redis;
  let storage: RedisStorage;
  let made = 0;
  const faults: StorageFault[] = [];
  const damaged = () => faults.map(({ record }) => record).sort();
  beforeAll(async () => {
    server = await startRedis({ appendfsync: 'never' });
    client = new Redis(server.url);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  const make = () =>
    new RedisStorage({
      redis: { url: server.url, clusterNodes: [] },
      namespace: `damaged-${made}`,
      onFault: (fault) => faults.push(fault),
    });
  /** A key of the active generation. */
  const key = async (name: string) =>
    `{damaged-${made}}:${await client.hget(`{damaged-${made}}:meta`, 'active')}:${name}`;
  const reopen = async () => {
    await storage.close();
    storage = make();
    await storage.open();
  };

  beforeEach(async () => {
    made += 1;
    faults.length = 0;
    storage = make();
    await storage.open();
    await storage.commit(numbers.flatMap((i) => [document(i), append(i)]));
  });
  afterEach(() => storage.close());

  const readEverything = async () => {
    const got: string[] = [];
    for (const i of numbers) {
      const found = await storage.get<string>('sessions', id(i));
      if (found !== undefined) got.push(found.value);
    }
    return {
      got,
      listed: (await storage.list<string>('sessions', byRank)).items.map(({ value }) => value),
      entries: (await storage.read<string>('events')).map(({ value }) => value),
      records: (await recordsOf(storage)).filter(({ kind }) => kind !== 'log'),
    };
  };
  const flip = (bytes: Buffer, at: number, bit: number) => {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
    return flipped;
  };

  it.each(['snapshot', 'list', 'get'])('finds every flipped bit, whoever reads first: %s', async (first) => {
    const hit = numbers.filter((i) => i % 4 === 1);
    const documents = await key('d:sessions');
    const events = await key('m:events');
    for (const i of hit) {
      // Every other one in its value, the rest in its head: version, checksums, index fields.
      const field = i % 8 === 1 ? `v:${id(i)}` : `h:${id(i)}`;
      const bytes = (await client.hgetBuffer(documents, field)) as Buffer;
      await client.hset(documents, field, flip(bytes, (i * 7) % bytes.length, i % 8));
      const [element] = (await client.lrangeBuffer(events, i - 1, i - 1)) as [Buffer];
      await client.lset(events, i - 1, flip(element, (i * 5) % element.length, i % 8));
    }
    if (first === 'snapshot') await recordsOf(storage);
    if (first === 'list')
      await Promise.all([storage.list('sessions', byRank), storage.read('events', { reverse: true })]);
    const whole = numbers.filter((i) => !hit.includes(i));
    const { got, listed, entries: read, records } = await readEverything();
    expect(got).toEqual(whole.map((i) => payload('document', i)));
    expect(listed).toEqual(got);
    expect(read).toEqual(whole.map((i) => payload('entry', i)));
    expect(records).toHaveLength(2 * whole.length);
    await reopen();
    expect((await readEverything()).got).toEqual(got);
    expect(damaged()).toEqual(hit.flatMap((i) => [`document sessions/${id(i)}`, `entry events#${i}`]).sort());
    expect((await storage.stats()).documents).toEqual({ sessions: whole.length });
    expect(await client.hlen(`{damaged-${made}}:damaged`)).toBe(2 * hit.length);
  });

  it('takes a document that was set aside for none, and a new one in its place', async () => {
    await client.hset(await key('d:sessions'), `v:${id(5)}`, '"forged"');
    expect(await Promise.all([storage.get('sessions', id(5)), storage.get('sessions', id(5))])).toEqual([
      undefined,
      undefined,
    ]);
    await reopen();
    expect(await storage.commit([{ ...document(5), expectVersion: 0 } as Operation])).toEqual([
      { version: 1 },
    ]);
    expect((await storage.get('sessions', id(5)))?.value).toBe(payload('document', 5));
    expect((await storage.list('sessions', byRank)).items).toHaveLength(COUNT);
    expect(damaged()).toEqual([`document sessions/${id(5)}`]);
  });

  it('finds a version that was changed when the document is written to, before it was ever read', async () => {
    const documents = await key('d:sessions');
    const head = (await client.hget(documents, `h:${id(4)}`)) as string;
    await client.hset(documents, `h:${id(4)}`, head.replace(' 1 -\n', ' 41 -\n'));
    await reopen();
    expect(await storage.commit([document(4)])).toEqual([{ version: 1 }]);
    expect(damaged()).toEqual([`document sessions/${id(4)}`]);
    const { items } = await storage.list('sessions', { where: [{ field: 'rank', is: 4 }], limit: 10 });
    expect(items).toHaveLength(1);
  });

  it('finds swapped documents', async () => {
    const documents = await key('d:sessions');
    for (const kind of ['h', 'v']) {
      const [first, second] = [`${kind}:${id(1)}`, `${kind}:${id(2)}`];
      const [one, two] = (await client.hmget(documents, first, second)) as [string, string];
      await client.hset(documents, first, two, second, one);
    }
    expect(await storage.get('sessions', id(1))).toBeUndefined();
    expect(await storage.get('sessions', id(2))).toBeUndefined();
    expect(damaged()).toEqual([`document sessions/${id(1)}`, `document sessions/${id(2)}`]);
  });

  it('finds swapped entries', async () => {
    const events = await key('m:events');
    const [one, two] = (await client.lrange(events, 4, 5)) as [string, string];
    await client.lset(events, 4, two);
    await client.lset(events, 5, one);
    const found = await storage.read('events');
    expect(found.map(({ sequence }) => sequence)).toEqual(numbers.filter((i) => i !== 5));
    expect(damaged()).toEqual(['entry events#5']);
  });

  it.each([3, 2 ** 37 + 5, 'x'])(
    'uses no number twice when the last one of a log became %s',
    async (forged) => {
      const events = await key('m:events');
      const last = (await client.lindex(events, -1)) as string;
      await client.lset(events, -1, last.replace(/^\d+/, String(forged)));
      await reopen();
      expect(await storage.commit([append(1)])).toEqual([{ sequence: COUNT + 1 }]);
      expect((await storage.read('events')).map(({ sequence }) => sequence)).toEqual([
        ...numbers.slice(0, -1),
        COUNT + 1,
      ]);
      expect(damaged()).toEqual([`entry events#${COUNT}`]);
    },
  );

  it('uses no number twice when all of a log was damaged that had been trimmed', async () => {
    await storage.commit([{ kind: 'trim', log: 'events', through: COUNT - 2 }]);
    const events = await key('m:events');
    for (const at of [0, 1]) await client.lset(events, at, 'x');
    await reopen();
    expect(await storage.commit([append(1)])).toEqual([{ sequence: COUNT + 1 }]);
    expect(await storage.read('events')).toHaveLength(1);
    expect(await storage.read('events', { reverse: true, limit: 1 })).toHaveLength(1);
    expect(damaged()).toEqual([`entry events#${COUNT - 1}`, `entry events#${COUNT}`]);
  });

  it('uses no number twice after all was trimmed, also when it is damaged how far', async () => {
    await storage.commit([{ kind: 'trim', log: 'events', through: COUNT }]);
    expect(await storage.read('events')).toEqual([]);
    await client.hset(await key('l'), 'events', 'x');
    await reopen();
    expect(await storage.commit([append(1)])).toEqual([{ sequence: COUNT + 1 }]);
    expect(await storage.read('events')).toHaveLength(1);
    expect(damaged()).toEqual(['log events']);
  });

  it.each(['read', 'snapshot', 'activation', 'trim'])(
    'mends through which number a log was trimmed when that is met by a %s',
    async (way) => {
      await storage.commit([{ kind: 'trim', log: 'events', through: 10 }]);
      const trimmed = await key('l');
      const record = (await client.hget(trimmed, 'events')) as string;
      await client.hset(trimmed, 'events', record.replace(/ \d+$/, ' 19'));
      if (way === 'read') expect(await storage.read('events')).toHaveLength(COUNT - 10);
      if (way === 'snapshot') {
        const records = await recordsOf(storage);
        expect(records).toContainEqual({ kind: 'log', log: 'events', lastSequence: COUNT });
        expect(records.filter(({ kind }) => kind === 'entry')).toHaveLength(COUNT - 10);
      }
      if (way === 'activation') {
        const writer = await storage.generations.create('test');
        await writer.seal();
        await storage.generations.activate(writer.id);
      }
      if (way === 'trim') await storage.commit([{ kind: 'trim', log: 'events', through: 12 }]);
      await reopen();
      expect(await storage.commit([append(1)])).toEqual([{ sequence: COUNT + 1 }]);
      expect(damaged()).toEqual(['log events']);
    },
  );

  it('uses no number twice when the last entry of a log was damaged', async () => {
    const events = await key('m:events');
    await client.lset(events, -1, `${await client.lindex(events, -1)}!`);
    expect(await storage.read('events')).toHaveLength(COUNT - 1);
    await reopen();
    expect(await storage.commit([append(1)])).toEqual([{ sequence: COUNT + 1 }]);
    expect(damaged()).toEqual([`entry events#${COUNT}`]);
  });

  it('says itself again which generation is active when the mark of it is damaged', async () => {
    await client.hset(await key('l'), '*', 'x');
    expect(await storage.read('events')).toHaveLength(COUNT);
    expect((await storage.get('sessions', id(5)))?.version).toBe(1);
  });

  it('lists no document by a member of an index that says what the document does not, and mends the index', async () => {
    const index = await key('x:sessions:rank');
    const [member = ''] = await client.zrange(index, 7, 7);
    await client.zrem(index, member);
    await client.zadd(index, 0, member.replace(/^n./, 'nf'));
    const far = { where: [{ field: 'rank', from: 900 }], limit: 10 };
    expect((await storage.list('sessions', far)).items).toEqual([]);
    await reopen();
    expect((await storage.list('sessions', byRank)).items).toHaveLength(COUNT);
    expect(damaged()).toEqual([`index of sessions/${id(8)}`]);
  });

  it('finds documents that the order of the ids has lost', async () => {
    const ids = await key('i:sessions');
    await client.zrem(ids, id(9));
    await client.zadd(ids, 0, 'id-0\u0039x');
    expect(await recordsOf(storage)).toHaveLength(2 * COUNT);
    await reopen();
    expect((await storage.list('sessions', { limit: 100 })).items).toHaveLength(COUNT);
    expect(damaged()).toEqual([`index of sessions/${id(9)}`]);
  });

  it('does not carry a commit out twice when what was remembered of it is damaged', async () => {
    const name = { writer: 'one', number: 1 };
    await storage.commit([append(1)], name);
    const ring = `{damaged-${made}}:w:one`;
    await client.hset(ring, '1', ((await client.hget(ring, '1')) as string).replace(/41$/, '43'));
    for (let attempt = 1; attempt <= 2; attempt++) {
      await expect(storage.commit([append(1)], name)).rejects.toMatchObject({
        code: 'storage.corrupt_record',
      });
    }
    expect(await storage.read('events')).toHaveLength(COUNT + 1);
    const later = { writer: 'one', number: 1 + 1_024 };
    expect(await storage.commit([append(2)], later)).toEqual([{ sequence: COUNT + 2 }]);
    expect(await storage.commit([append(2)], later)).toEqual([{ sequence: COUNT + 2 }]);
  });

  it.each([
    ['1', 'storage.failed'],
    ['3', 'storage.newer_version'],
  ])('does not open data of another format: %s', async (format, code) => {
    await client.hset(`{damaged-${made}}:meta`, 'format', format);
    await expect(make().open()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`format ${format}`),
    });
  });

  it('does not open data whose active generation cannot be told', async () => {
    const meta = `{damaged-${made}}:meta`;
    await client.hset(meta, 'active', 'x');
    const other = make();
    await expect(other.open()).rejects.toMatchObject({ code: 'storage.corrupt' });
  });
});
