import { oc } from '@orpc/contract';
import * as z from 'zod';
import { id, idInput, timestamp } from './common.ts';
import { job } from './jobs.ts';

/** Version of the archive format that this version writes, and the newest that it reads. */
export const ARCHIVE_FORMAT_VERSION = 1;
export const ARCHIVE_EXTENSION = '.stbackup';
export const ARCHIVE_MEDIA_TYPE = 'application/vnd.smalltalk.backup+tar';

/** `manifest.json` of an archive: what it holds, and how to check it. Never holds a secret. */
export const manifest = z.object({
  format: z.literal('smalltalk-backup'),
  formatVersion: z.int().positive(),
  productVersion: z.string(),
  adapter: z.string().describe('the storage adapter that it came from'),
  createdAt: timestamp,
  counts: z.object({
    records: z.int().nonnegative(),
    documents: z.record(z.string(), z.int().nonnegative()).describe('by collection'),
    logs: z.record(z.string(), z.int().nonnegative()).describe('entries by family of logs'),
  }),
  parts: z
    .array(
      z.object({
        name: z.string().regex(/^parts\/[0-9]{6}\.ndjson\.zst$/),
        bytes: z.int().positive(),
        uncompressedBytes: z.int().positive(),
        records: z.int().positive(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .max(1_000_000),
  logicalHash: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('sha-256 over all records in their order, the same whichever adapter wrote them'),
  checksum: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('sha-256 of the manifest itself, as it reads without this field'),
});
export type Manifest = z.infer<typeof manifest>;

export const backupTrigger = z.enum(['manual', 'schedule', 'before-restore', 'imported']);
export type BackupTrigger = z.infer<typeof backupTrigger>;

export const backup = z.object({
  id,
  fileName: z.string(),
  createdAt: timestamp,
  trigger: backupTrigger,
  sizeBytes: z.int().nonnegative(),
  sessions: z.int().nonnegative(),
  records: z.int().nonnegative(),
  adapter: z.string(),
  productVersion: z.string(),
  state: z
    .enum(['checked', 'damaged'])
    .describe('`checked`: read back after writing, every checksum matched'),
  problem: z.string().optional().describe('what is wrong with a damaged one'),
});
export type Backup = z.infer<typeof backup>;

/** What the restore would do, told before it is done. */
export const restorePreview = z.object({
  backup,
  sessions: z.object({
    archived: z.int().nonnegative(),
    current: z.int().nonnegative(),
    added: z.int().nonnegative().describe('in the archive only: they come back'),
    changed: z.int().nonnegative(),
    removed: z
      .int()
      .nonnegative()
      .describe('current only: they are gone after the restore, until it is undone'),
  }),
  agents: z.object({ archived: z.int().nonnegative(), current: z.int().nonnegative() }),
  runningTurns: z.int().nonnegative().describe('these are interrupted'),
});
export type RestorePreview = z.infer<typeof restorePreview>;

export const backupRoutes = {
  list: oc
    .route({
      method: 'GET',
      path: '/backups',
      tags: ['backups'],
      summary: 'The archives in the backup folder, the newest first',
    })
    .output(
      z.object({
        items: z.array(backup),
        folder: z.string(),
        undo: z
          .object({ restoredAt: timestamp, fromBackupId: z.string() })
          .optional()
          .describe('a restore that can be undone, if there is one'),
      }),
    ),
  create: oc
    .route({
      method: 'POST',
      path: '/backups',
      tags: ['backups'],
      successStatus: 202,
      summary: 'Back up now',
    })
    .output(job),
  delete: oc
    .route({
      method: 'DELETE',
      path: '/backups/{id}',
      tags: ['backups'],
      successStatus: 204,
      summary: 'Delete an archive',
    })
    .input(idInput)
    .output(z.void()),
  preview: oc
    .route({
      method: 'GET',
      path: '/backups/{id}/preview',
      tags: ['backups'],
      summary: 'Check an archive and tell what a restore would do',
    })
    .input(idInput)
    .output(restorePreview),
  restore: oc
    .route({
      method: 'POST',
      path: '/backups/{id}/restore',
      tags: ['backups'],
      successStatus: 202,
      summary: 'Replace all data by that of an archive; the data before it is kept and can be brought back',
    })
    .input(idInput)
    .output(job),
  undoRestore: oc
    .route({
      method: 'POST',
      path: '/backups/undo-restore',
      tags: ['backups'],
      successStatus: 202,
      summary: 'Go back to the data before the last restore',
    })
    .output(job),
};

/** `GET`: the archive as a file. Outside the contract because it streams. */
export function archivePath(backupId: string): string {
  return `/api/backups/${encodeURIComponent(backupId)}/archive`;
}

/** `POST` of an archive's bytes puts it into the backup folder; answers 201 with the `backup`. Outside the contract likewise. */
export const IMPORT_PATH = '/api/backups/import';
