/** What the rest of the runtime sees of backup and restore. */
import type { Service } from '../base/lifecycle.ts';
import type { Backup, Job, RestorePreview } from '../contract/index.ts';

export interface BackupList {
  items: Backup[];
  /** Where the archives lie. */
  folder: string;
  undo?: { restoredAt: number; fromBackupId: string };
}

/**
 * `start` (after the storage is open and the jobs have started) makes the folder, and removes what a process that was
 * killed has left behind: unfinished archives, and data sets that were built and never became active.
 */
export interface Backups extends Service {
  /** The archives in the folder, the newest first; one that cannot be read is `damaged`, with the reason. */
  list(): Promise<BackupList>;
  /** Makes an archive; the result of the job is `{ backupId }`. */
  create(context: { correlationId: string }): Promise<Job>;
  /** Rejects with `backup.not_found`, or `job.conflict` while it is being restored. */
  delete(id: string): Promise<void>;
  /** Reads and checks the whole archive; rejects with `backup.archive_*`. */
  preview(id: string, signal?: AbortSignal): Promise<RestorePreview>;
  /**
   * Replaces all data by that of the archive; the data before it is kept, and is saved as a backup besides. The result of
   * the job is `{ backupId, safetyCopyId }`. However it ends, the data is the one or the other, whole.
   */
  restore(id: string, context: { correlationId: string }): Promise<Job>;
  /** Goes back to the data before the last restore. Rejects with `backup.nothing_to_undo`. */
  undoRestore(context: { correlationId: string }): Promise<Job>;
  /** The archive as a stream, for a download. Rejects with `backup.not_found`. */
  open(id: string): Promise<{ fileName: string; sizeBytes: number; stream: ReadableStream<Uint8Array> }>;
  /**
   * Takes an archive from outside into the backup folder once all of it is checked; rejects with `backup.archive_*`,
   * `storage.full` or `storage.read_only` and leaves nothing behind. An archive that is in the folder already, whatever it
   * is called there, gets no second entry: its file is replaced by the one that came in.
   */
  import(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<Backup>;
}

/** What a restore needs of the rest while it switches the data set; handed in by the composition. */
export interface Quiesce {
  /** Ends running turns as interrupted and lets nothing write any more. */
  pause(reason: string): Promise<void>;
  /** Lets go on, on whatever data set is active now: everybody reads theirs again. */
  resume(): Promise<void>;
  runningTurns(): number;
}
