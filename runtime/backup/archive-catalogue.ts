import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isCoded, messageOf, systemCodeOf } from '../base/errors.ts';
import { type Backup, fault } from '../contract/index.ts';
import { fingerprintOf } from './archive-format.ts';
import { idOf, isArchive, triggerOf } from './archive-names.ts';
import { readManifest } from './archive-reader.ts';

export interface CatalogueEntry {
  backup: Backup;
  path: string;
  /** Equal for copies of one archive; a damaged one has none. */
  fingerprint?: string;
}

interface Known {
  sizeBytes: number;
  modifiedAt: number;
  inode: number;
  entry: CatalogueEntry;
}

/**
 * What lies in the backup folder. The files are the truth: whatever is put in or taken out by hand is seen by the next
 * look. A manifest is read once for each file, and again when the file has changed. What cannot be read is listed as
 * damaged, with the reason, and never hidden.
 */
export class ArchiveCatalogue {
  readonly folder: string;
  readonly #known = new Map<string, Known>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The newest first. A folder that is not there is empty. */
  async list(): Promise<CatalogueEntry[]> {
    const names = (await this.#names()).filter(isArchive);
    const entries: CatalogueEntry[] = [];
    for (const name of names) {
      const entry = await this.#look(name);
      if (entry !== undefined) entries.push(entry);
    }
    for (const name of this.#known.keys()) if (!names.includes(name)) this.#known.delete(name);
    return entries.sort(
      (a, b) => b.backup.createdAt - a.backup.createdAt || (a.backup.id < b.backup.id ? 1 : -1),
    );
  }

  /** Rejects with `backup.not_found`. Ids are compared with what is in the folder, so none can lead out of it. */
  async find(id: string): Promise<CatalogueEntry> {
    const name = (await this.#names()).find((candidate) => isArchive(candidate) && idOf(candidate) === id);
    const entry = name === undefined ? undefined : await this.#look(name);
    if (entry === undefined) throw fault('backup.not_found', `There is no backup "${id}".`, { id });
    return entry;
  }

  /** A whole check has found damage that the manifest does not show: it is listed from now on, until the file changes. */
  noteDamage(entry: CatalogueEntry, problem: string): void {
    const known = this.#known.get(entry.backup.fileName);
    if (known?.entry !== entry) return;
    known.entry = { path: entry.path, backup: { ...entry.backup, state: 'damaged', problem } };
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.folder);
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return [];
      throw fault(
        'storage.failed',
        `The backup folder ${this.folder} cannot be read: ${messageOf(error)}.`,
        { folder: this.folder },
        { cause: error },
      );
    }
  }

  /** Undefined when the file has gone meanwhile. */
  async #look(fileName: string): Promise<CatalogueEntry | undefined> {
    const path = join(this.folder, fileName);
    try {
      const { size, mtimeMs, ino } = await lstat(path);
      const known = this.#known.get(fileName);
      if (known?.sizeBytes === size && known.modifiedAt === mtimeMs && known.inode === ino)
        return known.entry;
      const entry = await readEntry(path, fileName, size, mtimeMs);
      this.#known.set(fileName, { sizeBytes: size, modifiedAt: mtimeMs, inode: ino, entry });
      return entry;
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT' || isCoded(error, 'backup.not_found')) return undefined;
      throw error;
    }
  }
}

async function readEntry(
  path: string,
  fileName: string,
  sizeBytes: number,
  modifiedAt: number,
): Promise<CatalogueEntry> {
  const id = idOf(fileName);
  const known = { id, fileName, trigger: triggerOf(id), sizeBytes };
  try {
    const { manifest } = await readManifest(path);
    return {
      path,
      fingerprint: fingerprintOf(manifest),
      backup: {
        ...known,
        createdAt: manifest.createdAt,
        sessions: manifest.counts.documents.sessions ?? 0,
        records: manifest.counts.records,
        adapter: manifest.adapter,
        productVersion: manifest.productVersion,
        state: 'checked',
      },
    };
  } catch (error) {
    if (isCoded(error, 'backup.not_found')) throw error;
    return {
      path,
      backup: {
        ...known,
        createdAt: Math.max(0, Math.floor(modifiedAt)),
        sessions: 0,
        records: 0,
        adapter: 'unknown',
        productVersion: 'unknown',
        state: 'damaged',
        problem: messageOf(error),
      },
    };
  }
}
