import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite, { type Database } from 'better-sqlite3';
import { PRIVATE_FILE_MODE } from '../base/durable-file.ts';
import { systemCodeOf } from '../base/errors.ts';
import { fault } from '../contract/error-codes.ts';

/**
 * Makes this process the only one that uses a data folder. What locks is an exclusive SQLite transaction on an empty file:
 * the kernel lets go of it when the process ends, however it ends, so a lock is never stale and no pid is trusted.
 * The pid in the file beside it is only there to be named. (The locked file must not be opened by anything else in this
 * process: POSIX drops all of a process's locks on a file when any descriptor of it is closed.)
 */
export class OwnerLock {
  #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  /** Rejects with `storage.locked` when another process, or another storage of this one, has the folder. */
  static async take(folder: string): Promise<OwnerLock> {
    const ownerFile = join(folder, 'lock.owner');
    const path = join(folder, 'lock');
    // Created first, because SQLite would not give it mode 0600; only if it is not there (see above).
    await writeFile(path, '', { flag: 'wx', mode: PRIVATE_FILE_MODE }).catch((error: unknown) => {
      if (systemCodeOf(error) !== 'EEXIST') throw error;
    });
    const database = new Sqlite(path, { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (systemCodeOf(error)?.startsWith('SQLITE_BUSY') !== true) throw error;
      const pid = Number(await readFile(ownerFile, 'utf8').catch(() => ''));
      throw fault(
        'storage.locked',
        `Another process${pid > 0 ? ` (pid ${pid})` : ''} uses ${folder}. Stop it, or choose another data folder.`,
        pid > 0 ? { folder, pid } : { folder },
      );
    }
    // The lock is held without it, too.
    await writeFile(ownerFile, `${process.pid}\n`, { mode: PRIVATE_FILE_MODE }).catch(() => undefined);
    return new OwnerLock(database);
  }

  release(): void {
    this.#database.close();
  }
}
