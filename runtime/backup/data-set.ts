/**
 * What every job that builds a data set beside the active one and then switches to it is made of: restore, its undo, and
 * the move to another storage.
 */
import { isCoded, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { JobKind } from '../contract/index.ts';
import { JOB_COLLECTION } from '../jobs/jobs.ts';
import { compareText } from '../storage/collation.ts';
import type { Generation, SnapshotRecord, Storage } from '../storage/storage.ts';
import type { Quiesce } from './backups.ts';
import { LogicalHash } from './logical-hash.ts';

/** Jobs that read or replace all data run one at a time. */
export const DATA_SET_JOBS: JobKind[] = ['backup', 'restore', 'undo-restore', 'move'];

/** Documents that expire within this time (milliseconds) may be gone when the new data set is read back. */
export const EXPIRY_MARGIN = 3_600_000;

/** Removes the data sets that are neither active nor what an undo would go back to: leftovers of a start, or older ones. */
export async function dropSurplusGenerations(storage: Storage, logger: Logger): Promise<void> {
  const generations = await storage.generations.list();
  const active = generations.find((one) => one.active);
  const surplus = generations.filter((one) => !one.active && one.id !== active?.previous);
  for (const { id, reason } of surplus) {
    try {
      await storage.generations.drop(id);
    } catch (error) {
      logger.warn('A data set that is not needed any more could not be removed; the next start tries again', {
        generation: id,
        reason,
        error: messageOf(error),
      });
    }
  }
}

/** Lets everybody go on. When the data has been switched already, a failure to is no failure of the switch. */
export async function goOn(
  { quiesce, logger }: { quiesce: Quiesce; logger: Logger },
  switched: boolean,
): Promise<void> {
  try {
    await quiesce.resume();
  } catch (error) {
    logger.error('Not everything went on after the pause; a restart of SmallTalk Console helps', {
      switched,
      error: messageOf(error),
    });
  }
}

/** Activates, and when that fails looks what has become of it: a lost answer must not undo a switch that took place. */
export async function activate(storage: Storage, id: string): Promise<void> {
  try {
    await storage.generations.activate(id);
  } catch (error) {
    let generations: Generation[];
    try {
      generations = await storage.generations.list();
    } catch {
      throw error;
    }
    if (!generations.some((one) => one.active && one.id === id)) throw error;
  }
}

/** The logical hash of records, without those that expire before a time. */
export async function hashOf(
  all: AsyncIterable<SnapshotRecord[]>,
  expiringBefore: number,
  onRecords: (count: number) => void,
): Promise<string> {
  const hash = new LogicalHash(expiringBefore);
  let count = 0;
  for await (const records of all) {
    for (const record of records) hash.add(record);
    count += records.length;
    onRecords(count);
  }
  return hash.digest();
}

/** True for a document that is gone by a time. */
export function expiresBefore(record: SnapshotRecord, time: number): boolean {
  return record.kind === 'document' && record.expiresAt !== undefined && record.expiresAt < time;
}

/** The records with those of the jobs at their place in the order. */
export async function* withJobs(
  records: AsyncIterable<SnapshotRecord[]>,
  jobs: SnapshotRecord[],
): AsyncGenerator<SnapshotRecord[]> {
  let waiting = true;
  for await (const batch of records) {
    const place = waiting ? batch.findIndex(comesAfterJobs) : -1;
    if (place < 0) {
      yield batch;
      continue;
    }
    waiting = false;
    yield [...batch.slice(0, place), ...jobs, ...batch.slice(place)];
  }
  if (waiting) yield jobs;
}

function comesAfterJobs(record: SnapshotRecord): boolean {
  return record.kind !== 'document' || compareText(record.collection, JOB_COLLECTION) > 0;
}

/** Awaits what tidies up; its failure is written down and does not hide the reason for tidying up. */
export async function quietly(logger: Logger, message: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isCoded(error, 'backup.not_found')) logger.warn(message, { error: messageOf(error) });
  }
}
