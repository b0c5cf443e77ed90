import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { makePrivateFolder, syncFolder } from '../../base/durable-file.ts';
import { systemCodeOf } from '../../base/errors.ts';
import { randomId, timeOrderedId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import {
  type GenerationRecord,
  isToBeKept,
  type Manifest,
  readManifest,
  writeManifest,
} from '../manifest.ts';
import { OwnerLock } from '../owner-lock.ts';
import type { Generation } from '../storage.ts';
import { createDatabase, isEmptyDatabase, openDatabase } from './database.ts';

/**
 * The folder of a storage: `lock`, the pointer file `CURRENT`, and one `<id>.sqlite` for each generation of the data.
 * A data file that `CURRENT` does not name was never finished, or was dropped: it is removed at the next open, unless it had
 * been set aside and was put back.
 */
export class DataFolder {
  readonly #path: string;
  readonly #lock: OwnerLock;
  #manifest: Manifest;

  private constructor(path: string, lock: OwnerLock, manifest: Manifest) {
    this.#path = path;
    this.#lock = lock;
    this.#manifest = manifest;
  }

  /** Makes the folder and its first generation if need be; rejects and leaves nothing open otherwise. */
  static async open(path: string, now: number): Promise<DataFolder> {
    await makePrivateFolder(path);
    const lock = await OwnerLock.take(path);
    try {
      const pointer = join(path, 'CURRENT');
      await removeUnfinishedPointers(path);
      const found = await readManifest(pointer);
      if (found === undefined) {
        const manifest = await createFirst(path, now);
        await writeManifest(pointer, manifest);
        return new DataFolder(path, lock, manifest);
      }
      const folder = new DataFolder(path, lock, found);
      await folder.#removeUnnamed();
      return folder;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  get active(): string {
    return this.#manifest.active;
  }

  fileOf(id: string): string {
    return join(this.#path, `${id}.sqlite`);
  }

  openActive(): Promise<Database> {
    return this.openGeneration(this.active);
  }

  /** Rejects with `storage.corrupt` when the file is gone. */
  async openGeneration(id: string): Promise<Database> {
    const file = this.fileOf(id);
    try {
      return await openDatabase(file);
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
      throw fault('storage.corrupt', `The data file ${file} is missing. Restore a backup.`, { file });
    }
  }

  /** Reads the pointer again: after a write of it that failed, only the disk knows what it says. */
  async reread(): Promise<void> {
    this.#manifest = (await readManifest(join(this.#path, 'CURRENT'))) ?? this.#manifest;
  }

  list(): Generation[] {
    const kept = new Set(this.#manifest.generations.map(({ id }) => id));
    return this.#manifest.generations.map(({ previous, ...generation }) => ({
      ...generation,
      active: generation.id === this.active,
      ...(previous !== undefined && kept.has(previous) ? { previous } : {}),
    }));
  }

  /** True when the generation is sealed. */
  has(id: string): boolean {
    return this.#manifest.generations.some((generation) => generation.id === id);
  }

  /** Throws `storage.invalid` unless the generation is sealed. */
  require(id: string): void {
    if (!this.has(id)) throw fault('storage.invalid', `There is no sealed generation ${id}.`);
  }

  /** Names a generation whose file is complete and synced. */
  async add(generation: GenerationRecord): Promise<void> {
    await syncFolder(this.#path);
    await this.#write({ generations: [...this.#manifest.generations, generation] });
  }

  /** The commit point of an activation. */
  async point(id: string, now: number): Promise<void> {
    const before = this.active;
    await this.#write({
      active: id,
      generations: this.#manifest.generations.map((generation) =>
        generation.id === id ? { ...generation, previous: before, activatedAt: now } : generation,
      ),
    });
  }

  async drop(id: string): Promise<void> {
    await this.#write({
      generations: this.#manifest.generations.filter((generation) => generation.id !== id),
    });
    await this.remove(id);
  }

  /** Removes the files of a generation that the pointer does not name. */
  async remove(id: string): Promise<void> {
    for (const suffix of FILE_SUFFIXES) await rm(this.fileOf(id) + suffix, { force: true });
  }

  /** Bytes that a generation takes on disk. */
  async sizeOf(id: string): Promise<number> {
    let bytes = 0;
    for (const suffix of FILE_SUFFIXES) {
      bytes += await stat(this.fileOf(id) + suffix).then(
        ({ size }) => size,
        () => 0,
      );
    }
    return bytes;
  }

  release(): void {
    this.#lock.release();
  }

  async #write(change: Partial<Manifest>): Promise<void> {
    const manifest = { ...this.#manifest, ...change };
    await writeManifest(join(this.#path, 'CURRENT'), manifest);
    this.#manifest = manifest;
  }

  async #removeUnnamed(): Promise<void> {
    for (const id of await dataFiles(this.#path)) {
      if (!isToBeKept(this.#manifest, id)) await this.remove(id);
    }
  }
}

/** What SQLite keeps beside a file goes first, so that a crash in between leaves the name that is looked for. */
const FILE_SUFFIXES = ['-shm', '-wal', '-journal', ''];

/** The ids of the data files in a folder. */
async function dataFiles(path: string): Promise<string[]> {
  const names = await readdir(path);
  return names.flatMap((name) => /^([0-9a-z]+)\.sqlite$/.exec(name)?.[1] ?? []);
}

/** What a kill leaves when it comes between the writing of a new pointer file and its renaming. */
async function removeUnfinishedPointers(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    if (/^\.CURRENT\..+\.tmp$/.test(name)) await rm(join(path, name), { force: true });
  }
}

/**
 * The first generation. Data without a pointer is not touched: losing `CURRENT` must not lose what it pointed to. Only an
 * empty file, left by a first start that was cut short, makes way.
 */
async function createFirst(path: string, now: number): Promise<Manifest> {
  for (const id of await dataFiles(path)) {
    const file = join(path, `${id}.sqlite`);
    if (!(await isEmptyDatabase(file))) {
      throw fault(
        'storage.corrupt',
        `${join(path, 'CURRENT')} is missing, though ${file} holds data. Nothing was changed.`,
        { file },
      );
    }
    for (const suffix of FILE_SUFFIXES) await rm(file + suffix, { force: true });
  }
  const id = timeOrderedId(now, randomId);
  (await createDatabase(join(path, `${id}.sqlite`), 'durable')).close();
  await syncFolder(path);
  return { active: id, generations: [{ id, createdAt: now, reason: 'first' }] };
}
