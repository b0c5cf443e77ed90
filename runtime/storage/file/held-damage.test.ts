import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Operation, SnapshotRecord } from '../storage.ts';
import { quickFolder } from '../testing/quick-folder.ts';
import { FileStorage } from './file-storage.ts';
import { isGenerationFolder } from './generation-folders.ts';

/** More than a snapshot reads ahead. */
const DOCUMENTS = 2_500;
const LAST = `d${DOCUMENTS}`;
const VALUE = 'as it was';

/** A storage whose documents all are in their files, and a snapshot of it that has just begun. */
async function storeWithSnapshot() {
  const folder = await mkdtemp(join(quickFolder(), 'storage-held-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const reported: string[] = [];
  const storage = new FileStorage({ folder, onFault: ({ record }) => reported.push(record) });
  onTestFinished(() => storage.close());
  await storage.open();
  const ids = Array.from({ length: DOCUMENTS }, (_, i) => `d${i + 1}`).sort();
  await storage.commit(
    ids.map((id): Operation => ({ kind: 'put', collection: 'documents', id, value: VALUE })),
  );
  await storage.close();
  await storage.open();
  const snapshot = storage.snapshot();
  onTestFinished(async () => {
    await snapshot.return();
  });
  await snapshot.next();
  return { folder, storage, reported, snapshot, ids };
}

async function remaining(snapshot: AsyncGenerator<SnapshotRecord[]>): Promise<SnapshotRecord[]> {
  const records: SnapshotRecord[] = [];
  for await (const batch of snapshot) records.push(...batch);
  return records;
}

const flipLastDigit = async (file: string) => {
  const bytes = await readFile(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 5) ^ 1, bytes.length - 5);
  await writeFile(file, bytes);
};

it('leaves the version that is there when one that a snapshot holds is damaged', async () => {
  const { folder, storage, reported, snapshot } = await storeWithSnapshot();
  const generation = (await readdir(folder)).find(isGenerationFolder) ?? '';
  const file = join(folder, generation, 'documents', `${LAST}.json`);
  await flipLastDigit(file);
  await storage.commit([{ kind: 'put', collection: 'documents', id: LAST, value: 'new' }]);
  await expect.poll(() => readFile(file, 'utf8')).toContain('"new"');

  const records = await remaining(snapshot);
  expect(records.some((record) => record.kind === 'document' && record.id === LAST)).toBe(false);
  expect(reported).toEqual([`document documents/${LAST}`]);
  expect(await storage.get('documents', LAST)).toMatchObject({ version: 2, value: 'new' });

  // Damage of that one is news again.
  await flipLastDigit(file);
  expect(await storage.get('documents', LAST)).toBeUndefined();
  expect(reported).toEqual([`document documents/${LAST}`, `document documents/${LAST}`]);
  await storage.close();
  await storage.open();
  expect((await storage.stats()).documents).toEqual({ documents: DOCUMENTS - 1 });
});

it.each([
  ['other', 7],
  ['the same', 1],
])(
  'leaves a restored generation with %s documents when the one of a snapshot is dropped',
  async (_, version) => {
    const { storage, reported, snapshot, ids } = await storeWithSnapshot();
    const writer = await storage.generations.create('restore');
    const json = JSON.stringify(VALUE);
    await writer.write(
      ids.map(
        (id): SnapshotRecord => ({ kind: 'document', collection: 'documents', id, version, json, index: {} }),
      ),
    );
    await writer.seal();
    await storage.generations.activate(writer.id);
    const before = (await storage.generations.list()).find(({ active }) => !active)?.id ?? '';
    await storage.generations.drop(before);

    await expect(remaining(snapshot)).rejects.toMatchObject({ code: 'storage.failed' });
    expect(reported).toEqual([]);
    for (let start = 0; start < 2; start++) {
      expect(await storage.get('documents', LAST)).toMatchObject({ version, value: VALUE });
      expect((await storage.stats()).documents).toEqual({ documents: DOCUMENTS });
      await storage.close();
      await storage.open();
    }
  },
);
