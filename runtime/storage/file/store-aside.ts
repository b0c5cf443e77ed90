import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivateFolder, syncFolder, writeFileDurably } from '../../base/durable-file.ts';
import { isCoded, systemCodeOf } from '../../base/errors.ts';
import { randomId, timeOrderedId } from '../../base/ids.ts';
import { readManifest, writeManifest } from '../manifest.ts';
import { isGenerationFolder } from './generation-folders.ts';

/** How the folders in `damaged` begin that each hold a store. */
const STORE_ASIDE = 'store ';

/**
 * Puts a store out of the way whose structure cannot be made sense of: the pointer file is damaged or gone, or what it names
 * as the active generation is. Nothing is deleted: everything is moved to `damaged/store <time>`, where somebody can still
 * read the files, the pointer with them: put back as they were, they are the store that they were. What the pointer names
 * beside the active generation stays, as long as it can be read. Resolves with what there is to tell. To be called with the
 * lock held.
 */
export async function setStoreAside(path: string, now: number): Promise<string> {
  const pointer = join(path, 'CURRENT');
  const manifest = await readManifest(pointer).catch((error: unknown) => {
    if (!isCoded(error, 'storage.corrupt')) throw error;
    return undefined;
  });
  const aside = join(path, 'damaged', `${STORE_ASIDE}${nameOfTime(now)} ${randomId(4)}`);
  await makePrivateFolder(join(path, 'damaged'));
  await mkdir(aside, { mode: 0o700 });
  const folders = manifest === undefined ? (await readdir(path)).filter(isGenerationFolder).sort() : [];
  // The journal before the generations, and the pointer last: a start that is cut short here finds what it found before, and
  // never a journal that it would carry out in a new generation.
  for (const name of ['journal', 'commits', ...folders]) {
    await renameIfThere(join(path, name), join(aside, name));
    await syncFolder(aside);
    await syncFolder(path);
  }
  await copyIfThere(pointer, join(aside, 'CURRENT'));
  const missing = manifest === undefined ? [] : [manifest.active];
  const id = timeOrderedId(now, randomId);
  await makePrivateFolder(join(path, id));
  await writeManifest(pointer, {
    active: id,
    generations: [
      ...(manifest?.generations ?? []).filter((generation) => generation.id !== manifest?.active),
      { id, createdAt: now, reason: 'set aside' },
    ],
    setAside: [...new Set([...(manifest?.setAside ?? []), ...missing, ...(await allSetAside(path))])],
  });
  return manifest === undefined
    ? `The files of the storage in ${path} are damaged and cannot be used. They are kept in ${aside}. Restore a backup to have your data again.`
    : `${join(path, manifest.active)} is gone. What was on its way into it is kept in ${aside}. Restore a backup to have your data again.`;
}

/** A time as a file name that every system takes. */
function nameOfTime(now: number): string {
  return new Date(now).toISOString().slice(0, 19).replaceAll(':', '-');
}

/** The generations that lie in any of the stores that were set aside: a pointer that is damaged does not tell of those before. */
async function allSetAside(path: string): Promise<string[]> {
  const damaged = join(path, 'damaged');
  const stores = (await readdir(damaged)).filter((name) => name.startsWith(STORE_ASIDE));
  const names = await Promise.all(stores.map((name) => readdir(join(damaged, name))));
  return names.flat().filter(isGenerationFolder).sort();
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  });
}

async function copyIfThere(from: string, to: string): Promise<void> {
  const bytes = await readFile(from).catch((error: unknown) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return undefined;
  });
  if (bytes !== undefined) await writeFileDurably(to, bytes);
}
