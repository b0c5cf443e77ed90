/**
 * Restore and its undo. A restore never changes the data set that is active: it builds another one beside it, compares
 * that with the archive, and makes it the active one in a single atomic step of the storage. Up to that step everything
 * can be thrown away; from that step on there is nothing left to do that could fail halfway.
 *
 * The order matters: everybody is paused before the safety copy is made, so that what was acknowledged up to the restore
 * is either in the safety copy and the kept generation or was refused; nothing can fall between the copy and the switch.
 */
import { isCoded, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { fault } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import { JOB_COLLECTION, type JobContext, type Jobs } from '../jobs/jobs.ts';
import { compareText } from '../storage/collation.ts';
import type { Generation, GenerationWriter, SnapshotRecord, Storage } from '../storage/storage.ts';
import type { Archive } from './archive-reader.ts';
import type { Quiesce } from './backups.ts';
import { LogicalHash } from './logical-hash.ts';

/** Documents that expire within this time (milliseconds) may be gone when the new data set is read back. */
const EXPIRY_MARGIN = 3_600_000;
const REASON = 'restore ';

export interface SwitchDependencies {
  storage: Storage;
  jobs: Jobs;
  bus: EventBus;
  quiesce: Quiesce;
  logger: Logger;
  now: () => number;
}

/** An archive that was found to be whole. */
export interface RestoreSource {
  backupId: string;
  archive: Pick<Archive, 'manifest'>;
  /** Its records, from the beginning at each call. */
  records: () => AsyncIterable<SnapshotRecord[]>;
}

/** The data set that an undo goes back to: the one that the last restore replaced, while it is kept. */
export async function findUndo(
  storage: Storage,
): Promise<{ restoredAt: number; fromBackupId: string; previous: string } | undefined> {
  const generations = await storage.generations.list();
  const active = generations.find((one) => one.active);
  const previous = generations.find(({ id }) => id === active?.previous);
  if (active === undefined || previous === undefined || !active.reason.startsWith(REASON)) return undefined;
  // After an undo the two have replaced each other: undoing the undo is not what is offered.
  if (previous.previous === active.id) return undefined;
  return {
    restoredAt: active.activatedAt ?? active.createdAt,
    fromBackupId: active.reason.slice(REASON.length),
    previous: previous.id,
  };
}

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

/**
 * Puts the records of an archive, already checked once, in the place of all data. `makeSafetyCopy` is called when nobody
 * writes any more; `removeSafetyCopy` when nothing came of the restore. Answers the result of the job.
 */
export async function restoreArchive(
  dependencies: SwitchDependencies,
  context: JobContext,
  source: RestoreSource,
  safety: { make(): Promise<string>; remove(id: string): Promise<void> },
): Promise<Record<string, unknown>> {
  const { storage, jobs, quiesce, logger, now } = dependencies;
  let safetyCopyId: string | undefined;
  let unfinished: { id: string; discard(): Promise<void> } | undefined;
  let committed = false;
  let switched = false;
  let result: Record<string, unknown> = {};
  try {
    context.phase('Pausing', 'steps');
    await quiesce.pause('a backup is being restored');
    context.signal.throwIfAborted();
    safetyCopyId = await safety.make();
    result = { backupId: source.backupId, safetyCopyId };

    const writer = await storage.generations.create(`${REASON}${source.backupId}`);
    unfinished = writer;
    // From here on no other job ends before the switch: restores exclude all the others.
    const ownJobs = jobs.recordsForSwitch(context.id, result);
    const expected = await fillGeneration(writer, source, ownJobs, now() + EXPIRY_MARGIN, context);
    await writer.seal();
    unfinished = { id: writer.id, discard: () => storage.generations.drop(writer.id) };
    await verifyGeneration(storage, writer.id, expected, context);
    context.commit();
    committed = true;
    context.phase('Switching', 'steps');
    await activate(storage, writer.id);
    switched = true;
  } catch (error) {
    if (unfinished !== undefined) {
      await quietly(logger, 'The unfinished data set could not be removed', unfinished.discard());
    }
    // Once the switch was asked for, its failure may be one of the disk: then the copy is better kept.
    if (safetyCopyId !== undefined && !committed) {
      await quietly(logger, 'The safety copy could not be removed', safety.remove(safetyCopyId));
    }
    throw error;
  } finally {
    // Also when pausing failed halfway: whoever did pause must go on.
    await goOn(dependencies, switched);
  }
  await announce(dependencies, context, unfinished.id, `restored from ${source.backupId}`);
  return result;
}

/** What the logical hash of a data set must be, without the documents that expire before a time. */
interface Expected {
  hash: string;
  records: number;
  expiringBefore: number;
}

/** Writes the records of the archive and those of the jobs; answers what must be found afterwards. */
async function fillGeneration(
  writer: GenerationWriter,
  source: RestoreSource,
  ownJobs: SnapshotRecord[],
  expiringBefore: number,
  context: JobContext,
): Promise<Expected> {
  const { logicalHash, counts } = source.archive.manifest;
  context.phase('Writing', 'records', counts.records);
  let expiring = false;
  let count = 0;
  for await (const records of withJobs(source.records(), ownJobs)) {
    context.signal.throwIfAborted();
    expiring ||= records.some((one) => expiresBefore(one, expiringBefore));
    await writer.write(records);
    count += records.length;
    context.progress(Math.min(count, counts.records));
  }
  const hash = expiring ? await hashOf(source.records(), expiringBefore, () => undefined) : logicalHash;
  return { hash, records: counts.records, expiringBefore };
}

async function verifyGeneration(
  storage: Storage,
  generation: string,
  expected: Expected,
  context: JobContext,
): Promise<void> {
  context.phase('Verifying', 'records', expected.records);
  const found = storage.snapshot({ generation, signal: context.signal });
  const hash = await hashOf(found, expected.expiringBefore, (count) => {
    context.signal.throwIfAborted();
    context.progress(count);
  });
  if (hash !== expected.hash) {
    throw fault(
      'storage.failed',
      'What was written does not read back as the archive holds it. Nothing was changed.',
    );
  }
}

/** Goes back to the data set that the last restore replaced. The restored one is kept until the next restore. */
export async function undoRestore(
  dependencies: SwitchDependencies,
  context: JobContext,
): Promise<Record<string, unknown>> {
  const { storage, quiesce } = dependencies;
  const undo = await findUndo(storage);
  if (undo === undefined) throw nothingToUndo();
  let switched = false;
  try {
    context.phase('Pausing', 'steps');
    await quiesce.pause('a restore is being undone');
    context.commit();
    context.phase('Switching', 'steps');
    await activate(storage, undo.previous);
    switched = true;
  } finally {
    await goOn(dependencies, switched);
  }
  await announce(dependencies, context, undo.previous, `undid the restore of ${undo.fromBackupId}`);
  return { generation: undo.previous };
}

export function nothingToUndo() {
  return fault('backup.nothing_to_undo', 'There is no restore that can be undone.');
}

/** Lets everybody go on. When the data has been switched already, a failure to is no failure of the switch. */
async function goOn({ quiesce, logger }: SwitchDependencies, switched: boolean): Promise<void> {
  try {
    await quiesce.resume();
  } catch (error) {
    logger.error('Not everything went on after the pause; a restart of SmallTalk Console helps', {
      switched,
      error: messageOf(error),
    });
  }
}

/** The switch is durable by now; that somebody could not be told of it must not make it look failed. */
async function announce(
  { bus, logger, storage }: SwitchDependencies,
  context: JobContext,
  generation: string,
  reason: string,
): Promise<void> {
  const event = bus.publish({
    topic: 'data.generation.switched',
    correlationId: context.correlationId,
    data: { generation, reason },
  });
  await quietly(logger, 'The switch of the data set could not be published', event);
  await dropSurplusGenerations(storage, logger);
}

/** Activates, and when that fails looks what has become of it: a lost answer must not undo a switch that took place. */
async function activate(storage: Storage, id: string): Promise<void> {
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
async function hashOf(
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

function expiresBefore(record: SnapshotRecord, time: number): boolean {
  return record.kind === 'document' && record.expiresAt !== undefined && record.expiresAt < time;
}

/** The records with those of the jobs at their place in the order. */
async function* withJobs(
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
async function quietly(logger: Logger, message: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isCoded(error, 'backup.not_found')) logger.warn(message, { error: messageOf(error) });
  }
}
