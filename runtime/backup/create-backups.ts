import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { makePrivateFolder, removeDurably } from '../base/durable-file.ts';
import { isCoded, messageOf, systemCodeOf } from '../base/errors.ts';
import { type MakeId, timeOrderedId } from '../base/ids.ts';
import { lifecycle } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import { type Backup, type BackupTrigger, fault } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { JobContext, Jobs } from '../jobs/jobs.ts';
import type { Storage } from '../storage/storage.ts';
import { ArchiveCatalogue, type CatalogueEntry } from './archive-catalogue.ts';
import { checkOpen, type Follower, makeArchive, removePartialFiles, takeArchive } from './archive-folder.ts';
import { fingerprintOf } from './archive-format.ts';
import { fileNameOf, idOf, importedArchiveId, makeArchiveId } from './archive-names.ts';
import { openArchive, openPlainFile } from './archive-reader.ts';
import type { Backups, Quiesce } from './backups.ts';
import { compareSessions } from './compare-sessions.ts';
import { DATA_SET_JOBS, dropSurplusGenerations } from './data-set.ts';
import { asDiskFault } from './disk-faults.ts';
import { findUndo, nothingToUndo, restoreArchive, type SwitchDependencies, undoRestore } from './restore.ts';

export interface BackupsDependencies {
  storage: Storage;
  jobs: Jobs;
  bus: EventBus;
  clock: Clock;
  makeId: MakeId;
  logger: Logger;
  /** Absolute; made when it is missing. */
  folder: string;
  quiesce: Quiesce;
  productVersion: string;
}

/** Backup and restore over any storage adapter, with the archives as plain files in one folder. */
export function createBackups(dependencies: BackupsDependencies): Backups {
  const { storage, jobs, bus, clock, makeId, folder, quiesce, productVersion } = dependencies;
  const logger = dependencies.logger.with({ component: 'backup' });
  const catalogue = new ArchiveCatalogue(folder);
  const switching: SwitchDependencies = { storage, jobs, bus, quiesce, logger, now: () => clock.now() };
  /** Archives that a job reads. */
  const inUse = new Set<string>();

  const publish = (topic: 'backup.created' | 'backup.deleted', id: string, correlationId: string) =>
    bus.publish({ topic, subject: id, correlationId, data: { id } });
  const newCorrelationId = () => timeOrderedId(clock.now(), makeId);

  /** Makes an archive of what is active now, without telling of it yet. */
  async function archive(
    trigger: BackupTrigger,
    follower: Follower,
    phases?: { read: string; check: string },
  ): Promise<string> {
    const createdAt = clock.now();
    const id = makeArchiveId(createdAt, trigger, makeId);
    const records = storage.snapshot({ signal: follower.signal });
    await makeArchive(
      { folder, id, clock },
      { records, adapter: storage.type, productVersion, createdAt },
      follower,
      phases,
    );
    return id;
  }

  async function remove(id: string): Promise<void> {
    const { path } = await catalogue.find(id);
    try {
      await removeDurably(path);
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT')
        throw fault('backup.not_found', `There is no backup "${id}".`, { id });
      throw asDiskFault(error, folder);
    }
  }

  /** Does something that reads all of an archive; when that finds damage, the list says so from then on. */
  async function noting<T>(entry: CatalogueEntry, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (isCoded(error) && error.code.startsWith('backup.archive_'))
        catalogue.noteDamage(entry, error.message);
      throw error;
    }
  }

  async function restore(entry: CatalogueEntry, context: JobContext): Promise<Record<string, unknown>> {
    const { id } = entry.backup;
    const source = await noting(entry, () => openArchive(entry.path, context.signal));
    try {
      // The same open file is read again to be written: nobody can put another in its place in between.
      await noting(entry, () => checkOpen(source, clock, context, 'Checking the archive'));
      const result = await restoreArchive(
        switching,
        context,
        {
          backupId: id,
          archive: source,
          records: () => source.records({ clock, signal: context.signal }),
        },
        {
          make: () =>
            archive('before-restore', context, {
              read: 'Making a safety copy',
              check: 'Checking the safety copy',
            }),
          remove,
        },
      );
      await publish('backup.created', String(result.safetyCopyId), context.correlationId);
      return result;
    } finally {
      await source.close();
    }
  }

  async function start(): Promise<void> {
    try {
      await makePrivateFolder(folder);
      const removed = await removePartialFiles(folder);
      if (removed.length > 0) logger.info('Removed unfinished archives', { files: removed });
    } catch (error) {
      // The console must come up all the same: each backup says again what is wrong.
      logger.error('The backup folder cannot be used', { folder, error: messageOf(error) });
    }
    await dropSurplusGenerations(storage, logger);
  }

  return {
    ...lifecycle({ start, stop: async () => undefined }),

    async list() {
      const entries = await catalogue.list();
      // The archives lie on this machine: they are to be seen while the storage is away, too.
      const undo = await findUndo(storage).catch((error: unknown) => {
        if (isCoded(error, 'storage.unreachable')) return undefined;
        throw error;
      });
      return {
        items: entries.map(({ backup }) => backup),
        folder,
        ...(undo === undefined
          ? {}
          : { undo: { restoredAt: undo.restoredAt, fromBackupId: undo.fromBackupId } }),
      };
    },

    create({ correlationId }) {
      return jobs.run(
        { kind: 'backup', title: 'Back up', correlationId, excludes: DATA_SET_JOBS },
        async (context) => {
          const backupId = await archive('manual', context);
          await publish('backup.created', backupId, correlationId);
          return { backupId };
        },
      );
    },

    async delete(id) {
      if (inUse.has(id)) {
        throw fault('job.conflict', `The backup "${id}" is being restored; wait for its end.`, { id });
      }
      await remove(id);
      await publish('backup.deleted', id, newCorrelationId());
    },

    async preview(id, signal = new AbortController().signal) {
      const entry = await catalogue.find(id);
      return noting(entry, async () => {
        const source = await openArchive(entry.path, signal);
        try {
          const sessions = await compareSessions(
            source.records({ clock, signal }),
            storage.snapshot({ signal }),
          );
          const { documents } = await storage.stats();
          return {
            backup: entry.backup,
            sessions,
            agents: {
              archived: source.manifest.counts.documents.agents ?? 0,
              current: documents.agents ?? 0,
            },
            runningTurns: quiesce.runningTurns(),
          };
        } finally {
          await source.close();
        }
      });
    },

    async restore(id, { correlationId }) {
      const entry = await catalogue.find(id);
      return jobs.run(
        { kind: 'restore', title: 'Restore', correlationId, excludes: DATA_SET_JOBS },
        async (context) => {
          inUse.add(id);
          try {
            return await restore(entry, context);
          } finally {
            inUse.delete(id);
          }
        },
      );
    },

    async undoRestore({ correlationId }) {
      if ((await findUndo(storage)) === undefined) throw nothingToUndo();
      return jobs.run(
        { kind: 'undo-restore', title: 'Undo the restore', correlationId, excludes: DATA_SET_JOBS },
        (context) => undoRestore(switching, context),
      );
    },

    async open(id) {
      const { path, backup } = await catalogue.find(id);
      const { file, sizeBytes } = await openPlainFile(path);
      // Exactly the bytes that are there now, so that the length that was announced holds.
      const bytes = createReadStream(path, { fd: file, end: Math.max(0, sizeBytes - 1) });
      return {
        fileName: backup.fileName,
        sizeBytes,
        stream: Readable.toWeb(bytes) as ReadableStream<Uint8Array>,
      };
    },

    async import(stream, signal): Promise<Backup> {
      const { fileName } = await takeArchive(
        { folder, id: `import-${makeId(12)}`, clock },
        stream,
        { signal, phase: () => undefined, progress: () => undefined },
        async (manifest) => {
          // One that is here already is replaced by what has just been checked: that heals a damaged copy.
          const fingerprint = fingerprintOf(manifest);
          const same = (await catalogue.list()).find((entry) => entry.fingerprint === fingerprint);
          return same?.backup.fileName ?? fileNameOf(importedArchiveId(manifest.createdAt, fingerprint));
        },
      );
      const { backup } = await catalogue.find(idOf(fileName));
      await publish('backup.created', backup.id, newCorrelationId());
      return backup;
    },
  };
}
