import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite, { type Database } from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import type { StorageFault, StorageOptions } from '../../storage.ts';
import { SqliteStorage } from '../sqlite-storage.ts';

/** A folder of a storage that is closed and removed when the case is over. */
export class StorageFolder {
  readonly path: string;
  readonly faults: StorageFault[] = [];
  readonly #opened: SqliteStorage[] = [];

  private constructor(path: string) {
    this.path = path;
  }

  static async make(path?: string): Promise<StorageFolder> {
    const folder = new StorageFolder(path ?? (await mkdtemp(join(tmpdir(), 'storage-sqlite-'))));
    onTestFinished(async () => {
      for (const storage of folder.#opened) await storage.close();
      if (path === undefined) await rm(folder.path, { recursive: true, force: true });
    });
    return folder;
  }

  /** A storage on this folder that is not open yet; its faults are collected in `faults`. */
  storage(options: StorageOptions = {}): SqliteStorage {
    const storage = new SqliteStorage({
      onFault: (fault) => this.faults.push(fault),
      ...options,
      folder: this.path,
    });
    this.#opened.push(storage);
    return storage;
  }

  async open(options: StorageOptions = {}): Promise<SqliteStorage> {
    const storage = this.storage(options);
    await storage.open();
    return storage;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** The path of the only data file. */
  async dataFile(): Promise<string> {
    const [name, ...others] = (await readdir(this.path)).filter((file) => file.endsWith('.sqlite'));
    if (name === undefined || others.length > 0) throw new Error('There is not exactly one data file.');
    return join(this.path, name);
  }

  /** Works on the data file behind the back of the storage, which must be closed. */
  async behindItsBack<T>(work: (database: Database) => T): Promise<T> {
    const database = new Sqlite(await this.dataFile());
    try {
      return work(database);
    } finally {
      database.close();
    }
  }
}
