import { constants, type Dirent } from 'node:fs';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../../base/errors.ts';
import { compilePreload } from './preload-library.ts';

/**
 * What of the unsynced is lost when the power is cut: all of it; or, as far as POSIX lets a disk choose, a part: of each
 * file some of the blocks that were written since its last sync, of each folder the names that it has or those that it had.
 */
export type Loss = 'all' | 'some';

const BLOCK = 4_096;

type Kind = 'file' | 'folder';

interface Name {
  kind: Kind;
  inode: string;
  name: string;
}

/** Where the files and folders are that the running process sees, by inode. */
type Live = Map<string, string>;

/**
 * The disk below a folder. Processes that are started with its `environment` work in the folder as usual, but only what
 * they sync is kept by it (`power-cut.c`); after they were killed, `cut` leaves in the folder what the disk kept.
 */
export class ForgetfulDisk {
  readonly #root: string;
  readonly #disk: string;
  readonly #library: string;

  /** `beside` takes what belongs to the disk; it must be on the same file system as `root`, and not in it. */
  constructor(root: string, beside: string) {
    this.#root = root;
    this.#disk = join(beside, 'disk');
    this.#library = compilePreload('power-cut', beside);
  }

  get environment(): Record<string, string> {
    return { LD_PRELOAD: this.#library, POWER_CUT_ROOT: this.#root, POWER_CUT_DISK: this.#disk };
  }

  /** Makes the disk have everything that is in the folder now, as after a clean shutdown. */
  async sync(): Promise<void> {
    await fs.rm(this.#disk, { recursive: true, force: true });
    await fs.mkdir(this.#disk);
    await fs.mkdir(this.#root, { recursive: true });
    await this.#syncFolder(this.#root);
  }

  async cut(loss: Loss, random: () => number): Promise<void> {
    const live: Live = new Map();
    await this.#findLive(this.#root, live);
    for (const name of await fs.readdir(this.#disk)) {
      if (name.startsWith('k')) live.set(name.slice(1), join(this.#disk, name));
    }
    const rebuilt = `${this.#disk}.rebuilt`;
    const choose = loss === 'all' ? () => false : () => random() < 0.5;
    await this.#rebuildFolder(await inodeOf(this.#root), rebuilt, live, choose);
    await fs.rm(this.#root, { recursive: true });
    await fs.rename(rebuilt, this.#root);
  }

  async #syncFolder(folder: string): Promise<void> {
    let names = '';
    for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      const inode = await inodeOf(path);
      if (entry.isDirectory()) await this.#syncFolder(path);
      else await fs.copyFile(path, join(this.#disk, `f${inode}`), constants.COPYFILE_FICLONE);
      names += `${letterOf(entry)}${inode} ${entry.name}/`;
    }
    await fs.writeFile(join(this.#disk, `d${await inodeOf(folder)}`), names);
  }

  async #findLive(folder: string, live: Live): Promise<void> {
    live.set(await inodeOf(folder), folder);
    for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await this.#findLive(path, live);
      else live.set(await inodeOf(path), path);
    }
  }

  async #rebuildFolder(inode: string, path: string, live: Live, choose: () => boolean): Promise<void> {
    await fs.mkdir(path, { mode: 0o700 });
    const livePath = live.get(inode);
    // A folder that is gone has no names any more; there is nothing to choose.
    const names =
      livePath !== undefined && choose() ? await liveNames(livePath) : await this.#syncedNames(inode);
    for (const { kind, inode: named, name } of names) {
      const target = join(path, name);
      if (kind === 'folder') await this.#rebuildFolder(named, target, live, choose);
      else await this.#rebuildFile(named, target, live, choose);
    }
  }

  async #rebuildFile(inode: string, path: string, live: Live, choose: () => boolean): Promise<void> {
    const synced = await readIfThere(join(this.#disk, `f${inode}`));
    const livePath = live.get(inode);
    const seen = livePath === undefined ? synced : await fs.readFile(livePath);
    const bytes = Buffer.alloc(choose() ? seen.length : synced.length);
    for (let at = 0; at < bytes.length; at += BLOCK) {
      // What the disk does not have of a file that has grown is zeros.
      bytes.set((choose() ? seen : synced).subarray(at, Math.min(at + BLOCK, bytes.length)), at);
    }
    await fs.writeFile(path, bytes, { mode: 0o600 });
  }

  async #syncedNames(inode: string): Promise<Name[]> {
    const text = (await readIfThere(join(this.#disk, `d${inode}`))).toString();
    return text
      .split('/')
      .map((line) => /^([df])(\d+) (.+)$/s.exec(line))
      .filter((match) => match !== null && match[3] !== '.' && match[3] !== '..')
      .map((match) => {
        const [, letter, named, name] = match as unknown as [string, string, string, string];
        return { kind: letter === 'd' ? 'folder' : 'file', inode: named, name };
      });
  }
}

async function liveNames(folder: string): Promise<Name[]> {
  const entries = await fs.readdir(folder, { withFileTypes: true });
  return Promise.all(
    entries.map(async (entry) => ({
      kind: entry.isDirectory() ? ('folder' as const) : ('file' as const),
      inode: await inodeOf(join(folder, entry.name)),
      name: entry.name,
    })),
  );
}

const letterOf = (entry: Dirent) => (entry.isDirectory() ? 'd' : 'f');

const inodeOf = async (path: string) => String((await fs.stat(path, { bigint: true })).ino);

async function readIfThere(path: string): Promise<Buffer> {
  try {
    return await fs.readFile(path);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return Buffer.alloc(0);
  }
}
