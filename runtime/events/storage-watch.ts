import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { StorageConflict } from '../contract/index.ts';
import { listConflicts, resolutionOf } from '../storage/degraded/conflicts.ts';
import type { RecoveryReport, StorageMode } from '../storage/degraded/mode.ts';
import type { Storage } from '../storage/storage.ts';
import type { EventBus } from './event-bus.ts';

export interface StorageWatch {
  /** To be told of each change of the storage's mode. */
  modeChanged(mode: StorageMode, report?: RecoveryReport): void;
  /** Documents of which two versions wait for a choice, the oldest first. */
  conflicts(): Promise<StorageConflict[]>;
  /**
   * Keeps one of the two. Rejects with `storage.conflict_not_found`, and with `storage.version_conflict` when the document
   * is at another version than `theirVersion` by now.
   */
  resolve(
    choice: { id: string; keep: 'mine' | 'theirs'; theirVersion: number },
    context: { correlationId: string },
  ): Promise<void>;
}

/** Tells everybody when the storage is lost and when it is back, and settles what came of it. */
export function createStorageWatch(dependencies: {
  storage: Storage;
  bus: EventBus & { reload(): Promise<void> };
  /** Of what happens without a request. */
  correlationId: string;
  logger: Logger;
}): StorageWatch {
  const { storage, bus, correlationId } = dependencies;
  const logger = dependencies.logger.with({ component: 'storage', correlationId });
  let told: StorageMode['state'] = 'normal';

  async function lost({ degradedSince, problem = '' }: StorageMode): Promise<void> {
    await bus.publish({
      topic: 'storage.degraded',
      priority: 'high',
      correlationId,
      data: { since: degradedSince ?? 0, problem },
    });
  }

  async function recovered(report: RecoveryReport): Promise<void> {
    // Others have written: events have other numbers than were told, and there are some that were never seen here.
    if (report.renumbered > 0 || report.refused > 0) await bus.reload();
    await bus.publish({ topic: 'storage.recovered', priority: 'high', correlationId, data: report });
  }

  const quietly = (telling: Promise<void>) =>
    telling.catch((error: unknown) =>
      logger.warn('A change of the storage could not be published', { error: messageOf(error) }),
    );

  return {
    modeChanged(mode, report) {
      const before = told;
      told = mode.state;
      if (mode.state === 'draining') {
        logger.info('The storage is back and takes the journal over', { commits: mode.journalCommits });
      } else if (mode.state === 'degraded') {
        if (before === 'draining') {
          logger.warn(`The storage was lost again: ${mode.problem}`, { commits: mode.journalCommits });
          return;
        }
        logger.error(
          `The storage cannot be reached. Commits go into a journal on this machine. ${mode.problem}`,
          { code: 'storage.degraded' },
        );
        void quietly(lost(mode));
      } else if (report !== undefined) {
        logger.info('The storage has taken the journal over', { ...report });
        // An outage of an earlier process, drained while this one starts: there is no bus yet to tell it.
        if (before !== 'normal') void quietly(recovered(report));
      }
    },

    conflicts: () => listConflicts(storage),

    async resolve({ id, keep, theirVersion }, context) {
      const { conflict, operations } = await resolutionOf(storage, id, { keep, theirVersion });
      const { collection, documentId } = conflict;
      await bus.commit(operations, [
        {
          topic: 'storage.conflict.resolved',
          subject: documentId,
          correlationId: context.correlationId,
          data: { id, collection, documentId, kept: keep },
        },
      ]);
    },
  };
}
