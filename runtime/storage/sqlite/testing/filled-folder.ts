import { recordsOf } from '../../contract/fixture.ts';
import type { Operation, StorageFault } from '../../storage.ts';
import type { SqliteStorage } from '../sqlite-storage.ts';
import { StorageFolder } from './storage-folder.ts';

export const COUNT = 40;
export const id = (i: number) => `id-${String(i).padStart(2, '0')}`;
/** Long enough to be found in the file, and unlike any other. */
export const payload = (kind: string, i: number) => `${kind}-${i}:${'payload'.repeat(20)}:${kind}-${i}`;
export const document = (i: number): Operation => ({
  kind: 'put',
  collection: 'sessions',
  id: id(i),
  value: payload('document', i),
  index: { rank: i, title: `Title ${i}` },
});
export const byRank = { orderBy: { field: 'rank', direction: 'ascending' }, limit: 1000 } as const;

/** A closed storage with `COUNT` documents of `sessions` and as many entries of `events`, for a case to damage. */
export async function filledFolder(): Promise<StorageFolder> {
  const folder = await StorageFolder.make();
  const storage = await folder.open();
  await storage.commit(
    Array.from({ length: COUNT }, (_, i) => i + 1).flatMap((i) => [
      document(i),
      { kind: 'append', log: 'events', value: payload('entry', i) },
    ]),
  );
  await storage.close();
  return folder;
}

/** What was reported, in an order of its own. */
export const recordsIn = (faults: StorageFault[]): string[] => faults.map(({ record }) => record).sort();

/** All places of the text: a page that was divided keeps the bytes that moved away. */
export function placesOf(bytes: Buffer, text: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at);
  return places;
}

/** By each of the ways in which records are read. */
export async function readEverything(storage: SqliteStorage) {
  const got: string[] = [];
  for (let i = 1; i <= COUNT; i++) {
    const found = await storage.get<string>('sessions', id(i));
    if (found !== undefined) got.push(found.value);
  }
  const listed = (await storage.list<string>('sessions', byRank)).items.map(({ value }) => value);
  const entries = (await storage.read<string>('events')).map(({ value }) => value);
  const records = await recordsOf(storage);
  return { got, listed, entries, records };
}
