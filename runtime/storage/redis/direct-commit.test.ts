import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Operation, StorageFault } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type RedisServer, startRedis } from '../testing/servers/redis-server.ts';
import { startTcpProxy } from '../testing/servers/tcp-proxy.ts';
import { DirectCommit } from './direct-commit.ts';
import { KnownRecords } from './known-records.ts';
import { RedisStorage } from './redis-storage.ts';

const operations = (number: number): Operation[] => [
  {
    kind: 'put',
    collection: 'sessions',
    id: 's',
    value: { number },
    index: { title: 'Title', updatedAt: number },
  },
  { kind: 'append', log: 'messages/s', value: { number } },
];
const appended = (number: number) => [{ version: number }, { sequence: number }];

describeWithServers(['redis'], 'Redis', () => {
  describe('commits that are worked out by what is known', () => {
    let server: RedisServer;
    let client: Redis;
    const open: RedisStorage[] = [];
    const faults: StorageFault[] = [];

    const storage = async (now = Date.now, reached: { url?: string; commandTimeoutMs?: number } = {}) => {
      const { url = server.url, ...options } = reached;
      const made = new RedisStorage({
        ...options,
        now,
        redis: { url, clusterNodes: [] },
        namespace: 'n',
        onFault: (fault) => faults.push(fault),
      });
      open.push(made);
      await made.open();
      return made;
    };
    /** Scripts that Redis has been asked for since the last call, and what they called. */
    const calls = async (command: string): Promise<number> => {
      const stats = await client.info('commandstats');
      return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    };
    const state = async (one: RedisStorage) => ({
      document: await one.get('sessions', 's'),
      listed: (
        await one.list('sessions', { orderBy: { field: 'updatedAt', direction: 'ascending' }, limit: 9 })
      ).items,
      entries: (await one.read<{ number: number }>('messages/s')).map(({ sequence, value }) => [
        sequence,
        value.number,
      ]),
    });

    beforeEach(async () => {
      server = await startRedis();
      client = new Redis(server.url);
    });
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
      faults.length = 0;
      client.disconnect();
      await server.stop();
    });

    it('write what the long way would have written, by fewer calls', async () => {
      const one = await storage();
      await one.commit(operations(1));
      await client.config('RESETSTAT');
      for (let number = 2; number <= 9; number++)
        expect(await one.commit(operations(number))).toEqual(appended(number));
      // The long way looks for the length of the value that it replaces.
      expect([await calls('hstrlen'), (await calls('evalsha')) + (await calls('eval')) >= 8]).toEqual([
        0,
        true,
      ]);
      expect(await state(one)).toEqual(await state(await storage()));
      const { document, listed, entries } = await state(one);
      expect(document).toMatchObject({ version: 9, value: { number: 9 } });
      expect(listed).toHaveLength(1);
      expect(entries).toEqual(Array.from({ length: 9 }, (_, i) => [i + 1, i + 1]));
      expect(faults).toEqual([]);
    });

    it('write text of any language, one by one as many at once', async () => {
      const one = await storage();
      const names = Array.from({ length: 40 }, (_, i) => `Zoë ${i} 😀`);
      const commit = (name: string, number: number) =>
        one.commit([
          {
            kind: 'put',
            collection: 'sessions',
            id: name,
            value: { [`größe ${name}`]: number },
            index: { state: 'ruhig', title: `日本 ${name} ${number}\0\x01`, updatedAt: -number },
          },
          { kind: 'append', log: `messages/${name}`, value: `${number} €` },
        ]);
      for (const number of [1, 2]) for (const name of names) await commit(name, number);
      await client.config('RESETSTAT');
      for (const name of names) await commit(name, 3);
      await Promise.all(names.map((name) => commit(name, 4)));
      // The long way looks for the length of the value that it replaces.
      expect(await calls('hstrlen')).toBe(0);
      for (const [i, name] of names.entries()) {
        expect(await one.get('sessions', name)).toMatchObject({
          version: 4,
          value: { [`größe ${name}`]: 4 },
        });
        const entries = await one.read(`messages/${name}`);
        expect(entries.map(({ value }) => value)).toEqual(['1 €', '2 €', '3 €', '4 €']);
        const title = `日本 ${name} 4\0\x01`;
        const listed = await one.list('sessions', { where: [{ field: 'title', is: title }], limit: 9 });
        expect(listed.items.map(({ id }) => id)).toEqual([names[i]]);
      }
      const byTime = { orderBy: { field: 'updatedAt', direction: 'descending' }, limit: 99 } as const;
      expect((await one.list('sessions', byTime)).items).toHaveLength(names.length);
      // Nothing was left behind in an index: what leads astray would have been taken out, and told.
      const [titles = ''] = await client.keys('{n}:*:x:sessions:title');
      expect(await client.zcard(titles)).toBe(names.length);
      expect(faults).toEqual([]);
    });

    it('are not carried out twice when the count of the bytes is damaged', async () => {
      const one = await storage();
      for (const number of [1, 2]) await one.commit(operations(number));
      const [bytes = ''] = await client.keys('{n}:*:z');
      await client.set(bytes, 'damaged');
      expect(await Promise.all([one.commit(operations(3)), one.commit(operations(4))])).toEqual([
        appended(3),
        appended(4),
      ]);
      expect((await state(one)).entries).toEqual([1, 2, 3, 4].map((number) => [number, number]));
    });

    it('write the same by scripts of their own as by the one for all', async () => {
      const [one, two] = [await storage(), await storage()];
      const puts = (value: number, fields: number): Operation[] =>
        ['a', 'b'].map((id) => ({
          kind: 'put',
          collection: `of_${'x'.repeat(fields)}`,
          id,
          value,
          index: Object.fromEntries(Array.from({ length: fields }, (_, i) => [`f${i}`, value + i])),
        }));
      // Up to twelve commands, of which those of more than eight go to the script that takes any.
      const counts = [1, 2, 3, 4, 5, 6];
      for (const value of [1, 2]) for (const count of counts) await one.commit(puts(value, count));
      await client.config('RESETSTAT');
      for (const count of counts) await one.commit(puts(3, count));
      expect(await calls('hstrlen')).toBe(0);
      for (const count of counts) {
        const collection = `of_${'x'.repeat(count)}`;
        for (const reader of [one, two]) {
          for (let i = 0; i < count; i++) {
            const found = await reader.list(collection, { where: [{ field: `f${i}`, is: 3 + i }], limit: 9 });
            expect(found.items.map(({ id, version, value }) => [id, version, value])).toEqual([
              ['a', 3, 3],
              ['b', 3, 3],
            ]);
            const [index = ''] = await client.keys(`{n}:*:x:${collection}:f${i}`);
            expect(await client.zcard(index)).toBe(2);
          }
        }
      }
      expect(faults).toEqual([]);
    });

    it('are worked out anew when another process was there meanwhile', async () => {
      const [one, two] = [await storage(), await storage()];
      for (let number = 1; number <= 30; number++) {
        const writer = number % 3 === 0 ? two : one;
        expect(await writer.commit(operations(number))).toEqual(appended(number));
      }
      expect((await state(one)).entries).toEqual(Array.from({ length: 30 }, (_, i) => [i + 1, i + 1]));
    });

    it('keep their order when a group is not as it was believed to be while the next is on its way', async () => {
      const [one, two] = [await storage(), await storage()];
      const logs = Array.from({ length: 40 }, (_, i) => `messages/${i}`);
      for (const log of logs) await one.commit([{ kind: 'append', log, value: 0 }]);
      await one.commit([{ kind: 'append', log: 'events', value: 'first' }]);
      // In the first half of what comes, which makes a group of its own.
      await two.commit([{ kind: 'append', log: 'messages/3', value: 'between' }]);
      await Promise.all(
        logs.map((log, i) =>
          one.commit([
            { kind: 'append', log, value: 1 },
            { kind: 'append', log: 'events', value: i },
          ]),
        ),
      );
      const events = await one.read('events');
      expect(events.map(({ value }) => value)).toEqual(['first', ...logs.map((_, i) => i)]);
      expect((await one.read('messages/3')).map(({ value }) => value)).toEqual([0, 'between', 1]);
    });

    it('are answered as before when they are sent again', async () => {
      const one = await storage();
      await one.commit(operations(1), { writer: 'w', number: 1 });
      const answer = await one.commit(operations(2), { writer: 'w', number: 2 });
      expect(await one.commit(operations(2), { writer: 'w', number: 2 })).toEqual(answer);
      expect(await (await storage()).commit(operations(2), { writer: 'w', number: 2 })).toEqual(answer);
      expect((await state(one)).document?.version).toBe(2);
    });

    it('put a sound record in the place of a damaged one', async () => {
      const one = await storage();
      for (let number = 1; number <= 3; number++) await one.commit(operations(number));
      const [documents = ''] = await client.keys('{n}:*:d:sessions');
      await client.hset(
        documents,
        'h:s',
        ((await client.hget(documents, 'h:s')) ?? '').replace(' 3 ', ' 7 '),
      );
      await client.hset(documents, 'v:s', '"forged"');
      expect(await one.commit(operations(4))).toEqual(appended(4));
      expect(await state(one)).toMatchObject({ document: { version: 4, value: { number: 4 } } });
      expect(await state(await storage())).toEqual(await state(one));
      expect(faults).toEqual([]);
    });

    it('forget what a commit has set aside that was refused for it', async () => {
      const one = await storage();
      for (let number = 1; number <= 3; number++) await one.commit(operations(number));
      const [documents = ''] = await client.keys('{n}:*:d:sessions');
      await client.hset(documents, 'h:s', 'damaged');
      const put = { kind: 'put', collection: 'sessions', id: 's', value: 'new' } as const;
      await expect(one.commit([{ ...put, expectVersion: 2 }])).rejects.toMatchObject({
        code: 'storage.version_conflict',
        data: { current: 0 },
      });
      expect(faults.map(({ record }) => record)).toEqual(['document sessions/s']);
      expect(await one.commit(operations(4))).toEqual([{ version: 1 }, { sequence: 4 }]);
      const titled = { where: [{ field: 'title', is: 'Title' }], limit: 9 };
      expect((await one.list('sessions', { limit: 9 })).items).toHaveLength(1);
      expect((await one.list('sessions', titled)).items).toHaveLength(1);
    });

    it('are not owned again by a request that arrives late, when another process has written meanwhile', async () => {
      await using proxy = await startTcpProxy({ port: server.port });
      const one = await storage(Date.now, { url: `redis://127.0.0.1:${proxy.port}`, commandTimeoutMs: 300 });
      const two = await storage();
      for (let number = 1; number <= 3; number++) await one.commit(operations(number));
      // A document that is not known yet goes the long way.
      const delayed = proxy.delayRequest('a-new-document');
      const put = one.commit([{ kind: 'put', collection: 'sessions', id: 'a-new-document', value: 1 }]);
      const arrive = await delayed;
      expect(await put).toEqual([{ version: 1 }]);
      for (let number = 4; number <= 6; number++)
        expect(await two.commit(operations(number))).toEqual(appended(number));
      const owner = await client.get('{n}:owner');
      arrive();
      await expect.poll(() => client.get('{n}:owner')).not.toBe(owner);
      expect(await one.commit(operations(7))).toEqual(appended(7));
      const { document, entries } = await state(one);
      expect(document).toMatchObject({ version: 7, value: { number: 7 } });
      expect(entries).toEqual(Array.from({ length: 7 }, (_, i) => [i + 1, i + 1]));
    });

    it.each(['owner', 'active generation'])('find out by themselves when the %s is damaged', async (what) => {
      const one = await storage();
      for (let number = 1; number <= 3; number++) await one.commit(operations(number));
      if (what === 'owner') await client.set('{n}:owner', 'somebody 1');
      else {
        const [marks = ''] = await client.keys('{n}:*:l');
        await client.hset(marks, '*', 'x');
      }
      expect(await one.commit(operations(4))).toEqual(appended(4));
      expect((await state(one)).entries).toHaveLength(4);
    });

    it('take nothing for granted that others may have changed', async () => {
      let time = 1_000_000;
      const one = await storage(() => time);
      const changes: (() => Promise<unknown>)[] = [
        async () => (await storage()).commit([{ kind: 'delete', collection: 'sessions', id: 's' }]),
        async () => {
          for await (const _ of one.snapshot())
            await one.commit([{ kind: 'trim', log: 'messages/s', through: 1 }]);
        },
        async () => {
          await one.commit([
            { kind: 'put', collection: 'sessions', id: 'gone', value: 1, expiresAt: time + 1 },
          ]);
          time += 10;
          return (await storage(() => time)).get('sessions', 'gone');
        },
        async () => {
          const writer = await one.generations.create('restore');
          await writer.seal();
          await one.generations.activate(writer.id);
        },
      ];
      let sequence = 0;
      for (const change of changes) {
        for (let number = 1; number <= 3; number++) {
          sequence += 1;
          const [, entry] = await one.commit(operations(number));
          expect(entry).toEqual({ sequence });
        }
        await change();
        const before = (await one.get('sessions', 's'))?.version ?? 0;
        sequence += 1;
        expect(await one.commit(operations(9))).toEqual([{ version: before + 1 }, { sequence }]);
      }
      expect((await state(one)).document?.value).toEqual({ number: 9 });
      expect(faults).toEqual([]);
    });

    it('answer a commit of a writer that another process has sent before as that was', async () => {
      const [one, two] = [await storage(), await storage()];
      const append = (by: RedisStorage, number: number) =>
        by.commit([{ kind: 'append', log: 'messages/s', value: number }], { writer: 'w', number });
      for (let number = 1; number <= 3; number++) await append(one, number);
      expect(await append(two, 4)).toEqual([{ sequence: 4 }]);
      // Until it goes directly again.
      for (let number = 5; number <= 9; number++) await append(one, number);
      expect(await append(one, 4)).toEqual([{ sequence: 4 }]);
      expect(await append(two, 9)).toEqual([{ sequence: 9 }]);
      expect(await one.read('messages/s')).toHaveLength(9);
    });

    it('are not carried out again when they are older than what is remembered of their writer', async () => {
      const one = await storage();
      const append = (number: number) =>
        one.commit([{ kind: 'append', log: 'messages/s', value: number }], { writer: 'w', number });
      const numbers = Array.from({ length: 1_100 }, (_, i) => i + 1);
      for (let at = 0; at < numbers.length; at += 100)
        await Promise.all(numbers.slice(at, at + 100).map((number) => append(number)));
      expect(await append(101)).toEqual([{ sequence: 101 }]);
      await expect(append(10)).rejects.toMatchObject({ code: 'storage.failed' });
      expect(await append(1_101)).toEqual([{ sequence: 1_101 }]);
    });

    it('keep what an open snapshot still needs', async () => {
      const one = await storage();
      for (let number = 1; number <= 3; number++) await one.commit(operations(number));
      const reading = one.snapshot();
      const first = await reading.next();
      await one.commit(operations(4));
      const records = first.done === true ? [] : [...first.value];
      for await (const batch of reading) records.push(...batch);
      expect(records.filter(({ kind }) => kind === 'entry')).toHaveLength(3);
      expect(records.find(({ kind }) => kind === 'document')).toMatchObject({ version: 3 });
    });

    it('do not overtake those of another writer that are not as they were believed to be', async () => {
      let time = 0;
      const [one, two] = [await storage(() => ++time), await storage()];
      const append = (writer: string, number: number, log: string) =>
        one.commit([{ kind: 'append', log, value: number }], { writer, number });
      const commits = Array.from({ length: 40 }, (_, i) => ({
        writer: i < 20 ? 'a' : 'b',
        number: i + 2,
        log: `messages/${i}`,
      }));
      for (const { log } of commits) await one.commit([{ kind: 'append', log, value: 0 }]);
      for (const writer of ['a', 'b']) await append(writer, 1, 'messages/0');
      await two.commit([{ kind: 'append', log: 'messages/3', value: 'between' }]);
      await Promise.all(commits.map(({ writer, number, log }) => append(writer, number, log)));
      const times = await Promise.all(
        commits.map(async ({ log }) => (await one.read(log, { reverse: true, limit: 1 }))[0]?.at ?? 0),
      );
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    });

    it('tell the size of the data, also after groups that were not as they were believed to be', async () => {
      const [one, two] = [await storage(), await storage()];
      const logs = Array.from({ length: 40 }, (_, i) => `messages/${i}`);
      for (const log of logs) await one.commit([{ kind: 'append', log, value: 0 }]);
      // One by one, so that they are not counted yet.
      for (const log of logs) await one.commit([{ kind: 'append', log, value: 1 }]);
      await two.commit([{ kind: 'append', log: 'messages/3', value: 2 }]);
      await Promise.all(logs.map((log) => one.commit([{ kind: 'append', log, value: 3 }])));
      expect((await one.stats()).sizeBytes).toBe(3 * logs.length + 1);
    });

    it('tell the size of the data of the generation that is active', async () => {
      const one = await storage();
      for (let number = 1; number <= 9; number++) await one.commit(operations(number));
      const writer = await one.generations.create('restore');
      await writer.write([
        { kind: 'document', collection: 'sessions', id: 's', version: 1, json: '1', index: {} },
      ]);
      await writer.seal();
      await one.generations.activate(writer.id);
      expect((await one.stats()).sizeBytes).toBe(1);
      await one.commit([{ kind: 'put', collection: 'sessions', id: 's', value: 22 }]);
      await one.commit([{ kind: 'put', collection: 'sessions', id: 's', value: 333 }]);
      expect((await one.stats()).sizeBytes).toBe(3);
      await one.close();
      expect((await (await storage()).stats()).sizeBytes).toBe(3);
    });

    it('tell the size of the data, also after the storage was closed', async () => {
      const one = await storage();
      for (let number = 1; number <= 9; number++) await one.commit(operations(number));
      const { sizeBytes } = await one.stats();
      expect(sizeBytes).toBe(10 * JSON.stringify({ number: 1 }).length);
      await one.close();
      expect((await (await storage()).stats()).sizeBytes).toBe(sizeBytes);
    });
  });
});

it('a commit whose values hardly fit into one text is not worked out by what is known', () => {
  const known = new KnownRecords();
  known.setDocument('sessions', 's', { version: 1, fields: [], bytes: 1 });
  known.setRing('w', []);
  const ofCharacters = (count: number) => {
    const put = { kind: 'put', collection: 'sessions', id: 's', valueCrc: 0, fields: '' } as const;
    const json = `"${'x'.repeat(count - 2)}"`;
    const operation = { ...put, json, expectVersion: undefined, expiresAt: null };
    return DirectCommit.of([{ operations: [operation], id: { writer: 'w', number: 1 } }], known, 1);
  };
  expect(ofCharacters(10 * 1024 * 1024)?.numbers).toEqual([[2]]);
  expect(ofCharacters(64 * 1024 * 1024 + 1)).toBeUndefined();
});
