/**
 * Restore and its undo. A restore never changes the data set that is active: it builds another one beside it, compares
 * that with the archive, and makes it the active one in a single atomic step of the storage. Up to that step everything
 * can be thrown away; from that step on there is nothing left to do that could fail halfway.
 *
 * The order matters: everybody is paused before the safety copy is made, so that what was acknowledged up to the restore
 * is either in the safety copy and the kept generation or was refused; nothing can fall between the copy and the switch.
 */
import type { Logger } from '../base/logger.ts';
import { fault } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { JobContext, Jobs } from '../jobs/jobs.ts';
import type { GenerationWriter, SnapshotRecord, Storage } from '../storage/storage.ts';
import type { Archive } from './archive-reader.ts';
import type { Quiesce } from './backups.ts';
import {
  activate,
  dropSurplusGenerations,
  EXPIRY_MARGIN,
  expiresBefore,
  goOn,
  hashOf,
  quietly,
  withJobs,
} from './data-set.ts';

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
