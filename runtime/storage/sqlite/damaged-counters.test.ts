import { beforeEach, expect, it } from 'vitest';
import { SEQUENCE_BITS } from './migrations.ts';
import { COUNT, filledFolder, recordsIn } from './testing/filled-folder.ts';
import type { StorageFolder } from './testing/storage-folder.ts';

let folder: StorageFolder;
const damaged = () => recordsIn(folder.faults);

beforeEach(async () => {
  folder = await filledFolder();
});

it('does not use a number twice when the counter of a log was damaged', async () => {
  for (const forged of [3, 2 ** 40, -1]) {
    await folder.behindItsBack((database) =>
      database.prepare('UPDATE log SET last_sequence = ?').run(forged),
    );
    const storage = await folder.open();
    const before = (await storage.read('events', { reverse: true, limit: 1 }))[0]?.sequence ?? 0;
    expect(await storage.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([
      { sequence: before + 1 },
    ]);
    await storage.close();
  }
  expect(damaged()).toEqual(['log events', 'log events', 'log events']);
});

it('does not carry a damaged counter of a log over to the next generation', async () => {
  await folder.behindItsBack((database) =>
    database.prepare('UPDATE log SET last_sequence = ?').run(2 ** SEQUENCE_BITS - 1),
  );
  const storage = await folder.open();
  const writer = await storage.generations.create('test');
  await writer.seal();
  await storage.generations.activate(writer.id);
  expect(await storage.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([
    { sequence: COUNT + 1 },
  ]);
});

it('does not use a number twice when the last entry of a log was damaged', async () => {
  await folder.behindItsBack((database) =>
    database.prepare(`UPDATE entry SET record = 'torn' WHERE key & 255 = ?`).run(COUNT),
  );
  const storage = await folder.open();
  expect(await storage.read('events')).toHaveLength(COUNT - 1);
  await storage.close();
  const reopened = await folder.open();
  expect(await reopened.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([
    { sequence: COUNT + 1 },
  ]);
  expect(damaged()).toEqual([`entry events#${COUNT}`]);
});

it.each<[string, string]>([
  ['its number', 'UPDATE log SET number = number + 64'],
  ['its last number', 'UPDATE log SET last_sequence = last_sequence + 256'],
  ['its name', `UPDATE log SET name = 'dvents'`],
  ['its checksum', 'UPDATE log SET crc = crc + iif(crc & 1, -1, 1)'],
])('puts a log right of which one bit was flipped in %s', async (_what, flip) => {
  await folder.behindItsBack((database) => database.exec(`${flip} WHERE name = 'events'`));
  const storage = await folder.open();
  expect(await storage.read('events')).toHaveLength(COUNT);
  expect(damaged()).toEqual(['log events']);
  expect(await storage.commit([{ kind: 'append', log: 'events', value: 1 }])).toEqual([
    { sequence: COUNT + 1 },
  ]);
  await storage.close();
  await folder.open();
  expect(damaged()).toEqual(['log events']);
});
