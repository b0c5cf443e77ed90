import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../base/durable-file.ts';
import { systemCodeOf } from '../../base/errors.ts';
import { randomId, timeOrderedId } from '../../base/ids.ts';
import { readManifest, writeManifest } from '../manifest.ts';
import { OwnerLock } from '../owner-lock.ts';
import { createDatabase } from './database.ts';

/** A data file and what SQLite keeps beside it. */
const SUFFIXES = ['', '-wal', '-shm', '-journal'];

/**
 * Puts a data file that cannot be opened out of the way, under the name `<file>.damaged`, and an empty generation in its
 * place; the other generations stay. Nothing is ever deleted: perhaps somebody can still get something out of it. Resolves
 * with what there is to tell; undefined when the folder itself cannot be made sense of, which is then left as it is.
 */
export async function setActiveAside(folder: string, now: number): Promise<string | undefined> {
  const lock = await OwnerLock.take(folder);
  try {
    const pointer = join(folder, 'CURRENT');
    const manifest = await readManifest(pointer).catch(() => undefined);
    if (manifest === undefined) return undefined;
    const file = join(folder, `${manifest.active}.sqlite`);
    const kept = `${file}.damaged`;
    // First, because what the pointer does not name is removed at an open. A start that is cut short here finds the file
    // missing, and comes through here again.
    let found = false;
    for (const suffix of SUFFIXES) {
      const moved = await renameIfThere(file + suffix, kept + suffix);
      found ||= suffix === '' && moved;
    }
    await syncFolder(folder);
    const id = timeOrderedId(now, randomId);
    (await createDatabase(join(folder, `${id}.sqlite`), 'durable')).close();
    await syncFolder(folder);
    await writeManifest(pointer, {
      active: id,
      generations: [
        ...manifest.generations.filter((generation) => generation.id !== manifest.active),
        { id, createdAt: now, reason: 'set aside' },
      ],
      setAside: [...(manifest.setAside ?? []), manifest.active],
    });
    return found
      ? `${file} is damaged and cannot be used. It is kept as ${kept}. Restore a backup to have your data again.`
      : `${file} is gone. Restore a backup to have your data again.`;
  } finally {
    lock.release();
  }
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return false;
  }
}
