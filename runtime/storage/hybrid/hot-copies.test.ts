import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../faults/seeded-random.ts';
import type { Operation } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import type { HybridStorage } from './hybrid-storage.ts';
import { useTwoSides } from './testing/hot-fixture.ts';

const NAMESPACE = 'test';

describeWithServers(['redis'], 'hot copies', () => {
  const sides = useTwoSides(NAMESPACE);
  const start = () => sides.start();
  const put = (id: string, value: unknown): Operation => ({ kind: 'put', collection: 'sessions', id, value });
  const append = (value: unknown): Operation => ({ kind: 'append', log: 'messages/a', value });
  /** Those that are claimed, and the shared ones. */
  const copies = async () => [
    ...(await sides.redis.keys(`{${NAMESPACE}}:hot:m:*`)),
    ...(await sides.redis.keys(
      `{${NAMESPACE}}:hot:c:${await sides.redis.get(`{${NAMESPACE}}:hot:epoch`)}:*`,
    )),
  ];

  describe('serve', () => {
    it('what was written, without asking the cold side', async () => {
      const { storage } = await start();
      await storage.commit([put('a', 1), append('first'), append('second')]);
      await expect.poll(copies).toHaveLength(2);
      expect(await storage.get('sessions', 'a')).toMatchObject({ version: 1, value: 1 });
      expect((await storage.read('messages/a')).map(({ value }) => value)).toEqual(['first', 'second']);
      await storage.commit([append('third')]);
      await expect.poll(copies).toHaveLength(2);
      const last = await storage.read('messages/a', { reverse: true, limit: 2 });
      expect(last).toEqual([
        { log: 'messages/a', sequence: 3, at: 1_000, value: 'third' },
        { log: 'messages/a', sequence: 2, at: 1_000, value: 'second' },
      ]);
      expect(sides.cold.reads).toBe(0);
    });

    it('a log that was read before its first entry was there', async () => {
      const { storage } = await start();
      expect(await storage.read('messages/a')).toEqual([]);
      await expect.poll(copies).toHaveLength(1);
      await storage.commit([append('first')]);
      await expect.poll(copies).toHaveLength(1);
      expect((await storage.read('messages/a')).map(({ value }) => value)).toEqual(['first']);
      expect(sides.cold.reads).toBe(1);
    });

    it('what was read before, by whichever process', async () => {
      await sides.cold.commit([put('a', 1), append('first')]);
      const [one, two] = [await start(), await start()];
      for (const { storage } of [one, two, one]) {
        expect((await storage.get('sessions', 'a'))?.value).toBe(1);
        expect(await storage.read('messages/a')).toHaveLength(1);
        await expect.poll(copies).toHaveLength(2);
      }
      expect(sides.cold.reads).toBe(2);
    });

    it('the end of a long log, and nothing but the cold side what lies before it', async () => {
      await sides.cold.commit(Array.from({ length: 50 }, (_, i) => append(i + 1)));
      const { storage } = await start();
      const sequences = async (query: object) =>
        (await storage.read('messages/a', query)).map(({ sequence }) => sequence);
      expect(await sequences({ reverse: true, limit: 3 })).toEqual([50, 49, 48]);
      await expect.poll(copies).toHaveLength(1);
      expect(await sequences({ reverse: true, limit: 3 })).toEqual([50, 49, 48]);
      expect(await sequences({ after: 47 })).toEqual([48, 49, 50]);
      expect(await sequences({ after: 48, before: 50 })).toEqual([49]);
      expect(sides.cold.reads).toBe(1);
      expect(await sequences({ reverse: true, limit: 4 })).toEqual([50, 49, 48, 47]);
      expect(await sequences({ after: 45, limit: 2 })).toEqual([46, 47]);
      expect(sides.cold.reads).toBe(3);
      await storage.commit([append(51)]);
      expect(await sequences({ reverse: true, limit: 2 })).toEqual([51, 50]);
    });

    it('nothing that was changed in Redis: a flipped byte sends the reader to the cold side', async () => {
      const { storage } = await start();
      await storage.commit([put('a', 'right'), append('right')]);
      await expect.poll(copies).toHaveLength(2);
      for (const key of await copies()) {
        if ((await sides.redis.type(key)) === 'string') {
          await sides.redis.set(key, ((await sides.redis.get(key)) ?? '').replace('right', 'wrong'));
        } else {
          await sides.redis.lset(
            key,
            1,
            ((await sides.redis.lindex(key, 1)) ?? '').replace('right', 'wrong'),
          );
        }
      }
      expect((await storage.get('sessions', 'a'))?.value).toBe('right');
      expect((await storage.read('messages/a')).map(({ value }) => value)).toEqual(['right']);
    });

    it('no copy longer than it is used', async () => {
      const [writer, { storage }] = [await start(), await start()];
      await writer.storage.commit([put('a', 1), append(1)]);
      await expect.poll(copies).toHaveLength(2);
      for (const key of await copies()) {
        expect(await sides.redis.pttl(key)).toBeGreaterThan(500_000);
        expect(await sides.redis.pttl(key)).toBeLessThanOrEqual(600_000);
      }
      // Its claims go with it.
      await writer.storage.close();
      expect(await copies()).toHaveLength(2);
      for (const key of await copies()) {
        const left = await sides.redis.pttl(key);
        expect(left).toBeGreaterThan(3_500_000);
        expect(left).toBeLessThanOrEqual(3_600_000);
        await sides.redis.pexpire(key, 60_000);
      }
      await storage.get('sessions', 'a');
      await storage.read('messages/a');
      expect(sides.cold.reads).toBe(0);
      for (const key of await copies()) {
        await expect.poll(() => sides.redis.pttl(key)).toBeGreaterThan(3_500_000);
      }
      await sides.redis.del(...(await copies()));
      expect((await storage.get('sessions', 'a'))?.value).toBe(1);
      expect(await storage.read('messages/a')).toHaveLength(1);
    });
  });

  it('keep the copy of a document whose commit was refused', async () => {
    const { storage } = await start();
    await storage.commit([put('a', 1)]);
    await expect.poll(copies).toHaveLength(1);
    await expect(storage.commit([{ ...put('a', 2), expectVersion: 7 } as Operation])).rejects.toMatchObject({
      code: 'storage.version_conflict',
    });
    await expect.poll(copies).toHaveLength(1);
    expect((await storage.get('sessions', 'a'))?.value).toBe(1);
    expect(sides.cold.reads).toBe(0);
  });

  it('forget a writer that died, with the copy that it had put away', async () => {
    const { storage } = await start();
    await storage.commit([put('a', 1)]);
    await expect.poll(copies).toHaveLength(1);
    const dying = await start();
    await storage.get('sessions', 'a');
    await expect.poll(copies).toHaveLength(1);
    const carriedOut = Promise.withResolvers<void>();
    sides.cold.delay = () => {
      dying.connection.fate = () => 'not sent';
      carriedOut.resolve();
      return Promise.resolve();
    };
    await dying.storage.commit([put('a', 2)]);
    await carriedOut.promise;
    sides.cold.delay = async () => undefined;
    expect((await storage.get('sessions', 'a'))?.value).toBe(2);
    // What it had claimed nobody else reads, and nothing takes its place.
    expect(await sides.redis.keys(`{${NAMESPACE}}:hot:c:*`)).toHaveLength(0);
    const leases = await sides.redis.keys(`{${NAMESPACE}}:hot:[il]:*`);
    expect(leases).toHaveLength(4);
    for (const key of leases) {
      const left = await sides.redis.pttl(key);
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(120_000);
    }
  });

  it('are all forgotten with a new generation', async () => {
    const [one, two] = [await start(), await start()];
    await one.storage.commit([put('a', 'old'), append('old')]);
    await expect.poll(copies).toHaveLength(2);
    const writer = await one.storage.generations.create('restore');
    await writer.write([
      { kind: 'document', collection: 'sessions', id: 'a', version: 1, json: '"new"', index: {} },
    ]);
    await writer.seal();
    await one.storage.generations.activate(writer.id);
    for (const { storage } of [one, two]) {
      expect((await storage.get('sessions', 'a'))?.value).toBe('new');
      expect(await storage.read('messages/a')).toEqual([]);
    }
  });

  it('are not made of a generation that is being left, by whoever starts meanwhile', async () => {
    const [one, two] = [await start(), await start()];
    await sides.cold.commit([put('a', 'old')]);
    const { id, seal } = await one.storage.generations.create('test');
    await seal();
    const { activate } = sides.cold.generations;
    const [begun, going, done, end] = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    sides.cold.generations.activate = async (generation) => {
      begun?.resolve();
      await going?.promise;
      await activate(generation);
      done?.resolve();
      // As if it had died behind the switch, and could tell nobody.
      await end?.promise;
    };
    const switched = one.storage.generations.activate(id);
    await begun?.promise;
    const three = await start();
    // A connection that is lost and comes back begins an epoch as well, also its own.
    for (const { connection } of [one, two]) {
      connection.lose();
      await connection.comeBack();
    }
    for (const { storage } of [one, two, three]) {
      for (let i = 0; i < 2; i++) expect((await storage.get('sessions', 'a'))?.value).toBe('old');
    }
    going?.resolve();
    await done?.promise;
    for (const { storage } of [one, two, three]) expect(await storage.get('sessions', 'a')).toBeUndefined();
    end?.resolve();
    await switched;
    // And from then on there are copies again.
    await one.storage.commit([put('a', 'new')]);
    await expect.poll(copies).toHaveLength(1);
    expect((await one.storage.get('sessions', 'a'))?.value).toBe('new');
    expect(one.connection.hits).toBeGreaterThan(0);
  });

  it('can be made again when whoever was switching the generation has died', async () => {
    const [one, two] = [await start(), await start()];
    await sides.cold.commit([put('a', 'old')]);
    const { id, seal } = await one.storage.generations.create('test');
    await seal();
    const begun = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    sides.cold.generations.activate = () => {
      begun.resolve();
      return end.promise;
    };
    const endLeases = async () => sides.redis.del(...(await sides.redis.keys(`{${NAMESPACE}}:hot:l:*`)));
    // It had stood still before, and does not know.
    await endLeases();
    const switched = one.storage.generations.activate(id);
    await begun.promise;
    const epoch = () => sides.redis.get(`{${NAMESPACE}}:hot:epoch`);
    two.connection.lose();
    await two.connection.comeBack();
    expect(await epoch()).toBeNull();
    await endLeases();
    two.connection.lose();
    await two.connection.comeBack();
    expect(await epoch()).not.toBeNull();
    end.resolve();
    await switched;
  });

  it('never show less than was acknowledged, whatever calls and connections are lost', async () => {
    const random = seededRandom(20_261_121);
    const few = () => Math.floor(random() * 3);
    sides.cold.delay = async () => {
      if (random() < 0.5) await wait(random() * 4);
    };
    const processes = [await start(), await start(), await start()];
    // All lose calls, but one at a time writes while it is cut off: what two processes of which only one reaches Redis can
    // do to each other is a limit that the decision page names.
    const fates = ['answered', 'answered', 'answered', 'answer lost'] as const;
    for (const { connection } of processes) {
      connection.fate = () => fates[Math.floor(random() * 40)] ?? 'answered';
    }
    const acknowledged = { versions: new Map<string, number>(), appended: 0 };
    let done = false;
    const writer = async (storage: HybridStorage, round: number) => {
      const id = `doc-${few()}`;
      const [{ version = 0 } = {}, { sequence = 0 } = {}] = await storage.commit([
        put(id, round),
        append(round),
      ]);
      acknowledged.versions.set(id, Math.max(version, acknowledged.versions.get(id) ?? 0));
      acknowledged.appended = Math.max(sequence, acknowledged.appended);
    };
    const reader = async (storage: HybridStorage) => {
      const id = `doc-${few()}`;
      const [version, appended] = [acknowledged.versions.get(id) ?? 0, acknowledged.appended];
      const [document, entries] = await Promise.all([
        storage.get('sessions', id),
        storage.read('messages/a', { limit: 10_000 }),
      ]);
      expect(document?.version ?? 0).toBeGreaterThanOrEqual(version);
      expect(entries.at(-1)?.sequence ?? 0).toBeGreaterThanOrEqual(appended);
      expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, i) => i + 1));
    };
    const rounds = 150;
    await Promise.all([
      ...processes.map(async ({ storage }) => {
        for (let round = 0; round < rounds; round++) {
          await writer(storage, round);
          await wait(random() * 4);
        }
        done = true;
      }),
      ...processes.flatMap(({ storage }) =>
        [1, 2].map(async () => {
          while (!done) await reader(storage);
        }),
      ),
    ]);
    for (const { storage } of processes) await reader(storage);
    expect(acknowledged.appended).toBe(processes.length * rounds);
    for (const { connection } of processes) expect(connection.hits).toBeGreaterThan(0);
  });
});
