/**
 * File writes that survive a power cut, and files that nobody else may read. Every step below is there because leaving it
 * out loses data on some file system: without the sync of the file a rename can outlive the bytes (an empty file after
 * a power cut), without the sync of the folder the rename itself can be forgotten.
 */
import { randomUUID } from 'node:crypto';
import fs, { type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCodeOf } from './errors.ts';

/** Read and written by the user alone. */
export const PRIVATE_FILE_MODE = 0o600;
/** Entered, read and written by the user alone. */
const PRIVATE_FOLDER_MODE = 0o700;

/**
 * Puts `data` in the place of the file at `path`, atomically and durably: afterwards, and whenever the power fails, the
 * file holds the old bytes or the new ones, never a mixture. Follows no link at `path`: the link itself is replaced.
 * Rejects with the system error (`ENOSPC`, `EACCES`, …); the old file is then as it was and nothing is left beside it.
 */
export async function writeFileDurably(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  const file = await createPrivateFile(temporary);
  try {
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Creates a file that was not there (`EEXIST` otherwise, a dangling link included), with mode 0600, open for both. */
export async function createPrivateFile(path: string): Promise<FileHandle> {
  return fs.open(path, 'wx+', PRIVATE_FILE_MODE);
}

/**
 * Moves a file whose bytes are synced already onto `to`, replacing what is there, and makes that durable. Both must lie
 * on one file system.
 */
export async function renameDurably(from: string, to: string): Promise<void> {
  await fs.rename(from, to);
  await syncFolder(dirname(to));
  if (dirname(from) !== dirname(to)) await syncFolder(dirname(from));
}

/** Removes a file and makes that durable. Rejects with `ENOENT` when there is none. */
export async function removeDurably(path: string): Promise<void> {
  await fs.unlink(path);
  await syncFolder(dirname(path));
}

/**
 * Makes a folder and those above it that are missing, each with mode 0700 and durable. One that is there keeps its mode:
 * it may be shared on purpose.
 */
export async function makePrivateFolder(path: string): Promise<void> {
  if (await makeFolder(path)) return;
  await makePrivateFolder(dirname(path));
  // Not `recursive`: Node.js then tries for ever where the parent is there and takes nothing (`/proc`).
  if (!(await makeFolder(path))) {
    throw Object.assign(new Error(`The folder ${path} cannot be made in ${dirname(path)}`), {
      code: 'EACCES',
    });
  }
}

/** Makes one folder, unless it is there. False when the one above it is missing. */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await fs.mkdir(path, { mode: PRIVATE_FOLDER_MODE });
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' && dirname(path) !== path) return false;
    // Any error but EEXIST may be what a system says of a folder that is there and whose parent is read-only.
    if (
      await fs.stat(path).then(
        (found) => found.isDirectory(),
        () => false,
      )
    )
      return true;
    throw error;
  }
  await syncFolder(dirname(path));
  return true;
}

/** Makes durable which names a folder holds. */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder for that, and keeps its names in a journal of its own.
  if (process.platform === 'win32') return;
  const folder = await fs.open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Some network and FUSE file systems do not offer it; there is then nothing more that can be done.
    if (systemCodeOf(error) !== 'EINVAL' && systemCodeOf(error) !== 'ENOTSUP') throw error;
  } finally {
    await folder.close();
  }
}
