import { expect, it, onTestFinished } from 'vitest';
import { valueChecksum } from '../checksum.ts';
import { recordsOf } from '../contract/fixture.ts';
import type { Operation } from '../storage.ts';
import { createDatabase } from './database.ts';
import { LogTable } from './log-table.ts';
import { MAXIMUM_LOG_NUMBER } from './migrations.ts';
import { StorageFolder } from './testing/storage-folder.ts';

const LOGS = ['messages/a', 'messages/b', 'messages/c'];

// The keys of the entries of these are beyond 2^53, where numbers have gaps unless they are integers all the way.
it.each([2 ** 15, 2 ** 20 + 1, MAXIMUM_LOG_NUMBER - LOGS.length])(
  'keeps logs apart and complete behind %i others',
  async (others) => {
    const folder = await StorageFolder.make();
    await (await folder.open()).close();
    await folder.behindItsBack((database) =>
      database
        .prepare("INSERT INTO log (number, name, last_sequence, crc) VALUES (?, 'others', 0, 0)")
        .run(others),
    );
    const storage = await folder.open();
    const append = (log: string, value: number): Operation => ({ kind: 'append', log, value });
    for (let i = 1; i <= 9; i++) {
      const results = await storage.commit(LOGS.map((log) => append(log, i)));
      expect(results).toEqual(LOGS.map(() => ({ sequence: i })));
    }
    await storage.commit([{ kind: 'trim', log: 'messages/b', through: 4 }]);

    const valuesOf = async (log: string, query = {}) =>
      (await storage.read<number>(log, query)).map(({ sequence, value }) => [sequence, value]);
    const pairs = (from: number) => Array.from({ length: 10 - from }, (_, i) => [from + i, from + i]);
    expect(await valuesOf('messages/a')).toEqual(pairs(1));
    expect(await valuesOf('messages/b')).toEqual(pairs(5));
    expect(await valuesOf('messages/c', { reverse: true })).toEqual(pairs(1).reverse());
    expect(await valuesOf('messages/c', { after: 3, before: 6 })).toEqual([
      [4, 4],
      [5, 5],
    ]);
    const entries = (await recordsOf(storage)).filter(({ kind }) => kind === 'entry');
    expect(entries).toHaveLength(9 + 5 + 9);

    await storage.commit([{ kind: 'trim', log: 'messages/b', through: 9 }]);
    await storage.close();
    const reopened = await folder.open();
    expect(await reopened.commit(LOGS.map((log) => append(log, 10)))).toEqual(
      LOGS.map(() => ({ sequence: 10 })),
    );
    expect(await reopened.read('messages/c')).toHaveLength(10);
  },
);

it('writes nothing that could not be read again, and uses up no number for it', async () => {
  const folder = await StorageFolder.make();
  const database = await createDatabase(folder.file('one.sqlite'), 'durable');
  onTestFinished(() => void database.close());
  const logs = new LogTable(database, () => undefined);
  const append = (json: string, valueCrc: number, at = 1) => logs.append('events', at, json, valueCrc);
  expect(append('"one"', valueChecksum('"one"'))).toBe(1);
  expect(() => append('"twp"', valueChecksum('"two"'))).toThrow(/damaged before it was written/);
  expect(() => append('"two"', valueChecksum('"two"'), 1.5)).toThrow(/no time/);
  expect(append('"two"', valueChecksum('"two"'))).toBe(2);
  expect(database.prepare('SELECT count(*) FROM entry').pluck().get()).toBe(2);
});
