/**
 * The move of all data from one storage to another, with or without a runtime around it. The order, and what is in force
 * when the process is killed:
 *
 * 1. The target gets another data set beside what it holds.     → the source; the next open of the target removes it.
 * 2. All records are copied into it, it is sealed, read back
 *    and compared by the logical hash.                          → the source; the next move removes it.
 * 3. The commit point. The target makes it the active one and
 *    keeps what it held before as the previous data set.        → the source, whole: nobody reads the target yet, and the
 *                                                                 next move takes this back.
 * 4. `adopt`: the settings say the target from now on, in one
 *    atomic step.                                               → before that step the source, after it the target.
 *
 * Nothing is ever written to the source. Nobody may write to it either between the beginning and the end: the caller sees
 * to that for its own process, and a change by another one is found and ends the move before the commit point.
 */
import type { Logger } from '../base/logger.ts';
import { fault, type MoveResult } from '../contract/index.ts';
import { EVENT_LOG } from '../events/create-event-bus.ts';
import type { JobContext } from '../jobs/jobs.ts';
import type { GenerationWriter, SnapshotRecord, Storage } from '../storage/storage.ts';
import { isLeftOut } from './archive-format.ts';
import { activate, dropSurplusGenerations, EXPIRY_MARGIN, hashOf, quietly, withJobs } from './data-set.ts';
import { LogicalHash } from './logical-hash.ts';

export interface MoveDependencies {
  /** Open. */
  source: Storage;
  /** Open. */
  target: Storage;
  logger: Logger;
  now: () => number;
}

export interface MoveSteps {
  /** From {@link countRecords}: what the progress of the copy is measured by. */
  records: number;
  /**
   * The jobs as they are to stand in the target, in place of those of the source; without it those of the source are
   * taken along. Called when nobody writes any more.
   */
  jobs?: (result: MoveResult) => SnapshotRecord[];
  /** Makes the target what the next start, and this process, goes on with. When it rejects, nothing has changed. */
  adopt: () => Promise<void>;
}

export type MoveContext = Pick<JobContext, 'signal' | 'phase' | 'progress' | 'commit'>;

/** Rejects with `storage.changed_meanwhile`, `storage.failed` and what the two storages reject with. */
export async function moveData(
  dependencies: MoveDependencies,
  context: MoveContext,
  steps: MoveSteps,
): Promise<MoveResult> {
  const { source, target, logger } = dependencies;
  await takeBackAbandoned(target);
  const result: MoveResult = {
    from: { type: source.type, location: (await source.info()).location },
    to: { type: target.type, location: (await target.info()).location },
    keptPrevious: !(await isEmpty(target)),
  };
  const before = await activeGeneration(target);
  const marker = await lastEvent(source);
  const writer = await target.generations.create(`move from ${source.type} up to event ${marker}`);
  let remove = () => writer.discard();
  let activated = false;
  try {
    const jobs = steps.jobs?.(result);
    const expiringBefore = dependencies.now() + EXPIRY_MARGIN;
    const copied = await copyInto(writer, source, jobs, steps.records, expiringBefore, context);
    context.signal.throwIfAborted();
    await writer.seal();
    remove = () => target.generations.drop(writer.id);
    await verify(target, writer.id, copied, expiringBefore, context);
    if ((await lastEvent(source)) !== marker) throw changedMeanwhile(source);
    context.commit();
    context.phase('Switching', 'steps');
    await activate(target, writer.id);
    activated = true;
    await steps.adopt();
    await quietly(logger, 'Older data sets of the target stay there', dropSurplusGenerations(target, logger));
    return { ...result, records: copied.records, logicalHash: copied.hash };
  } catch (error) {
    const tidy = async () => {
      // What the target held before is in force there again; one that held nothing has nothing to go back to.
      if (activated && before !== undefined) await target.generations.activate(before);
      await remove();
    };
    await quietly(logger, 'The copy in the target could not be removed; the next move does it', tidy());
    throw error;
  }
}

const MOVED = /^move from .* up to event (\d+)$/;

/**
 * A move that was killed between the switch in the target and that of the settings has left a copy in force there that
 * nobody has ever used: whoever goes over to a data set publishes an event. What was in force before it is so again.
 */
async function takeBackAbandoned(target: Storage): Promise<void> {
  const generations = await target.generations.list();
  const active = generations.find((one) => one.active);
  const previous = generations.find(({ id }) => id === active?.previous);
  const lastCopied = MOVED.exec(active?.reason ?? '')?.[1];
  if (active === undefined || previous === undefined || lastCopied === undefined) return;
  if (Number(lastCopied) !== (await lastEvent(target))) return;
  await target.generations.activate(previous.id);
  await target.generations.drop(active.id);
}

/**
 * Reads all of the source once while everybody still works: how much there is, and that it can be read, is then known
 * before anybody is disturbed.
 */
export async function countRecords(
  source: Storage,
  context: Pick<MoveContext, 'signal' | 'phase' | 'progress'>,
): Promise<number> {
  context.phase('Looking through the source', 'records');
  let records = 0;
  for await (const batch of source.snapshot({ signal: context.signal })) {
    context.signal.throwIfAborted();
    records += batch.length;
    context.progress(records);
  }
  return records;
}

/** Whether a storage holds nothing that a user would miss. */
async function isEmpty(storage: Storage): Promise<boolean> {
  const { documents } = await storage.stats();
  return Object.values(documents).every((count) => count === 0);
}

/** What was written, and what must be read back. */
interface Copied {
  records: number;
  hash: string;
}

async function copyInto(
  writer: GenerationWriter,
  source: Storage,
  jobs: SnapshotRecord[] | undefined,
  expected: number,
  expiringBefore: number,
  context: MoveContext,
): Promise<Copied> {
  context.phase('Copying', 'records', expected);
  const hash = new LogicalHash(expiringBefore);
  let records = 0;
  const all = source.snapshot({ signal: context.signal });
  for await (const batch of jobs === undefined ? all : withJobs(withoutJobs(all), jobs)) {
    context.signal.throwIfAborted();
    for (const record of batch) hash.add(record);
    await writer.write(batch);
    records += batch.length;
    context.progress(Math.min(records, expected));
  }
  return { records, hash: hash.digest() };
}

async function* withoutJobs(all: AsyncIterable<SnapshotRecord[]>): AsyncGenerator<SnapshotRecord[]> {
  for await (const batch of all) yield batch.filter((record) => !isLeftOut(record));
}

async function verify(
  target: Storage,
  generation: string,
  copied: Copied,
  expiringBefore: number,
  context: MoveContext,
): Promise<void> {
  context.phase('Verifying', 'records', copied.records);
  const found = target.snapshot({ generation, signal: context.signal });
  const hash = await hashOf(found, expiringBefore, (count) => {
    context.signal.throwIfAborted();
    context.progress(Math.min(count, copied.records));
  });
  if (hash === copied.hash) return;
  throw fault(
    'storage.failed',
    'What was written to the target does not read back as the source holds it. Nothing was changed.',
  );
}

async function activeGeneration(storage: Storage): Promise<string | undefined> {
  return (await storage.generations.list()).find(({ active }) => active)?.id;
}

/** The number of the newest event: whoever does anything with the data publishes one. */
async function lastEvent(storage: Storage): Promise<number> {
  const [newest] = await storage.read(EVENT_LOG, { reverse: true, limit: 1 });
  return newest?.sequence ?? 0;
}

function changedMeanwhile({ type }: Storage): Error {
  return fault(
    'storage.changed_meanwhile',
    `Somebody else wrote to the source (${type}) while it was copied. Stop every other SmallTalk Console that uses it, ` +
      'then move again. Nothing was changed.',
  );
}
