import { createHash } from 'node:crypto';
import type { MakeId } from '../base/ids.ts';
import { ARCHIVE_EXTENSION, type BackupTrigger, backupTrigger } from '../contract/index.ts';

/**
 * Names of archives: `2026-11-21T14-03-07Z-before-restore-7k2m9q.stbackup`. They say when (UTC) and why to whoever looks
 * into the folder, sort by age, are valid on every file system, and are the id of the backup at the same time. The reason
 * is only in the name, because the bytes of an archive never change: an imported one is the very file that came in.
 */
const ARCHIVE_ID = new RegExp(
  `^\\d{4}-\\d{2}-\\d{2}T\\d{2}-\\d{2}-\\d{2}Z-(${backupTrigger.options.join('|')})-[0-9a-z]+$`,
);
/** The contract's `id`; the first character is not a dot, because such files are ours while they are being written. */
const VALID_ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;
const PARTIAL_FILE = /^\.[A-Za-z0-9_-]+\.partial$/;

export function makeArchiveId(createdAt: number, trigger: BackupTrigger, makeId: MakeId): string {
  return `${timeOf(createdAt)}-${trigger}-${makeId(6)}`;
}

/** The same for every import of the same archive. */
export function importedArchiveId(createdAt: number, fingerprint: string): string {
  return `${timeOf(createdAt)}-imported-${fingerprint.slice(0, 12)}`;
}

export function fileNameOf(id: string): string {
  return `${id}${ARCHIVE_EXTENSION}`;
}

/** The file that an archive is while it is being written: hidden, in the same folder, removed by the next start. */
export function partialNameOf(id: string): string {
  return `.${id}.partial`;
}

export function isPartial(fileName: string): boolean {
  return PARTIAL_FILE.test(fileName);
}

export function isArchive(fileName: string): boolean {
  return fileName.endsWith(ARCHIVE_EXTENSION) && !fileName.startsWith('.');
}

/** The id of a file in the folder. A file that somebody put there can have any name; then the id stands for its name. */
export function idOf(fileName: string): string {
  const name = fileName.slice(0, -ARCHIVE_EXTENSION.length);
  return VALID_ID.test(name) ? name : `file-${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

/** Why the archive was made. One that does not have a name of ours came from elsewhere. */
export function triggerOf(id: string): BackupTrigger {
  return (ARCHIVE_ID.exec(id)?.[1] as BackupTrigger | undefined) ?? 'imported';
}

function timeOf(createdAt: number): string {
  return new Date(createdAt)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-');
}
