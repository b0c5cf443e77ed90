import { expect, it } from 'vitest';
import type { Operation } from '../storage.ts';
import { StorageFolder } from './testing/storage-folder.ts';

const put = (id: string, value: unknown, expectVersion?: number): Operation[] => [
  {
    kind: 'put',
    collection: 'sessions',
    id,
    value,
    ...(expectVersion === undefined ? {} : { expectVersion }),
  },
  { kind: 'append', log: 'events', value: id },
];

it('carries out in few transactions what arrives in one tick', async () => {
  const storage = await (await StorageFolder.make()).open();
  const commits = Array.from({ length: 500 }, (_, i) => storage.commit(put(`id-${i}`, i)));
  expect(await Promise.all(commits)).toHaveLength(500);
  const { commits: carriedOut, transactions } = await storage.workerCounts();
  expect(carriedOut).toBe(500);
  expect(transactions).toBeLessThan(250);
});

it('carries out one by one what arrives one by one', async () => {
  const storage = await (await StorageFolder.make()).open();
  for (let i = 0; i < 20; i++) await storage.commit(put('a', i));
  expect(await storage.workerCounts()).toMatchObject({ commits: 20, transactions: 20 });
});

it('shares transactions among clients that each wait for their own commits', async () => {
  const storage = await (await StorageFolder.make()).open();
  const client = async (name: string) => {
    for (let i = 1; i <= 20; i++) expect((await storage.commit(put(name, i)))[0]).toEqual({ version: i });
  };
  await Promise.all(Array.from({ length: 64 }, (_, i) => client(`client-${i}`)));
  const { commits, transactions } = await storage.workerCounts();
  expect(commits).toBe(64 * 20);
  expect(transactions).toBeLessThan(commits / 8);
  expect(await storage.read('events', { limit: 10_000 })).toHaveLength(64 * 20);
});

it('fails only the one in a transaction whose version is wrong', async () => {
  const storage = await (await StorageFolder.make()).open();
  await storage.commit(put('contested', 0));
  const settled = await Promise.allSettled([
    storage.commit(put('a', 1)),
    storage.commit(put('contested', 1, 1)),
    storage.commit(put('contested', 2, 1)),
    storage.commit(put('b', 1)),
  ]);
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(await storage.workerCounts()).toMatchObject({ transactions: 2 });
  expect((await storage.get('sessions', 'contested'))?.value).toBe(1);
  expect((await storage.read('events')).map(({ value }) => value)).toEqual([
    'contested',
    'a',
    'contested',
    'b',
  ]);
});

it('answers a read without waiting for the commits that travel with it', async () => {
  const storage = await (await StorageFolder.make()).open();
  await storage.commit(put('a', 'before'));
  const order: string[] = [];
  await Promise.all([
    storage.commit(put('a', 'after')).then(() => order.push('commit')),
    storage.get('sessions', 'a').then((document) => order.push(`read ${document?.value}`)),
  ]);
  expect(order).toEqual(['read before', 'commit']);
});

it('removes expired documents from the file in the background', async () => {
  const folder = await StorageFolder.make();
  let time = 1_000_000;
  const storage = await folder.open({ now: () => time });
  const expiring = Array.from(
    { length: 1_200 },
    (_, i): Operation => ({
      kind: 'put',
      collection: 'sessions',
      id: `id-${i}`,
      value: i,
      index: { i },
      expiresAt: time + 10,
    }),
  );
  await storage.commit(expiring);
  time += 61_000;
  // Each commit clears away some, so that none has to wait for all of them.
  for (let i = 0; i < 4; i++) await storage.commit(put('kept', i));
  await storage.close();
  const left = await folder.behindItsBack((database) =>
    database
      .prepare('SELECT (SELECT count(*) FROM document), (SELECT count(*) FROM document_field)')
      .raw()
      .get(),
  );
  expect(left).toEqual([1, 0]);
});
