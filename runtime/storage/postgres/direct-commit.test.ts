import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { rejection } from '../contract/fixture.ts';
import { type CommitId, type Operation, REMEMBERED_COMMITS, type StorageFault } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import type { PostgresStorage } from './postgres-storage.ts';
import { usePostgres } from './testing/postgres-fixture.ts';
import { runSql } from './testing/schema.ts';

const LOG = 'messages/a';
const save = (state: string, rank = 1): Operation[] => [
  { kind: 'put', collection: 'sessions', id: 'a', value: state, index: { rank, state } },
  { kind: 'append', log: LOG, value: state },
];

describeWithServers(['postgres'], 'commits by what is known here', () => {
  const server = usePostgres();

  /** Storages on one schema, the first of which has written `save` once and so knows what is there. */
  async function start() {
    const { make, sql } = await server.newSchema();
    const faults: string[] = [];
    const onFault = ({ record }: StorageFault) => faults.push(record);
    const [storage, other] = [make({ onFault }), make({ onFault })];
    await storage.open();
    await other.open();
    let number = 0;
    /** Under a name of its own, as the rest of the product commits. */
    const commit = (operations: Operation[]) => storage.commit(operations, { writer: 'w', number: ++number });
    await commit(save('first'));
    const holder = async () => (await sql('SELECT holder FROM smalltalk_holder'))[0]?.holder;
    return { storage, other, commit, sql, holder, faults };
  }

  it('call no function of the server', async () => {
    const { storage, commit, holder } = await start();
    const before = await holder();
    for (const [i, state] of ['busy', 'idle', 'idle'].entries()) {
      expect(await commit(save(state, i))).toEqual([{ version: i + 2 }, { sequence: i + 2 }]);
    }
    const together = await Promise.all([commit(save('x')), commit(save('y')), commit(save('z', 9))]);
    expect(together).toEqual([5, 6, 7].map((n) => [{ version: n }, { sequence: n }]));
    expect(await holder()).toBe(before);
    expect(await storage.get('sessions', 'a')).toMatchObject({ version: 7, value: 'z' });
    expect((await storage.read(LOG)).map(({ value }) => value)).toEqual([
      'first',
      'busy',
      'idle',
      'idle',
      'x',
      'y',
      'z',
    ]);
    const ranked = await storage.list('sessions', { where: [{ field: 'rank', is: 9 }], limit: 2 });
    expect(ranked.items.map(({ value }) => value)).toEqual(['z']);
    expect((await storage.list('sessions', { where: [{ field: 'rank', is: 1 }], limit: 2 })).items).toEqual(
      [],
    );
  });

  it('write nothing when somebody else has written, and take up what they wrote', async () => {
    const { storage, other, commit, faults } = await start();
    await commit(save('mine'));
    for (let round = 1; round <= 6; round++) {
      const [version, sequence] = [2 * round + 1, 2 * round + 1];
      expect(await other.commit(save(`other ${round}`))).toEqual([{ version }, { sequence }]);
      expect(await commit(save(`mine ${round}`, round))).toEqual([
        { version: version + 1 },
        { sequence: sequence + 1 },
      ]);
    }
    expect((await storage.read(LOG)).map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 14 }, (_, i) => i + 1),
    );
    expect(faults).toEqual([]);
  });

  it.each<[string, (storage: PostgresStorage) => Promise<unknown>, version: number, sequence: number]>([
    ['a delete', (other) => other.commit([{ kind: 'delete', collection: 'sessions', id: 'a' }]), 1, 3],
    ['a trim', (other) => other.commit([{ kind: 'trim', log: LOG, through: 2 }]), 3, 3],
    [
      'an activation',
      async ({ generations }) => {
        const writer = await generations.create('next');
        await writer.seal();
        await generations.activate(writer.id);
      },
      1,
      3,
    ],
  ])('go on behind %s by somebody else', async (_name, change, version, sequence) => {
    const { storage, other, commit, faults } = await start();
    await commit(save('known'));
    await change(other);
    expect(await commit(save('behind'))).toEqual([{ version }, { sequence }]);
    expect(await commit(save('more'))).toEqual([{ version: version + 1 }, { sequence: sequence + 1 }]);
    expect((await storage.get('sessions', 'a'))?.value).toBe('more');
    expect((await other.read(LOG)).at(-1)).toMatchObject({ sequence: sequence + 1, value: 'more' });
    expect(faults).toEqual([]);
  });

  it('go on behind a trim of their own that left nothing, also when the process is another one', async () => {
    const { other, commit } = await start();
    await commit([{ kind: 'trim', log: LOG, through: 1 }]);
    expect(await commit(save('a'))).toEqual([{ version: 2 }, { sequence: 2 }]);
    expect(await commit(save('b'))).toEqual([{ version: 3 }, { sequence: 3 }]);
    await commit([{ kind: 'trim', log: LOG, through: 99 }]);
    expect(await other.commit(save('c'))).toEqual([{ version: 4 }, { sequence: 4 }]);
  });

  it('are compared with what is there: a row that is gone or other takes all of them back', async () => {
    const { storage, commit, sql } = await start();
    const second: Operation = { kind: 'append', log: 'events', value: 1 };
    await commit([second]);
    await sql("DELETE FROM smalltalk_fields WHERE field = 'rank'");
    expect(await commit([second, ...save('one', 2)])).toEqual([
      { sequence: 2 },
      { version: 2 },
      { sequence: 2 },
    ]);
    expect(
      (await storage.list('sessions', { where: [{ field: 'rank', is: 2 }], limit: 2 })).items,
    ).toHaveLength(1);
    await commit(save('known'));
    await sql('DELETE FROM smalltalk_documents');
    expect(await commit([second, ...save('two')])).toEqual([
      { sequence: 3 },
      { version: 1 },
      { sequence: 4 },
    ]);
    expect(await storage.read('events')).toHaveLength(3);
  });

  it('keep every text and number, alone and in a group', async () => {
    const { storage, commit, holder, faults } = await start();
    const odd = ['', 'NULL', '{"a",\\}', 'é😀\u0000\n\t"', 'X'.repeat(3_000), '\ufffe'];
    const ids = odd.map((_, i) => `${i} ü😀"\\{},NULL`);
    const put = (i: number, text: string, rank: number): Operation[] => [
      { kind: 'put', collection: 'sessions', id: ids[i] as string, value: { text }, index: { rank, text } },
      { kind: 'append', log: `messages/${ids[i]}`, value: text },
    ];
    for (const i of ids.keys()) await commit(put(i, 'new', 0));
    const before = await holder();
    const check = async (text: (i: number) => string, rank: (i: number) => number) => {
      for (const [i, id] of ids.entries()) {
        expect((await storage.get('sessions', id))?.value).toEqual({ text: text(i) });
        expect((await storage.read(`messages/${id}`)).at(-1)?.value).toBe(text(i));
        for (const where of [
          { field: 'text', is: text(i) },
          { field: 'rank', is: rank(i) },
        ]) {
          const found = await storage.list('sessions', { where: [where], limit: 9 });
          expect(found.items.map((item) => item.id)).toEqual([id]);
        }
      }
    };
    const ranks = [-1, -(2 ** 60), 2 ** 53 - 1, 1e300, 0.1, 2 ** 32];
    await Promise.all(ids.map((_, i) => commit(put(i, odd[i] as string, ranks[i] as number))));
    await check(
      (i) => odd[i] as string,
      (i) => ranks[i] as number,
    );
    for (const i of ids.keys()) await commit(put(i, odd.at(i - 1) as string, ranks.at(i - 1) as number));
    await check(
      (i) => odd.at(i - 1) as string,
      (i) => ranks.at(i - 1) as number,
    );
    expect(await holder()).toBe(before);
    expect(faults).toEqual([]);
  });

  it('conflict as ever', async () => {
    const { commit, storage } = await start();
    await commit(save('known'));
    const [put] = save('late');
    const error = await rejection(commit([{ ...put, expectVersion: 1 } as Operation]));
    expect(error).toMatchObject({ code: 'storage.version_conflict', data: { expected: 1 } });
    expect(await commit([{ ...put, expectVersion: 2 } as Operation])).toEqual([{ version: 3 }]);
    expect(await storage.read(LOG)).toHaveLength(2);
  });

  it('are answered again one by one that were remembered together', async () => {
    const { storage, other, commit, sql } = await start();
    const ids = Array.from({ length: 40 }, (_, i): CommitId => ({ writer: 'many', number: i + 1 }));
    const one = (id: CommitId) => [
      { kind: 'append', log: LOG, value: id.number } as const,
      ...save(`${id.number}`),
    ];
    await storage.commit(one(ids[0] as CommitId), ids[0]);
    const answers = await Promise.all(ids.slice(1).map((id) => storage.commit(one(id), id)));
    const rows = await sql("SELECT FROM smalltalk_commits WHERE writer = 'many'");
    expect(rows.length).toBeLessThan(ids.length);
    for (const again of [storage, other]) {
      for (const [i, id] of ids.slice(1).entries()) {
        expect(await again.commit(one(id), id)).toEqual(answers[i]);
      }
    }
    expect(await storage.read(LOG)).toHaveLength(1 + 2 * ids.length);
    await sql("UPDATE smalltalk_commits SET numbers = replace(numbers, ';', ',') WHERE writer = 'many'");
    expect((await rejection(other.commit(one(ids[9] as CommitId), ids[9]))).code).toBe(
      'storage.corrupt_record',
    );
    expect(await commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([{ sequence: 1 }]);
  });

  it('are carried out once when they are sent again while they are on their way', async () => {
    const { storage, commit } = await start();
    // From the third on it is not looked any more whether a later one is remembered.
    for (const state of ['second', 'third']) await commit(save(state));
    const append = (number: number) =>
      storage.commit([{ kind: 'append', log: LOG, value: number }], { writer: 'w', number });
    const from = (number: number) => Array.from({ length: 16 }, (_, i) => number + i);
    // So many that they make two groups of 16, the second of which begins with what the first ends with.
    const numbers = [...from(4), ...from(12)];
    const answers = await Promise.all(numbers.map(append));
    expect(answers).toEqual(numbers.map((sequence) => [{ sequence }]));
    expect(await storage.read(LOG)).toHaveLength(27);
  });

  it('are carried out once of which somebody else has carried out a later one', async () => {
    const { storage, other, commit } = await start();
    const append = (by: PostgresStorage, number: number) =>
      by.commit([{ kind: 'append', log: LOG, value: number }], { writer: 'left', number });
    for (const number of [4, 5, 6]) expect(await append(other, number)).toEqual([{ sequence: number - 2 }]);
    for (const state of ['known', 'here']) await commit(save(state));
    const numbers = [1, 2, 3, 4, 5, 6, 7];
    const answers = [];
    for (const number of numbers) answers.push(await append(storage, number));
    expect(answers).toEqual([7, 8, 9, 2, 3, 4, 10].map((sequence) => [{ sequence }]));
    expect(await storage.read(LOG)).toHaveLength(10);
  });

  it('do not overtake a group that ends with a commit from before', async () => {
    const { storage, other } = await start();
    const again = (number: number): [Operation[], CommitId] => [
      [{ kind: 'append', log: 'events', value: number }],
      { writer: 'former', number },
    ];
    for (const number of [1, 2]) await storage.commit(...again(number));
    await other.commit(...again(1));
    const put = (value: number): Operation[] => [{ kind: 'put', collection: 'sessions', id: 'b', value }];
    // So many that they make two groups of 8, the first of which the server does not carry out quickly.
    const fill = (count: number) =>
      Array.from({ length: count }, (_, i) => other.commit([{ kind: 'append', log: `f/${i}`, value: 1 }]));
    const answers = [
      other.commit(put(1)),
      ...fill(6),
      other.commit(...again(2)),
      other.commit(put(2)),
      ...fill(7),
    ];
    const carried = await Promise.all(answers);
    expect([carried[0], carried[7], carried[8]]).toEqual([
      [{ version: 1 }],
      [{ sequence: 2 }],
      [{ version: 2 }],
    ]);
    expect((await storage.get('sessions', 'b'))?.value).toBe(2);
  });

  it('are carried out once each, in several processes whose connections are ended all the time', async () => {
    const { storage, other, faults } = await start();
    const answers = new Map<string, unknown>();
    const commits = (writer: string, at: (number: number) => PostgresStorage) => async () => {
      for (let number = 1; number <= 60; number++) {
        const value = `${writer}.${number}`;
        const operations: Operation[] = [
          { kind: 'append', log: `messages/${number % 3}`, value },
          { kind: 'put', collection: 'sessions', id: writer, value, index: { number } },
        ];
        // The first half by one process, so that it goes by what it knows.
        const commit = () => at(number).commit(operations, { writer, number });
        const answer = await commit();
        if (number % 7 === 0) expect(await commit()).toEqual(answer);
        answers.set(value, answer);
      }
    };
    const writers = Array.from({ length: 12 }, (_, i) => `w${i}`);
    const all = Promise.all(
      writers.map((writer, i) =>
        commits(writer, (number) => (number <= 30 || i % 2 === 0 ? storage : other))(),
      ),
    );
    let busy = true;
    const ended = all.finally(() => {
      busy = false;
    });
    while (busy) {
      const before = answers.size;
      await runSql(
        server.adminUrl,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'smalltalk-console'",
      );
      while (busy && answers.size < before + 50) await nextTurn();
    }
    await ended;
    for (const log of ['messages/0', 'messages/1', 'messages/2']) {
      const entries = await other.read<string>(log);
      expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, i) => i + 1));
      expect(entries).toHaveLength(20 * writers.length);
      for (const { value, sequence } of entries) {
        expect(answers.get(value)).toEqual([{ sequence }, { version: Number(value.split('.')[1]) }]);
      }
    }
    expect(faults).toEqual([]);
  });

  it('do not pile up what is remembered of them', async () => {
    const { storage, sql } = await start();
    const append = (number: number) =>
      storage.commit([{ kind: 'append', log: 'events', value: number }], { writer: 'long', number });
    for (let number = 1; number <= 4_200; number += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => append(number + i)));
    }
    const count = () =>
      sql("SELECT min(first_number)::integer AS first FROM smalltalk_commits WHERE writer = 'long'").then(
        ([row]) => row?.first,
      );
    await expect.poll(count).toBeGreaterThan(2_000);
    for (const number of [4_200, 4_200 - REMEMBERED_COMMITS + 1]) {
      expect(await append(number)).toEqual([{ sequence: number }]);
    }
    expect(await append(4_201)).toEqual([{ sequence: 4_201 }]);
  });
});
