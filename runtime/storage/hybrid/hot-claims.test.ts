import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { seededRandom } from '../faults/seeded-random.ts';
import type { Operation } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import type { HybridStorage } from './hybrid-storage.ts';
import { type HotInstance, useTwoSides } from './testing/hot-fixture.ts';

const PREFIX = '{claims}:hot:';

/** What the decision page promises of claims: each case is one of the ways in which a copy could become old. */
describeWithServers(['redis'], 'claims', () => {
  const sides = useTwoSides('claims');
  /** Its lease is not renewed by itself within a case. */
  const start = (beatMs = 60_000) => sides.start(beatMs);
  const put = (value: unknown): Operation => ({ kind: 'put', collection: 'sessions', id: 'a', value });
  const append = (value: unknown): Operation => ({ kind: 'append', log: 'messages/a', value });
  const documentOf = async ({ storage }: { storage: HybridStorage }) =>
    (await storage.get('sessions', 'a'))?.value;
  const entriesOf = async ({ storage }: { storage: HybridStorage }) =>
    (await storage.read('messages/a')).map(({ value }) => value);

  /** Holds the next commit up before the cold side has carried it out; `go` lets it, and waits until it has. */
  function holdNextCommit(): { reached: Promise<void>; go: () => void } {
    const reached = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    sides.cold.delay = async () => {
      sides.cold.delay = async () => undefined;
      reached.resolve();
      await held.promise;
    };
    return { reached: reached.promise, go: held.resolve };
  }

  it('are made once: the following commits announce nothing', async () => {
    const { storage, connection } = await start();
    for (let i = 1; i <= 5; i++) await storage.commit([put(i), append(i)]);
    expect(connection.scripts.filter((name) => name === 'claim')).toHaveLength(1);
    expect(await documentOf({ storage })).toBe(5);
    expect(await entriesOf({ storage })).toEqual([1, 2, 3, 4, 5]);
    expect(sides.cold.reads).toBe(0);
  });

  it('send the others to the cold side, which may keep nothing', async () => {
    const [one, two] = [await start(), await start()];
    await one.storage.commit([put(1), append(1)]);
    expect(await documentOf(two)).toBe(1);
    await one.storage.commit([put(2), append(2)]);
    expect(await documentOf(two)).toBe(2);
    expect(await entriesOf(two)).toEqual([1, 2]);
    expect(two.connection.hits).toBe(0);
    expect(await sides.redis.keys(`${PREFIX}c:*`)).toEqual([]);
    expect(await sides.redis.keys(`${PREFIX}r:*`)).toEqual([]);
  });

  it('are given up for somebody who reads', async () => {
    const [one, two] = [await start(20), await start()];
    await one.storage.commit([put(1), append(1)]);
    await expect
      .poll(async () => {
        expect(await documentOf(two)).toBe(1);
        expect(await entriesOf(two)).toEqual([1]);
        return two.connection.hits;
      })
      .toBeGreaterThan(1);
    await one.storage.commit([put(2), append(2)]);
    expect(await documentOf(two)).toBe(2);
    expect(await entriesOf(two)).toEqual([1, 2]);
  });

  it('are given up when the server has them of a request that came too late', async () => {
    const one = await start(20);
    await sides.cold.commit([put(1), append(1)]);
    const [claims = ''] = await sides.redis.keys(`${PREFIX}i:*`);
    await sides.redis.hset(claims, { 'd:sessions/a': 1_000, 'l:messages/a': 1_001 });
    const another = await start();
    await expect
      .poll(async () => {
        expect(await documentOf(another)).toBe(1);
        expect(await entriesOf(another)).toEqual([1]);
        return another.connection.hits;
      })
      .toBeGreaterThan(1);
    await one.storage.commit([put(2), append(2)]);
    expect(await documentOf(another)).toBe(2);
    expect(await entriesOf(another)).toEqual([1, 2]);
  });

  it('are taken away by somebody who writes', async () => {
    const [one, two] = [await start(), await start()];
    for (let i = 1; i <= 9; i += 2) {
      await one.storage.commit([put(i), append(i)]);
      expect(await documentOf(one)).toBe(i);
      await two.storage.commit([put(i + 1), append(i + 1)]);
      for (const reader of [one, two]) {
        expect(await documentOf(reader)).toBe(i + 1);
        expect(await entriesOf(reader)).toHaveLength(i + 1);
      }
    }
  });

  it('are shared again with the copy when the instance closes', async () => {
    const [one, two] = [await start(), await start()];
    await one.storage.commit([put(1), append(1)]);
    await one.storage.close();
    expect(await sides.redis.keys(`${PREFIX}m:*`)).toEqual([]);
    expect(await documentOf(two)).toBe(1);
    expect(await entriesOf(two)).toEqual([1]);
    expect(sides.cold.reads).toBe(0);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['all that Redis had was lost', () => sides.redis.flushall()],
    ['the lease has lapsed', async () => sides.redis.del(...(await sides.redis.keys(`${PREFIX}l:*`)))],
    ['the claims were evicted', async () => sides.redis.del(...(await sides.redis.keys(`${PREFIX}i:*`)))],
    ['the list of members was evicted', () => sides.redis.del(`${PREFIX}members`)],
    ['the copies were evicted', async () => sides.redis.del(...(await sides.redis.keys(`${PREFIX}m:*`)))],
  ])('fence a commit anew when %s before it was handed over', async (_, lose) => {
    const one = await start();
    await one.storage.commit([put(1), append(1)]);
    await one.storage.commit([put(2), append(2)]);
    await expect.poll(() => sides.redis.keys(`${PREFIX}m:*`)).toHaveLength(2);
    await lose();
    // Another one finds no claim, and keeps what is still there while the commit is under way.
    const two = await start();
    const { reached, go } = holdNextCommit();
    const done = one.storage.commit([put(3), append(3)]);
    await reached;
    for (let i = 0; i < 2; i++) {
      expect(await documentOf(two)).toBe(2);
      expect(await entriesOf(two)).toEqual([1, 2]);
    }
    go();
    await done;
    for (const reader of [two, one, two]) {
      expect(await documentOf(reader)).toBe(3);
      expect(await entriesOf(reader)).toEqual([1, 2, 3]);
    }
  });

  it('fence a commit that nobody knows the fate of until it can no longer be carried out', async () => {
    const [one, two] = [await start(), await start()];
    await one.storage.commit([put(1), append(1)]);
    const { commitChecked } = sides.cold;
    sides.cold.commitChecked = () => Promise.reject(Object.assign(new Error('The connection was lost.')));
    await expect(one.storage.commit([put(2), append(2)])).rejects.toThrow('lost');
    sides.cold.commitChecked = commitChecked;
    for (const reader of [one, two, one, two]) {
      expect(await documentOf(reader)).toBe(1);
      expect(await entriesOf(reader)).toEqual([1]);
    }
    expect(await sides.redis.keys(`${PREFIX}c:*`)).toEqual([]);
    // It is carried out after all.
    await sides.cold.commit([put(2), append(2)]);
    for (const reader of [one, two]) {
      expect(await documentOf(reader)).toBe(2);
      expect(await entriesOf(reader)).toEqual([1, 2]);
    }
    await one.storage.commit([put(3), append(3)]);
    for (const reader of [one, two]) {
      expect(await documentOf(reader)).toBe(3);
      expect(await entriesOf(reader)).toEqual([1, 2, 3]);
    }
    // The claims of the doubtful commit outlive the instance.
    await one.storage.close();
    expect(await sides.redis.keys(`${PREFIX}i:*`)).toHaveLength(2);
  });

  it('are not believed when Redis had no room for what was written', async () => {
    const one = await start();
    await one.storage.commit([put(1), append(1)]);
    expect(await documentOf(one)).toBe(1);
    await sides.redis.config('SET', 'maxmemory', '1');
    try {
      await one.storage.commit([put(2), append(2)]);
      expect(await documentOf(one)).toBe(2);
      expect(await entriesOf(one)).toEqual([1, 2]);
    } finally {
      await sides.redis.config('SET', 'maxmemory', '0');
    }
  });

  it('are taken away even when Redis has no room', async () => {
    const [one, two] = [await start(), await start()];
    await one.storage.commit([put(1), append(1)]);
    expect(await documentOf(one)).toBe(1);
    await sides.redis.config('SET', 'maxmemory', '1');
    try {
      await two.storage.commit([put(2), append(2)]);
      expect(await documentOf(one)).toBe(2);
      expect(await entriesOf(one)).toEqual([1, 2]);
    } finally {
      await sides.redis.config('SET', 'maxmemory', '0');
    }
  });

  it('are asked for once more when the cold side took its time', async () => {
    const one = await start();
    await one.storage.commit([put(1), append(1)]);
    await expect.poll(() => sides.redis.keys(`${PREFIX}m:*`)).toHaveLength(2);
    const answered = one.connection.answered;
    const { reached, go } = holdNextCommit();
    const done = one.storage.commit([put(2), append(2)]);
    await reached;
    await expect.poll(() => one.connection.answered).toBeGreaterThan(answered);
    // Only now is it lost what the claims were, and another one keeps what is there still.
    await sides.redis.flushall();
    const two = await start();
    for (let i = 0; i < 2; i++) expect(await documentOf(two)).toBe(1);
    await expect.poll(() => sides.redis.keys(`${PREFIX}c:*`)).not.toEqual([]);
    const { now } = Date;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + 1_000);
    onTestFinished(() => clock.mockRestore());
    go();
    await done;
    expect(await documentOf(two)).toBe(2);
    expect(await entriesOf(two)).toEqual([1, 2]);
  });

  it.each<[string, (reader: HotInstance) => Promise<HotInstance>]>([
    [
      'has Redis back sooner than',
      async (reader) => {
        await reader.connection.comeBack();
        await expect.poll(async () => (await reader.storage.info()).notices).toHaveLength(1);
        return reader;
      },
    ],
    ['is started after', () => start()],
  ])('are not missed by whoever %s a writer who went on without it', async (_, reads) => {
    const [one, two] = [await start(), await start()];
    await sides.cold.commit([put(1), append(1)]);
    for (const { connection } of [one, two]) connection.lose();
    const { reached, go } = holdNextCommit();
    const done = one.storage.commit([put(2), append(2)]);
    await reached;
    const reader = await reads(two);
    // The second time it would be what was kept at the first.
    for (let i = 0; i < 2; i++) {
      expect(await documentOf(reader)).toBe(1);
      expect(await entriesOf(reader)).toEqual([1]);
    }
    go();
    await done;
    expect(await documentOf(reader)).toBe(2);
    expect(await entriesOf(reader)).toEqual([1, 2]);
  });

  it('are not passed by when the generation is switched while the connection is lost', async () => {
    const [one, two] = [await start(), await start()];
    await sides.cold.commit([put(1)]);
    expect(await documentOf(two)).toBe(1);
    await expect.poll(() => sides.redis.keys(`${PREFIX}c:*`)).toHaveLength(1);
    const { id, seal } = await one.storage.generations.create('test');
    await seal();
    one.connection.fate = () => {
      one.connection.fate = () => 'answered';
      return 'not sent';
    };
    await one.storage.get('sessions', 'other');
    await one.storage.generations.activate(id);
    expect(await documentOf(two)).toBeUndefined();
  });

  it('keep the order of the calls, whether a commit has to be announced or not', async () => {
    const { storage } = await start();
    await storage.commit([append('first')]);
    const together = [
      storage.commit([put('new'), append('second')]),
      storage.commit([append('third')]),
      storage.commit([{ kind: 'append', log: 'messages/b', value: 1 }, append('fourth')]),
    ];
    const sequences = (await Promise.all(together)).map((results) => results.at(-1)?.sequence);
    expect(sequences).toEqual([2, 3, 4]);
    expect(await entriesOf({ storage })).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('never show less than was acknowledged, whoever writes what, and whoever comes and goes', async () => {
    const random = seededRandom(20_261_122);
    const one = (count: number) => Math.floor(random() * count);
    sides.cold.delay = async () => {
      if (random() < 0.3) await wait(random() * 3);
    };
    const writers = [await start(5), await start(5), await start(7)];
    const acknowledged = new Map<string, number>();
    const saw = (object: string, number = 0) =>
      acknowledged.set(object, Math.max(number, acknowledged.get(object) ?? 0));
    let left = writers.length;
    const write = async ({ storage }: (typeof writers)[number], writer: number, round: number) => {
      // Mostly what is its own, so that claims stand for a while.
      const id = random() < 0.9 ? `${writer}-${one(2)}` : `${one(writers.length)}-${one(2)}`;
      const [written, appended] = await storage.commit([
        { kind: 'put', collection: 'sessions', id, value: round },
        { kind: 'append', log: `messages/${id}`, value: round },
      ]);
      saw(`document ${id}`, written?.version);
      saw(`log ${id}`, appended?.sequence);
    };
    const read = async ({ storage }: (typeof writers)[number]) => {
      const id = `${one(writers.length)}-${one(2)}`;
      const version = acknowledged.get(`document ${id}`) ?? 0;
      const sequence = acknowledged.get(`log ${id}`) ?? 0;
      const reverse = random() < 0.3;
      const [document, entries] = await Promise.all([
        storage.get('sessions', id),
        storage.read(`messages/${id}`, reverse ? { reverse, limit: 3 } : { limit: 10_000 }),
      ]);
      expect(document?.version ?? 0).toBeGreaterThanOrEqual(version);
      const sequences = entries.map((entry) => entry.sequence);
      const last = Math.max(0, ...sequences);
      expect(last).toBeGreaterThanOrEqual(sequence);
      const all = Array.from({ length: last }, (_, i) => i + 1);
      expect(sequences).toEqual(reverse ? all.toReversed().slice(0, 3) : all);
    };
    await Promise.all([
      ...writers.map(async (process, writer) => {
        for (let round = 0; round < 200; round++) {
          await write(process, writer, round);
          if (random() < 0.3) await wait(random() * 10);
        }
        left -= 1;
      }),
      ...writers.map(async (process) => {
        while (left > 0) {
          await read(process);
          if (random() < 0.3) await wait(random() * 5);
        }
      }),
      (async () => {
        while (left > 0) {
          await wait(random() * 200);
          const guest = await start(5);
          for (let i = 0; i < 20; i++) await read(guest);
          await guest.storage.close();
        }
      })(),
    ]);
    for (const process of writers) for (let i = 0; i < 20; i++) await read(process);
    for (const { connection } of writers) expect(connection.hits).toBeGreaterThan(0);
  });
});
