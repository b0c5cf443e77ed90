import { beforeEach, expect, it } from 'vitest';
import type { Operation } from '../storage.ts';
import { byRank, COUNT, document, filledFolder, id, payload, recordsIn } from './testing/filled-folder.ts';
import type { StorageFolder } from './testing/storage-folder.ts';

let folder: StorageFolder;
const damaged = () => recordsIn(folder.faults);

beforeEach(async () => {
  folder = await filledFolder();
});

it('lists the others although the fields of one cannot be read', async () => {
  await folder.behindItsBack((database) =>
    database.exec(`UPDATE document SET fields = '{"rank"x1}' WHERE id = '${id(5)}'`),
  );
  const storage = await folder.open();
  expect((await storage.list('sessions', byRank)).items).toHaveLength(COUNT - 1);
  expect(damaged()).toEqual([`document sessions/${id(5)}`]);
  await storage.commit([document(5)]);
  expect((await storage.list('sessions', byRank)).items).toHaveLength(COUNT);
  expect(folder.faults).toHaveLength(1);
});

it('writes a document although a stray row is where its index row goes', async () => {
  await folder.behindItsBack((database) =>
    database.exec(`UPDATE document_field SET value = 1000 WHERE field = 'rank' AND value = 8`),
  );
  const storage = await folder.open();
  await storage.commit([{ ...document(8), index: { rank: 1000 } } as Operation]);
  const { items } = await storage.list('sessions', { where: [{ field: 'rank', from: 900 }], limit: 10 });
  expect(items.map((item) => item.id)).toEqual([id(8)]);
});

it.each([['sessions'], ['settings']])(
  'lists no document of %s under the name of another, whose index row leads to it',
  async (collection) => {
    const own = { kind: 'put', collection, id: id(4), value: 'other', index: { rank: 3 } } as const;
    const storage = await folder.open();
    await storage.commit([own]);
    await storage.close();
    await folder.behindItsBack((database) =>
      database
        .prepare(
          `UPDATE document_field SET document = (SELECT key FROM document WHERE collection = ? AND id = ?)
           WHERE collection = 'sessions' AND field = 'rank' AND id = ?`,
        )
        .run(collection, id(4), id(3)),
    );
    const again = await folder.open();
    const three = { where: [{ field: 'rank', is: 3 }], limit: 10 };
    const { items } = await again.list('sessions', three);
    for (const item of items) expect(item).toMatchObject({ collection: 'sessions' });
    expect(items.map((item) => item.id)).not.toContain(id(3));
    expect(damaged()).toContain(`index of sessions/${id(3)}`);
    const mended = await again.list('sessions', three);
    expect(mended.items.map((item) => item.id)).toContain(id(3));
    expect(mended.items.find((item) => item.id === id(3))?.value).toBe(payload('document', 3));
  },
);

it('does not list a document by an index row that says what the document does not', async () => {
  await folder.behindItsBack((database) =>
    database.exec(`UPDATE document_field SET value = 1000 WHERE field = 'rank' AND value = 8`),
  );
  const storage = await folder.open();
  const { items } = await storage.list('sessions', { where: [{ field: 'rank', from: 900 }], limit: 10 });
  expect(items).toEqual([]);
  expect(damaged()).toEqual([`index of sessions/${id(8)}`]);
  expect((await storage.get('sessions', id(8)))?.value).toBe(payload('document', 8));
  const ranks = await storage.list('sessions', {
    ...byRank,
    where: [{ field: 'rank', from: 7, below: 10 }],
  });
  expect(ranks.items.map((item) => item.id)).toEqual([id(7), id(8), id(9)]);
  expect(folder.faults).toHaveLength(1);
});
