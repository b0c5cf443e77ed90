import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivateFolder, PRIVATE_FILE_MODE, syncFolder } from '../../base/durable-file.ts';
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
import type { Generation } from '../storage.ts';
import { TEMPORARY_ENDING } from './disk.ts';
import { FOLDER_GITIGNORE, FOLDER_README } from './folder-readme.ts';

/** True of what the folders of generations are called. */
export const isGenerationFolder = (name: string): boolean => /^[0-9a-z]{20}$/.test(name);

/**
 * The pointer file `CURRENT` and the generations that it names, each a folder. One that it does not name was never
 * finished, or was dropped: it is removed at the next open, unless it had been set aside and was put back.
 */
export class GenerationFolders {
  readonly #path: string;
  #manifest: Manifest;

  private constructor(path: string, manifest: Manifest) {
    this.#path = path;
    this.#manifest = manifest;
  }

  /** Makes the first generation if need be; rejects with `storage.corrupt` when it is not known what the data is. */
  static async open(path: string, now: number): Promise<GenerationFolders> {
    const pointer = join(path, 'CURRENT');
    const found = await readManifest(pointer);
    if (found === undefined) {
      const manifest = await createFirst(path, now);
      await writeManifest(pointer, manifest);
      await explain(path);
      return new GenerationFolders(path, manifest);
    }
    const folders = new GenerationFolders(path, found);
    await folders.#requireActive();
    await folders.#removeUnnamed();
    await explain(path);
    return folders;
  }

  get active(): string {
    return this.#manifest.active;
  }

  folderOf(id: string): string {
    return join(this.#path, id);
  }

  /** Reads the pointer again: after a write of it that failed, only the disk knows what it says. */
  async reread(): Promise<void> {
    this.#manifest = (await readManifest(join(this.#path, 'CURRENT'))) ?? this.#manifest;
  }

  list(): Generation[] {
    return this.#manifest.generations.map(({ previous, ...generation }) => ({
      ...generation,
      active: generation.id === this.active,
      ...(previous !== undefined && this.has(previous) ? { previous } : {}),
    }));
  }

  /** True when the generation is sealed. */
  has(id: string): boolean {
    return this.#manifest.generations.some((generation) => generation.id === id);
  }

  /** Throws `storage.invalid` unless the generation is sealed. */
  require(id: string): void {
    if (!this.has(id)) throw fault('storage.invalid', `There is no sealed generation ${String(id)}.`);
  }

  /** Names a generation whose folder is complete and synced. */
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

  /** Removes the folder of a generation that the pointer does not name. */
  async remove(id: string): Promise<void> {
    await rm(this.folderOf(id), { recursive: true, force: true });
  }

  async #write(change: Partial<Manifest>): Promise<void> {
    const manifest = { ...this.#manifest, ...change };
    await writeManifest(join(this.#path, 'CURRENT'), manifest);
    this.#manifest = manifest;
  }

  async #requireActive(): Promise<void> {
    const folder = this.folderOf(this.active);
    try {
      if ((await stat(folder)).isDirectory()) return;
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
    }
    throw fault('storage.corrupt', `The folder ${folder} is missing. Restore a backup.`, { folder });
  }

  async #removeUnnamed(): Promise<void> {
    for (const name of await readdir(this.#path)) {
      const unfinished = isGenerationFolder(name) && !isToBeKept(this.#manifest, name);
      const temporary = name.startsWith('.') && name.endsWith(TEMPORARY_ENDING);
      if (unfinished || temporary) await rm(join(this.#path, name), { recursive: true, force: true });
    }
  }
}

/** Data without a pointer is not touched: losing `CURRENT` must not lose what it pointed to. */
async function createFirst(path: string, now: number): Promise<Manifest> {
  for (const name of (await readdir(path)).filter(isGenerationFolder)) {
    const folder = join(path, name);
    if ((await readdir(folder)).length > 0) {
      throw fault(
        'storage.corrupt',
        `${join(path, 'CURRENT')} is missing, though ${folder} holds data. Nothing was changed.`,
        { folder },
      );
    }
    await rm(folder, { recursive: true });
  }
  const id = timeOrderedId(now, randomId);
  await makePrivateFolder(join(path, id));
  return { active: id, generations: [{ id, createdAt: now, reason: 'first' }] };
}

/** Not data: lost or changed, they are written again. */
async function explain(path: string): Promise<void> {
  const texts = { 'README.txt': FOLDER_README, '.gitignore': FOLDER_GITIGNORE };
  for (const [name, text] of Object.entries(texts)) {
    await writeFile(join(path, name), text, { flag: 'wx', mode: PRIVATE_FILE_MODE }).catch(() => undefined);
  }
}
