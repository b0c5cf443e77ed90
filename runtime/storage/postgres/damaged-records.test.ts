import { expect, it } from 'vitest';
import { recordsOf } from '../contract/fixture.ts';
import type { Operation, StorageFault } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import type { PostgresStorage } from './postgres-storage.ts';
import { usePostgres } from './testing/postgres-fixture.ts';

const COUNT = 12;
const ids = Array.from({ length: COUNT }, (_, i) => `id-${String(i).padStart(2, '0')}`);
const document = (id: string, rank: number): Operation => ({
  kind: 'put',
  collection: 'sessions',
  id,
  value: `value of ${id}`,
  index: { rank, title: `Title of ${id}` },
  expiresAt: 4_000_000_000_000,
});
const byRank = { orderBy: { field: 'rank', direction: 'ascending' }, limit: 1000 } as const;

describeWithServers(['postgres'], 'damaged records in PostgreSQL', () => {
  const server = usePostgres();

  /** A storage with documents and entries in it, and a way to change its bytes behind its back. */
  async function start() {
    const { make, sql } = await server.newSchema();
    const faults: StorageFault[] = [];
    const onFault = (fault: StorageFault) => faults.push(fault);
    let storage = make({ onFault });
    await storage.open();
    const reopen = async () => {
      await storage.close();
      storage = make({ onFault });
      await storage.open();
      return storage;
    };
    await storage.commit(
      ids.flatMap((id, i): Operation[] => [document(id, i), { kind: 'append', log: 'events', value: i + 1 }]),
    );
    return { storage, reopen, sql, damaged: () => faults.map(({ record }) => record).sort() };
  }

  /** After it, the counter of the log has a row, and one entry behind it. */
  const trimAll = (storage: PostgresStorage) =>
    storage
      .commit([{ kind: 'trim', log: 'events', through: COUNT }])
      .then(() => storage.commit([{ kind: 'append', log: 'events', value: 'behind' }]));

  const CHANGES: [column: string, change: string][] = [
    ['json', "overlay(json placing 'V' from 2)"],
    ['version', 'version # 1'],
    ['version', 'version # (1::bigint << 40)'],
    ['expires_at', 'expires_at # 4'],
    ['expires_at', '1'],
    ['expires_at', 'NULL'],
    ['crc', 'crc # 8'],
    ['fields', "replace(fields, 'Title', 'title')"],
    ['id', "'moved'"],
  ];

  it.each(CHANGES)(
    'finds a document whose %s is changed to %s, in every way to read it',
    async (column, change) => {
      const { storage, sql, damaged } = await start();
      const [hit = '', ...others] = ids;
      const name = column === 'id' ? 'moved' : hit;
      const expected = [`document sessions/${name}`];
      const found = () => expect.poll(damaged).toEqual(expected);

      await sql(`UPDATE smalltalk_documents SET ${column} = ${change} WHERE id = '${hit}'`);
      expect(await storage.get('sessions', name)).toBeUndefined();
      await found();
      await expect.poll(() => sql('SELECT record FROM smalltalk_damaged')).toEqual([{ record: expected[0] }]);
      expect((await storage.list('sessions', byRank)).items.map(({ id }) => id)).toEqual(others);
      expect((await recordsOf(storage)).filter(({ kind }) => kind === 'document')).toHaveLength(COUNT - 1);
      for (const id of others) expect((await storage.get('sessions', id))?.value).toBe(`value of ${id}`);
      expect(damaged()).toEqual(expected);
      // Its place is free for a new one.
      expect(await storage.commit([{ ...document(name, 0), expectVersion: 0 } as Operation])).toEqual([
        { version: 1 },
      ]);
    },
  );

  it.each<[string, (storage: PostgresStorage) => Promise<unknown>]>([
    ['a list by an index', (storage) => storage.list('sessions', byRank)],
    ['a list by id', (storage) => storage.list('sessions', { limit: 1000 })],
    [
      'a filter',
      (storage) => storage.list('sessions', { ...byRank, where: [{ field: 'rank', in: [0, 1] }] }),
    ],
    ['a snapshot', (storage) => recordsOf(storage)],
  ])('finds a damaged document by %s', async (_name, look) => {
    const { storage, sql, damaged } = await start();
    await sql(`UPDATE smalltalk_documents SET json = '"other"' WHERE id = 'id-00'`);
    expect(JSON.stringify(await look(storage))).not.toContain('other');
    expect(damaged()).toEqual(['document sessions/id-00']);
    await expect.poll(() => sql('SELECT json FROM smalltalk_damaged')).toEqual([{ json: '"other"' }]);
    expect(await storage.get('sessions', 'id-00')).toBeUndefined();
    expect(damaged()).toHaveLength(1);
  });

  it('lets no commit go by the version of a damaged document', async () => {
    const { storage, sql, damaged } = await start();
    await sql(`UPDATE smalltalk_documents SET version = 700 WHERE id = 'id-03'`);
    expect(await storage.commit([document('id-03', 3), document('id-04', 4)])).toEqual([
      { version: 1 },
      { version: 2 },
    ]);
    expect(damaged()).toEqual(['document sessions/id-03']);
    expect((await sql('SELECT record FROM smalltalk_damaged')).map(({ record }) => record)).toEqual(
      damaged(),
    );
    expect((await storage.get('sessions', 'id-03'))?.version).toBe(1);
  });

  it.each([
    ['json', "'99'"],
    ['at', 'at + 1'],
    ['crc', 'crc # 1'],
    ['sequence', '9000'],
  ])('finds an entry whose %s is changed to %s', async (column, change) => {
    const { storage, sql, damaged } = await start();
    await sql(`UPDATE smalltalk_entries SET ${column} = ${change} WHERE sequence = 5`);
    const values = (await storage.read<number>('events')).map(({ value }) => value);
    expect(values).toEqual([1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]);
    const name = `entry events#${column === 'sequence' ? 9000 : 5}`;
    expect(damaged()).toEqual([name]);
    await expect.poll(() => sql('SELECT record FROM smalltalk_damaged')).toEqual([{ record: name }]);
    expect((await recordsOf(storage)).filter(({ kind }) => kind === 'entry')).toHaveLength(COUNT - 1);
    expect(await storage.commit([{ kind: 'append', log: 'events', value: 13 }])).toEqual([{ sequence: 13 }]);
    expect(damaged()).toHaveLength(1);
  });

  it.each([
    ['of another value', "json = '99'"],
    ['numbered higher', 'sequence = 13'],
    ['numbered far higher', 'sequence = sequence + (1::bigint << 30)'],
    ['numbered beyond belief', 'sequence = sequence + (1::bigint << 37)'],
    ['numbered lower', 'sequence = 0'],
  ])('uses the number of the last entry no second time when that is %s', async (_name, change) => {
    const { storage, sql, damaged, reopen } = await start();
    await sql(`UPDATE smalltalk_entries SET ${change} WHERE sequence = ${COUNT}`);
    // What is before the first entry is in no page.
    if (change !== 'sequence = 0') expect(await storage.read('events')).toHaveLength(COUNT - 1);
    else expect((await recordsOf(storage)).filter(({ kind }) => kind === 'entry')).toHaveLength(COUNT - 1);
    expect(damaged()).toEqual([expect.stringMatching(/^entry events#/)]);
    await expect.poll(() => sql('SELECT record FROM smalltalk_damaged')).toHaveLength(1);
    const next = await (await reopen()).commit([{ kind: 'append', log: 'events', value: 'next' }]);
    expect(next).toEqual([{ sequence: COUNT + 1 }]);
  });

  it('keeps the number that a log has counted to when damaged entries behind it are set aside', async () => {
    const { storage, sql, damaged } = await start();
    const append = () => storage.commit([{ kind: 'append', log: 'events', value: 'next' }]);
    // The last one first, which leaves a row; then the one before it, which is the last one by then.
    for (const sequence of [COUNT, COUNT - 1]) {
      await sql(`UPDATE smalltalk_entries SET json = '"other"' WHERE sequence = ${sequence}`);
      expect(await storage.read('events')).toHaveLength(sequence - 1);
      await expect.poll(() => sql('SELECT FROM smalltalk_damaged')).toHaveLength(COUNT + 1 - sequence);
    }
    expect(await append()).toEqual([{ sequence: COUNT + 1 }]);

    const writer = await storage.generations.create('counted further');
    await writer.write([
      { kind: 'log', log: 'events', lastSequence: 200 },
      { kind: 'entry', log: 'events', sequence: 50, at: 1, json: '1' },
    ]);
    await writer.seal();
    await storage.generations.activate(writer.id);
    await sql("UPDATE smalltalk_entries SET json = '2' WHERE sequence = 50");
    expect(await storage.read('events')).toEqual([]);
    await expect.poll(() => sql('SELECT FROM smalltalk_damaged')).toHaveLength(3);
    expect(await append()).toEqual([{ sequence: 201 }]);
    expect(damaged()).toHaveLength(3);
  });

  it.each([
    ['higher', 1n << 20n],
    ['beyond belief', 1n << 37n],
    ['beyond all numbers', 1n << 60n],
    ['lower', 8n],
  ])('knows the number of the only entry of a log when it is %s', async (_name, bit) => {
    const { storage, sql, damaged } = await start();
    await storage.commit([{ kind: 'trim', log: 'events', through: COUNT - 1 }]);
    await sql(`UPDATE smalltalk_entries SET sequence = sequence # ${bit}`);
    expect((await recordsOf(storage)).filter(({ kind }) => kind === 'entry')).toEqual([]);
    await expect.poll(() => sql('SELECT FROM smalltalk_damaged')).toHaveLength(1);
    expect(damaged()).toEqual([`entry events#${BigInt(COUNT) ^ bit}`]);
    expect(await storage.commit([{ kind: 'append', log: 'events', value: 'next' }])).toEqual([
      { sequence: COUNT + 1 },
    ]);
  });

  it.each([36n, 45n])(
    'does not believe a number with the bit %s, whichever way a commit goes, and skips one each time',
    async (bit) => {
      const { sql, reopen } = await start();
      await sql(`UPDATE smalltalk_entries SET sequence = sequence # ${1n << bit} WHERE sequence = 7`);
      const storage = await reopen();
      const append: Operation = { kind: 'append', log: 'events', value: 'more' };
      const remove: Operation = { kind: 'delete', collection: 'sessions', id: 'none' };
      const put: Operation = { kind: 'put', collection: 'sessions', id: 'other', value: 1 };
      for (const [i, more] of [[], [remove], [put, put], [], [remove]].entries()) {
        expect((await storage.commit([append, ...more]))[0]).toEqual({ sequence: COUNT + 2 * (i + 1) });
      }
      const numbers = (await storage.read('events')).map(({ sequence }) => sequence);
      expect(numbers).toHaveLength(COUNT - 1 + 5);
      expect(numbers.at(-1)).toBe(COUNT + 10);
    },
  );

  it('makes a snapshot that can be restored of a log whose last entry is numbered beyond all numbers', async () => {
    const { storage, sql, damaged } = await start();
    await sql(
      `UPDATE smalltalk_entries SET sequence = sequence + (1::bigint << 45) WHERE sequence = ${COUNT}`,
    );
    const records = await recordsOf(storage);
    expect(damaged()).toHaveLength(1);
    expect(records.find(({ kind }) => kind === 'log')).toMatchObject({ lastSequence: COUNT });
    const writer = await storage.generations.create('restore');
    await writer.write(records);
    await writer.seal();
    await storage.generations.activate(writer.id);
    expect(await recordsOf(storage)).toEqual(records);
  });

  it('skips a number when the last entry is beyond belief before anybody has read it', async () => {
    const { sql, reopen } = await start();
    await sql(
      `UPDATE smalltalk_entries SET sequence = sequence + (1::bigint << 37) WHERE sequence = ${COUNT}`,
    );
    const storage = await reopen();
    const append = () => storage.commit([{ kind: 'append', log: 'events', value: 'more' }]);
    // It was the last one, as it happens: the one before it and the one that is skipped make up for it.
    expect(await append()).toEqual([{ sequence: COUNT + 1 }]);
    expect(await storage.read('events')).toHaveLength(COUNT);
    await expect.poll(() => sql('SELECT record FROM smalltalk_damaged')).toHaveLength(1);
    expect(await append()).toEqual([{ sequence: COUNT + 2 }]);
  });

  it.each([
    ['lower', 'last_sequence - 4', 14],
    ['a little higher', '20', 21],
    ['beyond belief', 'last_sequence | (1::bigint << 37)', 14],
  ])('never uses a number twice when the counter of a log is %s', async (_name, change, next) => {
    const { storage, sql, damaged } = await start();
    await trimAll(storage);
    await sql(`UPDATE smalltalk_logs SET last_sequence = ${change}`);
    expect(await storage.commit([{ kind: 'append', log: 'events', value: 'next' }])).toEqual([
      { sequence: next },
    ]);
    expect(damaged()).toEqual(['log events']);
    expect(await storage.commit([{ kind: 'append', log: 'events', value: 'more' }])).toEqual([
      { sequence: next + 1 },
    ]);
    expect(await storage.read('events')).toHaveLength(3);
    expect(damaged()).toHaveLength(1);
  });

  it('goes on behind the last entry of a log whose counter is gone', async () => {
    const { storage, sql, damaged } = await start();
    await trimAll(storage);
    await sql('DELETE FROM smalltalk_logs');
    const log = (await recordsOf(storage)).find(({ kind }) => kind === 'log');
    expect(log).toEqual({ kind: 'log', log: 'events', lastSequence: COUNT + 1 });
    expect(await storage.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([
      { sequence: COUNT + 2 },
    ]);
    // No log needs one whose last entry is there.
    expect(damaged()).toEqual([]);
  });

  it('mends an index that leads to a document wrongly, and lists as the document says', async () => {
    const { storage, sql, damaged } = await start();
    await sql(`UPDATE smalltalk_fields SET key = (SELECT key FROM smalltalk_fields WHERE id = 'id-09' AND field = 'rank')
      WHERE id = 'id-02' AND field = 'rank'`);
    expect((await storage.list('sessions', byRank)).items.map(({ id }) => id)).toEqual(ids);
    expect(damaged()).toEqual(['index of sessions/id-02']);
    const one = await storage.list('sessions', { where: [{ field: 'rank', is: 2 }], limit: 5 });
    expect(one.items.map(({ id }) => id)).toEqual(['id-02']);
    expect(damaged()).toHaveLength(1);
  });

  it('does not answer a commit that is sent again by what was changed', async () => {
    const { storage, sql } = await start();
    const id = { writer: 'one', number: 1 };
    const operations: Operation[] = [{ kind: 'append', log: 'events', value: 'once' }];
    const answer = await storage.commit(operations, id);
    expect(await storage.commit(operations, id)).toEqual(answer);
    await sql(`UPDATE smalltalk_commits SET numbers = '7' WHERE writer = 'one'`);
    await expect(storage.commit(operations, id)).rejects.toMatchObject({ code: 'storage.corrupt_record' });
    expect(await storage.read('events')).toHaveLength(COUNT + 1);
  });
});
