import type { Clock, Timer } from '../base/clock.ts';
import { isCoded, messageOf } from '../base/errors.ts';
import { type MakeId, timeOrderedId } from '../base/ids.ts';
import { lifecycle } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import { fault, isErrorCode, type Job, job as jobSchema } from '../contract/index.ts';
import type { EventBus, EventDraft } from '../events/event-bus.ts';
import type { IndexValue, Operation, PutOperation, SnapshotRecord, Storage } from '../storage/storage.ts';
import { JobProgress } from './job-progress.ts';
import { JOB_COLLECTION, type JobContext, type Jobs } from './jobs.ts';

/** Ended jobs beyond this many are forgotten, the oldest first. */
const KEPT_JOBS = 100;
/** Milliseconds between two tellings of a job's progress. */
const TELL_EVERY = 250;
/** Milliseconds that a stop waits for jobs to clean up; one that takes longer is found as interrupted at the next start. */
const STOP_GRACE = 10_000;

export interface JobsDependencies {
  storage: Storage;
  bus: EventBus;
  clock: Clock;
  makeId: MakeId;
  logger: Logger;
}

/** A job that runs in this process. */
interface RunningJob {
  /** As it was saved at its start; what has happened since is in the other fields. */
  saved: Job;
  progress: JobProgress;
  controller: AbortController;
  committed: boolean;
  cancelAsked: boolean;
  lastTold: number;
  nextTelling?: Timer;
  /** Never rejects. */
  ended: Promise<Job>;
}

/**
 * The jobs of this process, kept in the collection `jobs`. Their start and end are written and published in one commit;
 * progress is only told. They are held in memory too (a hundred at most), because they must outlive a switch of the data
 * set that one of them makes.
 */
export function createJobs(dependencies: JobsDependencies): Jobs {
  const { storage, bus, clock, makeId } = dependencies;
  const logger = dependencies.logger.with({ component: 'jobs' });
  const ended = new Map<string, Job>();
  const running = new Map<string, RunningJob>();
  /** The data set in which the jobs are saved; another one is active after a job that switched it. */
  let generation: string | undefined;
  let accepting = false;

  function present(one: RunningJob): Job {
    return {
      ...one.saved,
      ...one.progress.describe(),
      ...(one.cancelAsked ? { phase: 'Cancelling' } : {}),
      cancellable: !one.committed && !one.cancelAsked,
    };
  }

  function tell(one: RunningJob): void {
    if (one.nextTelling !== undefined) return;
    const wait = one.lastTold + TELL_EVERY - clock.monotonic();
    if (wait > 0) {
      one.nextTelling = clock.after(wait, () => {
        one.nextTelling = undefined;
        tell(one);
      });
      return;
    }
    one.lastTold = clock.monotonic();
    const data = present(one);
    bus.tell({ topic: 'job.progress', subject: data.id, correlationId: data.correlationId, data });
  }

  function contextOf(one: RunningJob): JobContext {
    const { signal } = one.controller;
    return {
      id: one.saved.id,
      correlationId: one.saved.correlationId,
      signal,
      phase(name, unit, total) {
        one.progress.begin(name, unit, total);
        tell(one);
      },
      progress(done) {
        one.progress.advance(done);
        tell(one);
      },
      commit() {
        signal.throwIfAborted();
        one.committed = true;
        tell(one);
      },
    };
  }

  /** Forgets the ended jobs beyond `kept`; answers what removes them from the storage. */
  function prune(kept: number): Operation[] {
    const surplus = [...ended.values()].sort(newestFirst).slice(kept);
    for (const { id } of surplus) ended.delete(id);
    return surplus.map(({ id }) => ({ kind: 'delete', collection: JOB_COLLECTION, id }));
  }

  /**
   * Saves the end of a job where the data is now. That is not where the job began when it switched the data set: then all
   * jobs are written again, without regard to what that data set knows of them.
   */
  async function saveEnd(job: Job): Promise<void> {
    // While the storage is away nobody can have switched the data set.
    const active = await activeGeneration(storage).catch((error: unknown) => {
      if (isCoded(error, 'storage.unreachable')) return generation;
      throw error;
    });
    const pruned = prune(KEPT_JOBS - 1);
    const jobs = new Map<string, Job>();
    if (active !== generation) {
      for (const one of ended.values()) jobs.set(one.id, one);
      for (const one of running.values()) jobs.set(one.saved.id, present(one));
    }
    jobs.set(job.id, job);
    await bus.commit([...pruned, ...[...jobs.values()].map(putOf)], [changed(job)]);
    generation = active;
  }

  async function execute(
    one: RunningJob,
    run: (context: JobContext) => Promise<Record<string, unknown>>,
  ): Promise<Job> {
    const { signal } = one.controller;
    let outcome: Pick<Job, 'state' | 'error' | 'result'>;
    try {
      outcome = { state: 'succeeded', result: await run(contextOf(one)) };
    } catch (error) {
      if (signal.aborted && !one.committed) {
        outcome = isCoded(signal.reason, 'job.cancelled') ? { state: 'cancelled' } : interrupted();
      } else {
        outcome = { state: 'failed', error: describeError(error) };
        logger
          .with({ correlationId: one.saved.correlationId })
          .error(`${one.saved.title} failed: ${messageOf(error)}`, {
            job: one.saved.id,
            kind: one.saved.kind,
            ...outcome.error,
            ...(error instanceof Error ? { stack: error.stack } : {}),
          });
      }
    }
    one.nextTelling?.cancel();
    // From here on there is nothing left to cancel.
    one.committed = true;
    const job: Job = {
      ...one.saved,
      ...one.progress.describe(),
      ...outcome,
      cancellable: false,
      endedAt: clock.now(),
    };
    delete job.etaMs;
    try {
      await saveEnd(job);
    } catch (error) {
      logger.error('The end of a job could not be saved; the next start will take it for interrupted', {
        job: job.id,
        state: job.state,
        error: messageOf(error),
      });
    }
    ended.set(job.id, job);
    running.delete(job.id);
    return job;
  }

  async function start(): Promise<void> {
    ended.clear();
    generation = await activeGeneration(storage);
    const found = await readAll(storage, logger);
    const operations: Operation[] = [];
    const events: EventDraft[] = [];
    for (const job of found) {
      if (job.state === 'running') {
        const end: Job = { ...job, ...interrupted(), cancellable: false, endedAt: clock.now() };
        delete end.etaMs;
        ended.set(end.id, end);
        operations.push(putOf(end));
        events.push(changed(end));
      } else ended.set(job.id, job);
    }
    operations.push(...prune(KEPT_JOBS));
    if (operations.length > 0) await bus.commit(operations, events);
    accepting = true;
  }

  async function stop(): Promise<void> {
    accepting = false;
    for (const one of running.values()) {
      if (!one.committed) one.controller.abort(fault('runtime.stopped', 'The runtime is shutting down.'));
    }
    const waiting = Promise.all([...running.values()].map((one) => one.ended));
    let timer: Timer | undefined;
    const outOfTime = new Promise<'late'>((resolve) => {
      timer = clock.after(STOP_GRACE, () => resolve('late'));
    });
    if ((await Promise.race([waiting, outOfTime])) === 'late') {
      logger.warn('Jobs did not end in time; the next start will take them for interrupted', {
        jobs: [...running.keys()],
      });
    }
    timer?.cancel();
    for (const one of running.values()) one.nextTelling?.cancel();
  }

  function known(id: string): Job {
    const one = running.get(id);
    const job = one === undefined ? ended.get(id) : present(one);
    if (job === undefined) throw fault('job.not_found', `There is no job "${id}".`, { id });
    return job;
  }

  return {
    ...lifecycle({ start, stop }),

    async list() {
      return [...ended.values(), ...[...running.values()].map(present)].sort(newestFirst).slice(0, KEPT_JOBS);
    },

    async get(id) {
      return known(id);
    },

    async run(request, run) {
      if (!accepting) throw fault('runtime.stopped', 'Jobs are not taken: the runtime is not running.');
      const inTheWay = [...running.values()].find((one) => request.excludes.includes(one.saved.kind));
      if (inTheWay !== undefined) {
        throw fault('job.conflict', `“${inTheWay.saved.title}” is running; wait for its end, or cancel it.`, {
          jobId: inTheWay.saved.id,
        });
      }
      const progress = new JobProgress(clock);
      const saved: Job = {
        id: timeOrderedId(clock.now(), makeId),
        kind: request.kind,
        title: request.title,
        state: 'running',
        ...progress.describe(),
        cancellable: true,
        startedAt: clock.now(),
        correlationId: request.correlationId,
      };
      let settle: (job: Job | Promise<Job>) => void = () => undefined;
      const one: RunningJob = {
        saved,
        progress,
        controller: new AbortController(),
        committed: false,
        cancelAsked: false,
        lastTold: Number.NEGATIVE_INFINITY,
        ended: new Promise((resolve) => {
          settle = resolve;
        }),
      };
      // Before the first await, so that a second job cannot slip in beside it.
      running.set(saved.id, one);
      try {
        await bus.commit([putOf(saved)], [changed(saved)]);
      } catch (error) {
        running.delete(saved.id);
        settle({ ...saved, state: 'failed', error: describeError(error), cancellable: false });
        throw error;
      }
      settle(execute(one, run));
      return present(one);
    },

    async finished(id) {
      return (await running.get(id)?.ended) ?? known(id);
    },

    async cancel(id) {
      const one = running.get(id);
      if (one === undefined || one.committed) {
        throw fault(
          'job.not_cancellable',
          `“${known(id).title}” ${one === undefined ? 'has ended already' : 'is past the point of no return'}.`,
          { id },
        );
      }
      if (!one.cancelAsked) {
        one.cancelAsked = true;
        one.controller.abort(fault('job.cancelled', `“${one.saved.title}” was cancelled.`));
        tell(one);
      }
      return present(one);
    },

    recordsForSwitch(id, result) {
      const one = running.get(id);
      if (one === undefined) throw fault('job.not_found', `No job "${id}" is running.`, { id });
      const end: Job = {
        ...present(one),
        state: 'succeeded',
        result,
        cancellable: false,
        endedAt: clock.now(),
      };
      delete end.etaMs;
      const jobs = new Map(ended);
      for (const other of running.values()) jobs.set(other.saved.id, present(other));
      return [...jobs.set(id, end).values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map(recordOf);
    },
  };
}

async function activeGeneration(storage: Storage): Promise<string | undefined> {
  return (await storage.generations.list()).find(({ active }) => active)?.id;
}

/** All jobs of the storage. One that this version cannot read is left where it is, and out. */
async function readAll(storage: Storage, logger: Logger): Promise<Job[]> {
  const jobs: Job[] = [];
  let cursor: string | undefined;
  do {
    const page = await storage.list(JOB_COLLECTION, {
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const { id, value } of page.items) {
      const parsed = jobSchema.safeParse(value);
      if (parsed.success) jobs.push(parsed.data);
      else logger.warn('A stored job cannot be read and is left out', { id, problem: parsed.error.message });
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return jobs;
}

function interrupted(): Pick<Job, 'state' | 'error'> {
  return {
    state: 'interrupted',
    error: {
      code: 'runtime.stopped',
      message: 'SmallTalk Console ended while this ran; what was not complete was undone.',
    },
  };
}

/** What the user is told of an error; the particulars of one that nobody foresaw are only in the log. */
function describeError(error: unknown): { code: string; message: string } {
  return isCoded(error) && isErrorCode(error.code)
    ? { code: error.code, message: error.message }
    : { code: 'runtime.failed', message: 'Something went wrong inside; the log has the particulars.' };
}

const changed = (job: Job): EventDraft => ({
  topic: 'job.changed',
  subject: job.id,
  correlationId: job.correlationId,
  data: job,
});

const indexOf = (job: Job): Record<string, IndexValue> => ({ startedAt: job.startedAt, state: job.state });

function putOf(job: Job): PutOperation {
  return { kind: 'put', collection: JOB_COLLECTION, id: job.id, value: job, index: indexOf(job) };
}

function recordOf(job: Job): SnapshotRecord {
  return {
    kind: 'document',
    collection: JOB_COLLECTION,
    id: job.id,
    version: 1,
    json: JSON.stringify(job),
    index: indexOf(job),
  };
}

/** Ids are made in the order of time, so they settle ties within a millisecond well enough. */
function newestFirst(a: Job, b: Job): number {
  return b.startedAt - a.startedAt || (a.id < b.id ? 1 : -1);
}
