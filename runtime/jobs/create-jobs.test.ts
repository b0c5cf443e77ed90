import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { silentLogger } from '../base/logger.ts';
import { fault, type Job, type RuntimeEvent } from '../contract/index.ts';
import { createEventBus } from '../events/create-event-bus.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import type { Operation, SnapshotRecord } from '../storage/storage.ts';
import { createJobs } from './create-jobs.ts';
import { JOB_COLLECTION, type JobContext } from './jobs.ts';

const BACKUP = {
  kind: 'backup',
  title: 'Back up',
  correlationId: 'c1',
  excludes: ['backup', 'restore'],
} as const;
const backup = { ...BACKUP, excludes: [...BACKUP.excludes] };
const free = { ...BACKUP, excludes: [] };

const clock = new VirtualClock();
let storage: MemoryStorage;
let bus: ReturnType<typeof createEventBus>;
let jobs: ReturnType<typeof createJobs>;
let told: RuntimeEvent[];
const commits: Operation[][] = [];

beforeEach(async () => {
  storage = new MemoryStorage({ now: () => clock.now() });
  await storage.open();
  const { commit } = storage;
  commits.length = 0;
  storage.commit = (operations) => {
    commits.push(operations);
    return commit.call(storage, operations);
  };
  bus = createEventBus({
    storage,
    clock,
    makeId: randomId,
    logger: silentLogger,
    retentionHours: 24,
    registrySize: 100,
  });
  await bus.start();
  told = [];
  bus.subscribe({ name: 'test', topics: ['job.>'] }, (event) => {
    told.push(event);
  });
  jobs = makeJobs();
  await jobs.start();
});

afterEach(async () => {
  await jobs.stop();
  await bus.stop();
  expect(clock.pending).toBe(0);
});

const makeJobs = () => createJobs({ storage, bus, clock, makeId: randomId, logger: silentLogger });

const stored = async (id: string) => (await storage.get<Job>(JOB_COLLECTION, id))?.value;

/** A job that waits for the test to say how it goes on. */
function held() {
  const gate = Promise.withResolvers<Record<string, unknown>>();
  let context: JobContext | undefined;
  const run = async (given: JobContext) => {
    context = given;
    const aborted = new Promise<never>((_, reject) => {
      given.signal.addEventListener('abort', () => reject(given.signal.reason), { once: true });
    });
    return Promise.race([gate.promise, aborted]);
  };
  return {
    run,
    ...gate,
    get context(): JobContext {
      if (context === undefined) throw new Error('the job has not begun');
      return context;
    },
  };
}

describe('a job', () => {
  it('is saved and told with its start and its end, each in one commit', async () => {
    const started = await jobs.run(backup, async () => ({ backupId: 'b1' }));
    expect(started).toMatchObject({
      kind: 'backup',
      state: 'running',
      cancellable: true,
      correlationId: 'c1',
    });
    const ended = await jobs.finished(started.id);
    expect(ended).toMatchObject({ state: 'succeeded', result: { backupId: 'b1' }, cancellable: false });
    expect(ended.endedAt).toBe(clock.now());
    expect(await stored(started.id)).toEqual(ended);

    expect(commits.map((operations) => operations.map(({ kind }) => kind))).toEqual([
      ['put', 'append'],
      ['put', 'append'],
    ]);
    const { items } = await bus.read({ topics: ['job.changed'], limit: 10 });
    expect(
      items.map(({ data, subject, correlationid }) => [(data as Job).state, subject, correlationid]),
    ).toEqual([
      ['succeeded', started.id, 'c1'],
      ['running', started.id, 'c1'],
    ]);
  });

  it('can be listed by its index', async () => {
    const { id } = await jobs.run(backup, async () => ({}));
    await jobs.finished(id);
    const query = {
      where: [{ field: 'state', is: 'succeeded' }],
      orderBy: { field: 'startedAt', direction: 'descending' as const },
      limit: 10,
    };
    expect((await storage.list(JOB_COLLECTION, query)).items.map((one) => one.id)).toEqual([id]);
  });

  it('that fails with a code keeps code and message', async () => {
    const { id } = await jobs.run(backup, async () => {
      throw fault('storage.full', 'The disk is full.');
    });
    expect(await jobs.finished(id)).toMatchObject({
      state: 'failed',
      error: { code: 'storage.full', message: 'The disk is full.' },
    });
  });

  it('that fails without one says so, and nothing of the inside', async () => {
    const { id } = await jobs.run(backup, async () => {
      throw new TypeError('x is not a function at /home/somebody');
    });
    const { error } = await jobs.finished(id);
    expect(error?.code).toBe('runtime.failed');
    expect(JSON.stringify(error)).not.toContain('somebody');
  });

  it('that cannot be saved does not run, and is not in the way of the next', async () => {
    const { commit } = storage;
    storage.commit = () => Promise.reject(fault('storage.full', 'The disk is full.'));
    let ran = false;
    const run = async () => {
      ran = true;
      return {};
    };
    await expect(jobs.run(backup, run)).rejects.toMatchObject({ code: 'storage.full' });
    expect(ran).toBe(false);
    expect(await jobs.list()).toEqual([]);
    storage.commit = commit;
    await jobs.finished((await jobs.run(backup, run)).id);
    expect(ran).toBe(true);
  });

  it('keeps those out that it excludes, also ones asked for at the same moment', async () => {
    const one = held();
    const [first, second] = await Promise.allSettled([jobs.run(backup, one.run), jobs.run(backup, one.run)]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'job.conflict' } });
    await expect(jobs.run({ ...backup, kind: 'restore' }, one.run)).rejects.toMatchObject({
      code: 'job.conflict',
    });
    const other = await jobs.run({ ...backup, kind: 'undo-restore', excludes: [] }, async () => ({}));
    expect((await jobs.finished(other.id)).state).toBe('succeeded');
    one.resolve({});
  });

  it('is unknown under another id', async () => {
    const unknown = { code: 'job.not_found' };
    await expect(jobs.get('nothing')).rejects.toMatchObject(unknown);
    await expect(jobs.cancel('nothing')).rejects.toMatchObject(unknown);
    await expect(jobs.finished('nothing')).rejects.toMatchObject(unknown);
  });
});

describe('progress', () => {
  const progressTold = () =>
    told.filter(({ type }) => type === 'job.progress').map(({ data }) => data as Job);

  it('is told at most four times a second, and the last of it always', async () => {
    const one = held();
    const { id } = await jobs.run(backup, one.run);
    one.context.phase('Reading', 'records', 1000);
    for (let done = 1; done <= 1000; done++) {
      one.context.progress(done);
      await clock.advance(1);
    }
    expect(progressTold().length).toBeGreaterThanOrEqual(4);
    expect(progressTold().length).toBeLessThanOrEqual(5);
    await clock.advance(250);
    expect(progressTold().at(-1)).toMatchObject({
      id,
      phase: 'Reading',
      unit: 'records',
      done: 1000,
      total: 1000,
    });
    expect(told.every(({ type, sequence }) => (type === 'job.progress') === (sequence === 0))).toBe(true);
    expect(await jobs.get(id)).toMatchObject({ phase: 'Reading', done: 1000 });
    one.resolve({});
  });

  it('estimates the rest from three seconds on, by the smoothed rate', async () => {
    const one = held();
    const { id } = await jobs.run(backup, one.run);
    one.context.phase('Checking', 'bytes', 10_000);
    const go = async (seconds: number, aSecond: number, from: number) => {
      for (let quarter = 1; quarter <= seconds * 4; quarter++) {
        await clock.advance(250);
        one.context.progress(from + (quarter * aSecond) / 4);
      }
    };
    await go(2.75, 100, 0);
    expect((await jobs.get(id)).etaMs).toBeUndefined();
    await go(0.25, 100, 275);
    // 300 of 10,000 at 100 a second.
    expect((await jobs.get(id)).etaMs).toBe(97_000);
    await go(2, 1000, 300);
    const { etaMs = 0 } = await jobs.get(id);
    // Ten times as fast for two seconds: nearer, but not yet at the 7.7 s that the last rate alone would say.
    expect(etaMs).toBeGreaterThan(7700);
    expect(etaMs).toBeLessThan(77_000);
    one.context.phase('Next', 'bytes', 10);
    expect(await jobs.get(id)).toMatchObject({ phase: 'Next', done: 0 });
    expect((await jobs.get(id)).etaMs).toBeUndefined();
    one.resolve({});
    expect((await jobs.finished(id)).etaMs).toBeUndefined();
  });

  it('never says more than there is', async () => {
    const one = held();
    const { id } = await jobs.run(backup, one.run);
    one.context.phase('Reading', 'records', 10);
    one.context.progress(12);
    expect(await jobs.get(id)).toMatchObject({ done: 12, total: 12 });
    one.resolve({});
  });
});

describe('cancel', () => {
  it('aborts the job, which is cancelled once it has cleaned up', async () => {
    const one = held();
    let cleaned = false;
    const { id } = await jobs.run(backup, async (context) => {
      try {
        return await one.run(context);
      } finally {
        await Promise.resolve();
        cleaned = true;
      }
    });
    expect(await jobs.cancel(id)).toMatchObject({
      state: 'running',
      cancellable: false,
      phase: 'Cancelling',
    });
    expect(await jobs.cancel(id)).toMatchObject({ id });
    const ended = await jobs.finished(id);
    expect(cleaned).toBe(true);
    expect(ended.state).toBe('cancelled');
    expect(ended.error).toBeUndefined();
    expect((await stored(id))?.state).toBe('cancelled');
  });

  it('counts for cancelled whatever error the abort has caused', async () => {
    const one = held();
    const { id } = await jobs.run(backup, (context) =>
      one.run(context).catch(() => {
        throw new Error('the stream was destroyed');
      }),
    );
    await jobs.cancel(id);
    expect((await jobs.finished(id)).state).toBe('cancelled');
  });

  it('comes too late after the commit point and after the end', async () => {
    const one = held();
    const { id } = await jobs.run(backup, one.run);
    one.context.commit();
    expect((await jobs.get(id)).cancellable).toBe(false);
    await expect(jobs.cancel(id)).rejects.toMatchObject({ code: 'job.not_cancellable' });
    expect(one.context.signal.aborted).toBe(false);
    one.resolve({});
    expect((await jobs.finished(id)).state).toBe('succeeded');
    await expect(jobs.cancel(id)).rejects.toMatchObject({ code: 'job.not_cancellable' });
  });

  it('that came first lets the commit point throw', async () => {
    const gate = Promise.withResolvers<void>();
    const { id } = await jobs.run(backup, async (context) => {
      await gate.promise;
      context.commit();
      return {};
    });
    await jobs.cancel(id);
    gate.resolve();
    expect((await jobs.finished(id)).state).toBe('cancelled');
  });
});

describe('start and stop', () => {
  it('finds what ran when the process ended as interrupted, and tells it', async () => {
    const one = held();
    const { id } = await jobs.run(backup, one.run);
    const next = makeJobs();
    await next.start();
    const found = await next.get(id);
    expect(found).toMatchObject({
      state: 'interrupted',
      cancellable: false,
      error: { code: 'runtime.stopped' },
    });
    expect(found.endedAt).toBe(clock.now());
    expect(await stored(id)).toEqual(found);
    const { items } = await bus.read({ topics: ['job.changed'], limit: 1 });
    expect(items[0]?.data).toEqual(found);
    await next.stop();
    one.resolve({});
  });

  it('reads what had ended before, unchanged', async () => {
    const { id } = await jobs.run(backup, async () => ({ backupId: 'b1' }));
    const ended = await jobs.finished(id);
    const next = makeJobs();
    await next.start();
    expect(await next.list()).toEqual([ended]);
    await next.stop();
  });

  it('leaves a job out, and where it is, that this version cannot read', async () => {
    await storage.commit([
      {
        kind: 'put',
        collection: JOB_COLLECTION,
        id: 'future',
        value: { kind: 'teleport', state: 'running' },
      },
    ]);
    const { id } = await jobs.run(backup, async () => ({}));
    await jobs.finished(id);
    const next = makeJobs();
    await next.start();
    expect((await next.list()).map((job) => job.id)).toEqual([id]);
    expect(await stored('future')).toEqual({ kind: 'teleport', state: 'running' });
    await next.stop();
  });

  it('stops what runs and waits for it; takes nothing afterwards', async () => {
    const one = held();
    const { id } = await jobs.run(backup, one.run);
    await jobs.stop();
    expect(await stored(id)).toMatchObject({ state: 'interrupted', error: { code: 'runtime.stopped' } });
    await expect(jobs.run(backup, one.run)).rejects.toMatchObject({ code: 'runtime.stopped' });
  });

  it('lets a job past its commit point come to its end', async () => {
    const one = held();
    const { id } = await jobs.run(backup, one.run);
    one.context.commit();
    const stopped = jobs.stop();
    await clock.advance(0);
    expect(one.context.signal.aborted).toBe(false);
    one.resolve({ done: true });
    await stopped;
    expect((await stored(id))?.state).toBe('succeeded');
  });

  it('does not wait for ever for a job that does not stop', async () => {
    const gate = Promise.withResolvers<Record<string, unknown>>();
    const { id } = await jobs.run(backup, () => gate.promise);
    const stopped = jobs.stop();
    await clock.advance(10_000);
    await stopped;
    expect((await stored(id))?.state).toBe('running');
    gate.resolve({});
    await jobs.finished(id);
  });
});

describe('many jobs', () => {
  it('keeps the newest hundred, in the storage too', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 104; i++) {
      await clock.advance(1);
      const { id } = await jobs.run(free, async () => ({}));
      await jobs.finished(id);
      ids.push(id);
    }
    expect((await jobs.list()).map(({ id }) => id)).toEqual(ids.toReversed().slice(0, 100));
    expect((await storage.stats()).documents[JOB_COLLECTION]).toBe(100);
    const next = makeJobs();
    await next.start();
    expect((await storage.stats()).documents[JOB_COLLECTION]).toBe(100);
    expect((await next.list()).map(({ id }) => id)).toEqual(ids.toReversed().slice(0, 100));
    await next.stop();
  });
});

describe('a job that switches the data set', () => {
  async function switchTo(records: SnapshotRecord[]): Promise<void> {
    const writer = await storage.generations.create('restore b1');
    await writer.write(records);
    await writer.seal();
    await storage.generations.activate(writer.id);
  }

  it('ends in the new one, and takes all others along', async () => {
    const before = await jobs.run(free, async () => ({}));
    await jobs.finished(before.id);
    const other = held();
    const running = await jobs.run(free, other.run);
    const { id } = await jobs.run({ ...free, kind: 'restore' }, async () => {
      await switchTo([]);
      return { backupId: 'b1' };
    });
    expect((await jobs.finished(id)).state).toBe('succeeded');
    expect(await stored(id)).toMatchObject({ state: 'succeeded', result: { backupId: 'b1' } });
    expect(await stored(before.id)).toMatchObject({ state: 'succeeded' });
    expect(await stored(running.id)).toMatchObject({ state: 'running' });
    other.resolve({});
    await jobs.finished(running.id);
    expect(await stored(running.id)).toMatchObject({ state: 'succeeded' });
  });

  it('is found as succeeded after a kill right behind the switch', async () => {
    const before = await jobs.run(free, async () => ({}));
    await jobs.finished(before.id);
    const gate = Promise.withResolvers<Record<string, unknown>>();
    const switched = Promise.withResolvers<void>();
    const { id } = await jobs.run({ ...free, kind: 'restore' }, async (context) => {
      await switchTo(jobs.recordsForSwitch(context.id, { backupId: 'b1' }));
      switched.resolve();
      return gate.promise;
    });
    await switched.promise;
    const next = makeJobs();
    await next.start();
    expect(await next.get(id)).toMatchObject({
      state: 'succeeded',
      result: { backupId: 'b1' },
      cancellable: false,
    });
    expect(await next.get(before.id)).toMatchObject({ state: 'succeeded' });
    await next.stop();
    gate.resolve({});
    await jobs.finished(id);
  });
});
