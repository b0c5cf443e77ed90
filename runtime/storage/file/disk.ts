import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PRIVATE_FILE_MODE } from '../../base/durable-file.ts';
import { systemCodeOf } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';

const PRIVATE_FOLDER_MODE = 0o700;

/** Files that are written and wait, open, for their sync. */
const MOST_PREPARED = 200;

interface Prepared {
  fd: number;
  /** What the file is called until it takes its place; undefined for one that was changed in place. */
  temporary: string | undefined;
  path: string;
}

/** How a file that is being written is called until it has its name. */
export const TEMPORARY_ENDING = '.tmp';

/**
 * The steps by which files are changed, each a system call or a few that belong together; synchronous, for a thread of its
 * own. Folders whose names changed are collected, and synced together by `syncFolders`. Throws system errors.
 */
export class Disk {
  /** Told the name of each step before it is made. A test throws from it, and so stops between any two steps. */
  readonly #onStep: (step: string) => void;
  readonly #changedFolders = new Set<string>();
  readonly #knownFolders = new Set<string>();
  #prepared: Prepared[] = [];

  constructor(onStep: (step: string) => void = () => undefined) {
    this.#onStep = onStep;
  }

  /** Puts bytes in the place of a file, as `writeFileDurably` does, but for the sync of its folder. */
  replace(path: string, write: (fd: number) => void): void {
    this.prepare(path, write);
    this.finishPrepared();
  }

  /**
   * Writes what is to be put in the place of a file; `finishPrepared` puts it there. Many at once are quicker: a file system
   * can then make their names durable together, and not one behind the other.
   */
  prepare(path: string, write: (fd: number) => void): void {
    this.makeFolder(dirname(path));
    this.#prepare(path, this.#temporaryFor(path), write);
  }

  /** Changes a file where it is, which must be protected otherwise until `finishPrepared` has synced it with the others. */
  change(path: string, write: (fd: number) => void): void {
    this.#prepare(path, undefined, write);
  }

  #prepare(path: string, temporary: string | undefined, write: (fd: number) => void): void {
    if (this.#prepared.length >= MOST_PREPARED) this.finishPrepared();
    this.#onStep(temporary === undefined ? 'open' : 'create');
    const fd =
      temporary === undefined ? fs.openSync(path, 'r+') : fs.openSync(temporary, 'wx+', PRIVATE_FILE_MODE);
    this.#prepared.push({ fd, temporary, path });
    try {
      write(fd);
    } catch (error) {
      this.#dropPrepared();
      throw error;
    }
  }

  finishPrepared(): void {
    try {
      for (const { fd } of this.#prepared) this.sync(fd);
      for (const prepared of this.#prepared) {
        fs.closeSync(prepared.fd);
        prepared.fd = -1;
        if (prepared.temporary !== undefined) this.rename(prepared.temporary, prepared.path);
      }
      this.#prepared = [];
    } catch (error) {
      this.#dropPrepared();
      throw error;
    }
  }

  #dropPrepared(): void {
    const dropped = this.#prepared;
    this.#prepared = [];
    for (const { fd } of dropped) if (fd >= 0) fs.closeSync(fd);
    this.#onStep('remove temporary');
    for (const { temporary } of dropped) if (temporary !== undefined) fs.rmSync(temporary, { force: true });
  }

  #temporaryFor(path: string): string {
    return join(dirname(path), `.${basename(path).slice(0, 80)}.${randomId(12)}${TEMPORARY_ENDING}`);
  }

  write(fd: number, bytes: Uint8Array, position: number): void {
    this.#onStep('write');
    writeFully(fd, bytes, position);
  }

  sync(fd: number): void {
    this.#onStep('sync');
    fs.fsyncSync(fd);
  }

  truncate(fd: number, length: number): void {
    this.#onStep('truncate');
    fs.ftruncateSync(fd, length);
  }

  rename(from: string, to: string): void {
    this.#onStep('rename');
    fs.renameSync(from, to);
    this.#changedFolders.add(dirname(from)).add(dirname(to));
  }

  /** Removes a file, if it is there. */
  remove(path: string): void {
    this.#onStep('remove');
    try {
      fs.unlinkSync(path);
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
      return;
    }
    this.#changedFolders.add(dirname(path));
  }

  /** Removes a folder if it is empty. */
  removeFolderIfEmpty(path: string): void {
    this.#onStep('remove folder');
    try {
      fs.rmdirSync(path);
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOENT') return;
      throw error;
    }
    this.#knownFolders.delete(path);
    this.#changedFolders.delete(path);
    this.#changedFolders.add(dirname(path));
  }

  /** Makes a folder and those above it that are missing, with mode 0700. */
  makeFolder(path: string): void {
    if (this.#knownFolders.has(path)) return;
    this.#onStep('make folder');
    try {
      fs.mkdirSync(path, { mode: PRIVATE_FOLDER_MODE });
      this.#changedFolders.add(dirname(path));
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === 'ENOENT' && dirname(path) !== path) {
        this.makeFolder(dirname(path));
        this.makeFolder(path);
        return;
      }
      if (code !== 'EEXIST' || !fs.statSync(path).isDirectory()) throw error;
    }
    this.#knownFolders.add(path);
  }

  /** A second name for the bytes that a file has now; a copy where the file system has no such thing. */
  keepAs(path: string, kept: string): void {
    this.makeFolder(dirname(kept));
    this.#onStep('link');
    try {
      fs.linkSync(path, kept);
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === 'ENOENT' || code === 'EEXIST') throw error;
      fs.copyFileSync(path, kept, fs.constants.COPYFILE_EXCL);
    }
  }

  /** Has a folder synced with the others. */
  touched(folder: string): void {
    this.#changedFolders.add(folder);
  }

  /** Makes durable which names the folders hold in which something was made, renamed or removed. */
  syncFolders(): void {
    for (const folder of this.#changedFolders) {
      this.#onStep('sync folder');
      syncFolder(folder);
      this.#changedFolders.delete(folder);
    }
  }

  /** Forgets which folders there are and which changed: after a failure only the disk knows. */
  forget(): void {
    this.#knownFolders.clear();
    this.#changedFolders.clear();
  }
}

export function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  let written = 0;
  while (written < bytes.length) {
    written += fs.writeSync(fd, bytes, written, bytes.length - written, position + written);
  }
}

function syncFolder(path: string): void {
  // Windows cannot open a folder for that, and keeps its names in a journal of its own.
  if (process.platform === 'win32') return;
  const folder = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(folder);
  } catch (error) {
    // Some network and FUSE file systems do not offer it; there is then nothing more that can be done.
    if (systemCodeOf(error) !== 'EINVAL' && systemCodeOf(error) !== 'ENOTSUP') throw error;
  } finally {
    fs.closeSync(folder);
  }
}
