/** What the rest of the runtime sees of backup and restore. */
import type { Backup, Job, RestorePreview } from '../contract/index.ts';

export interface BackupList {
  items: Backup[];
  /** Where the archives lie. */
  folder: string;
  undo?: { restoredAt: number; fromBackupId: string };
}

export interface Backups {
  list(): Promise<BackupList>;
  create(context: { correlationId: string }): Promise<Job>;
  delete(id: string): Promise<void>;
  preview(id: string): Promise<RestorePreview>;
  restore(id: string, context: { correlationId: string }): Promise<Job>;
  undoRestore(context: { correlationId: string }): Promise<Job>;
  /** The archive as a stream, for a download. Rejects with `backup.not_found`. */
  open(id: string): Promise<{ fileName: string; sizeBytes: number; stream: ReadableStream<Uint8Array> }>;
  /**
   * Takes an archive from outside into the backup folder once all of it is checked; rejects with `backup.archive_*` and
   * leaves nothing behind.
   */
  import(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<Backup>;
}

/** What a restore needs of the rest while it switches the data set; handed in by the composition. */
export interface Quiesce {
  /** Ends running turns as interrupted and lets nothing write any more. */
  pause(reason: string): Promise<void>;
  /** Lets go on, on whatever data set is active now: everybody reads theirs again. */
  resume(): Promise<void>;
  runningTurns(): Promise<number>;
}
