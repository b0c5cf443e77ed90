/** Archives on their way into the backup folder: written beside it under a hidden name, checked, then named. */
import fs, { type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { createPrivateFile, makePrivateFolder, renameDurably } from '../base/durable-file.ts';
import { fault, type Manifest } from '../contract/index.ts';
import { tooLarge } from './archive-format.ts';
import { fileNameOf, isPartial, partialNameOf } from './archive-names.ts';
import { type Archive, openArchive } from './archive-reader.ts';
import { type ArchiveSource, writeArchive } from './archive-writer.ts';
import { asDiskFault } from './disk-faults.ts';

/** Bytes of an archive that is taken from outside, at most. */
const IMPORT_LIMIT = 64 * 1024 ** 3;
/** Bytes that an import leaves free on the disk: the storage needs room to go on. */
const RESERVE = 128 * 1024 ** 2;
/** Bytes between two looks at how much room there is. */
const ROOM_CHECK = 64 * 1024 ** 2;

/** Who follows long work on an archive; the phases are those of a job. */
export interface Follower {
  readonly signal: AbortSignal;
  phase(name: string, unit: 'records' | 'bytes', total?: number): void;
  progress(done: number): void;
}

/** Removes what writers that were killed have left behind. */
export async function removePartialFiles(folder: string): Promise<string[]> {
  const partial = (await fs.readdir(folder)).filter(isPartial);
  for (const name of partial) await fs.rm(join(folder, name), { force: true });
  return partial;
}

/**
 * Writes an archive, reads all of it back, and only then gives it its name. Rejects with the signal's reason,
 * `storage.full`, `storage.read_only`, `backup.archive_damaged` (what was written did not read back) or what the records
 * reject with, and leaves nothing behind.
 */
export async function makeArchive(
  { folder, id, clock }: { folder: string; id: string; clock: Clock },
  source: ArchiveSource,
  follower: Follower,
  phases = { read: 'Reading', check: 'Checking' },
): Promise<Manifest> {
  return withPartialFile({ folder, id }, async (file, path) => {
    follower.phase(phases.read, 'records');
    const manifest = await writeArchive(file, source, {
      clock,
      signal: follower.signal,
      onRecords: (done) => follower.progress(done),
    });
    await checkArchive(path, clock, follower, phases.check);
    await renameDurably(path, join(folder, fileNameOf(id)));
    return manifest;
  });
}

/**
 * Takes the bytes of an archive from outside. `nameFor` answers the id that it gets once all of it is checked; a file that
 * has this name is replaced. Rejects with `backup.archive_*`, `storage.full` or `storage.read_only`.
 */
export async function takeArchive(
  { folder, id, clock }: { folder: string; id: string; clock: Clock },
  bytes: AsyncIterable<Uint8Array>,
  follower: Follower,
  fileNameFor: (manifest: Manifest) => Promise<string>,
  limit = IMPORT_LIMIT,
): Promise<{ fileName: string }> {
  return withPartialFile({ folder, id }, async (file, path) => {
    let taken = 0;
    let nextLook = 0;
    for await (const chunk of bytes) {
      follower.signal.throwIfAborted();
      taken += chunk.byteLength;
      if (taken > limit) throw tooLarge(`more than ${limit} bytes are not taken`);
      if (taken > nextLook) {
        await checkRoom(folder);
        nextLook = taken + ROOM_CHECK;
      }
      await file.writeFile(chunk);
    }
    await file.sync();
    const fileName = await fileNameFor(await checkArchive(path, clock, follower, 'Checking'));
    follower.signal.throwIfAborted();
    await renameDurably(path, join(folder, fileName));
    return { fileName };
  });
}

/** Reads all of an archive. Rejects with `backup.archive_*` when anything about it is wrong. */
async function checkArchive(
  path: string,
  clock: Clock,
  follower: Follower,
  phase: string,
): Promise<Manifest> {
  const archive = await openArchive(path, follower.signal);
  try {
    await checkOpen(archive, clock, follower, phase);
    return archive.manifest;
  } finally {
    await archive.close();
  }
}

/** The same of an archive that is open, and stays so. */
export async function checkOpen(
  archive: Archive,
  clock: Clock,
  follower: Follower,
  phase: string,
): Promise<void> {
  follower.phase(phase, 'bytes', archive.uncompressedBytes);
  await archive.check({ clock, signal: follower.signal, onBytes: (done) => follower.progress(done) });
}

/** Gives `use` a new hidden file; whatever happens, it is not there under that name afterwards. */
async function withPartialFile<T>(
  { folder, id }: { folder: string; id: string },
  use: (file: FileHandle, path: string) => Promise<T>,
): Promise<T> {
  const path = join(folder, partialNameOf(id));
  try {
    await makePrivateFolder(folder);
    const file = await createPrivateFile(path);
    try {
      return await use(file, path);
    } finally {
      await file.close();
      await fs.rm(path, { force: true });
    }
  } catch (error) {
    throw asDiskFault(error, folder);
  }
}

async function checkRoom(folder: string): Promise<void> {
  const { bavail, bsize } = await fs.statfs(folder);
  if (bavail * bsize < RESERVE + ROOM_CHECK) {
    throw fault(
      'storage.full',
      `The disk with the backup folder ${folder} has too little room for the archive.`,
      {
        folder,
      },
    );
  }
}
