import { expect, it } from 'vitest';
import { rejection } from '../contract/fixture.ts';
import type { CommitId, Operation } from '../storage.ts';
import { StorageFolder } from './testing/storage-folder.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const append = (value: unknown): Operation[] => [{ kind: 'append', log: 'events', value }];
const id = (writer: string, number = 1): CommitId => ({ writer, number });
const writersIn = (folder: StorageFolder) =>
  folder.behindItsBack((database) =>
    database.prepare('SELECT DISTINCT writer FROM named_commit ORDER BY writer').pluck().all(),
  );

it('keeps nothing of a commit without a name', async () => {
  const folder = await StorageFolder.make();
  const storage = await folder.open();
  await storage.commit(append(1));
  await storage.close();
  expect(await writersIn(folder)).toEqual([]);
});

it('does not grow with the number of commits', async () => {
  const folder = await StorageFolder.make();
  const storage = await folder.open();
  for (let first = 1; first <= 3_000; first += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, i) => storage.commit(append(first + i), id('one', first + i))),
    );
  }
  await storage.close();
  const rows = await folder.behindItsBack((database) =>
    database.prepare('SELECT count(*), min(number), max(number) FROM named_commit').raw().get(),
  );
  expect(rows).toEqual([1_024, 3_000 - 1_023, 3_000]);
});

it('forgets a writer that was not heard of for 30 days, at the next start', async () => {
  let time = Date.UTC(2026, 0, 1);
  const folder = await StorageFolder.make();
  const before = await folder.open({ now: () => time });
  await before.commit(append(1), id('old'));
  await before.commit(append(2), id('busy'));
  time += 20 * DAY_MS;
  await before.commit(append(3), id('busy', 2));
  await before.close();
  time += 11 * DAY_MS;
  const after = await folder.open({ now: () => time });
  await after.commit(append(4));
  await after.close();
  expect(await writersIn(folder)).toEqual(['busy']);
});

it('does not carry a commit out twice because a generation was activated in between', async () => {
  const storage = await (await StorageFolder.make()).open();
  await storage.commit([...append('first'), ...append('second')], id('one'));
  const writer = await storage.generations.create('test');
  await writer.seal();
  await storage.generations.activate(writer.id);
  expect(await storage.commit([...append('first'), ...append('second')], id('one'))).toEqual([
    { sequence: 1 },
    { sequence: 2 },
  ]);
  expect(await storage.read('events')).toEqual([]);
});

it('says that it does not know when what it kept of a commit is damaged, and tells so', async () => {
  const folder = await StorageFolder.make();
  const storage = await folder.open();
  await storage.commit(append(1), id('one'));
  await storage.commit(append(2), id('one', 2));
  await storage.close();
  await folder.behindItsBack((database) =>
    database.exec(`UPDATE named_commit SET numbers = '[7]' WHERE number = 1`),
  );
  const reopened = await folder.open();
  const [damaged, whole] = await Promise.allSettled([
    reopened.commit(append(1), id('one')),
    reopened.commit(append(2), id('one', 2)),
  ]);
  expect(damaged).toMatchObject({ reason: { code: 'storage.failed' } });
  expect(whole).toMatchObject({ value: [{ sequence: 2 }] });
  expect(await reopened.read('events')).toHaveLength(2);
  expect(folder.faults.map(({ record }) => record)).toEqual(['commit one#1']);
});

it('refuses a bad name before anything is written', async () => {
  const storage = await (await StorageFolder.make()).open();
  expect((await rejection(storage.commit(append(1), id('no/slash')))).code).toBe('storage.invalid');
  expect(await storage.read('events')).toEqual([]);
});
