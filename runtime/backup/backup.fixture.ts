/** What the tests of this room and its crash test stand on: real storage, bus and jobs around the backups. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { silentLogger } from '../base/logger.ts';
import type { Job } from '../contract/index.ts';
import { createEventBus } from '../events/create-event-bus.ts';
import { createJobs } from '../jobs/create-jobs.ts';
import { openStorage } from '../storage/open-storage.ts';
import type { Operation, SnapshotRecord, Storage } from '../storage/storage.ts';
import type { Quiesce } from './backups.ts';
import { createBackups } from './create-backups.ts';
import { LogicalHash } from './logical-hash.ts';

export async function createRig(options: { type: 'memory' | 'sqlite'; dataDir: string; clock?: Clock }) {
  const { dataDir, clock = systemClock } = options;
  const storage = await openStorage({ type: options.type, dataDir });
  const logger = silentLogger;
  const bus = createEventBus({
    storage,
    clock,
    makeId: randomId,
    logger,
    retentionHours: 24,
    registrySize: 1000,
  });
  await bus.start();
  const jobs = createJobs({ storage, bus, clock, makeId: randomId, logger });
  await jobs.start();
  const pauses: string[] = [];
  const quiesce: Quiesce = {
    async pause() {
      pauses.push('pause');
    },
    async resume() {
      pauses.push('resume');
      await bus.reload();
    },
    runningTurns: () => 0,
  };
  const backups = createBackups({
    storage,
    jobs,
    bus,
    clock,
    makeId: randomId,
    logger,
    folder: join(dataDir, 'backups'),
    quiesce,
    productVersion: '0.0.0-test',
  });
  await backups.start();
  const context = { correlationId: 'test' };

  /** Waits for a job's end; throws with its error when it has not succeeded. */
  async function succeed(job: Promise<Job>): Promise<Record<string, string>> {
    const ended = await jobs.finished((await job).id);
    if (ended.state !== 'succeeded')
      throw new Error(`${ended.title}: ${ended.state} ${JSON.stringify(ended.error)}`);
    return ended.result as Record<string, string>;
  }

  return {
    storage,
    bus,
    jobs,
    backups,
    quiesce,
    /** Calls of pause and resume, in order. */
    pauses,
    context,
    folder: join(dataDir, 'backups'),
    succeed,
    /** Makes a backup; answers its id. */
    async backUp(): Promise<string> {
      return (await succeed(backups.create(context))).backupId as string;
    },
    async close(): Promise<void> {
      await backups.stop();
      await jobs.stop();
      await bus.stop();
      await storage.close();
    },
  };
}

export type Rig = Awaited<ReturnType<typeof createRig>>;

export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'smalltalk-backup-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Some sessions with messages, agents and another log: enough of everything that an archive can hold. */
export async function fill(storage: Storage, sessions: number, text = 'Hello, 世界 🚀'): Promise<void> {
  await storage.commit([
    { kind: 'put', collection: 'agents', id: 'echo', value: { name: 'Echo' }, index: { name: 'Echo' } },
    { kind: 'append', log: 'audit', value: 1 },
    { kind: 'append', log: 'audit', value: 2 },
    { kind: 'trim', log: 'audit', through: 2 },
    {
      kind: 'put',
      collection: 'session_ids',
      id: 'a/b c%2f',
      value: null,
      expiresAt: Date.UTC(2100, 0, 1),
    },
  ]);
  for (let start = 0; start < sessions; start += 500) {
    const operations: Operation[] = [];
    for (let i = start; i < Math.min(sessions, start + 500); i++) {
      const id = `session-${String(i).padStart(6, '0')}`;
      const value = { title: `Session ${i}`, text, nested: { list: [1, 2.5, -0.125, null, true] } };
      operations.push({
        kind: 'put',
        collection: 'sessions',
        id,
        value,
        index: { title: value.title, updatedAt: i },
      });
      operations.push({
        kind: 'append',
        log: `messages/${id}`,
        value: { role: 'user', text: `${text} ${i}` },
      });
      operations.push({
        kind: 'append',
        log: `messages/${id}`,
        value: { role: 'agent', text: `${text}${text}` },
      });
    }
    await storage.commit(operations);
  }
}

/** Everything but what belongs to the machine (jobs) and what goes on by itself (the log of events). */
export async function contentOf(storage: Storage): Promise<SnapshotRecord[]> {
  const records: SnapshotRecord[] = [];
  for await (const batch of storage.snapshot()) records.push(...batch.filter(isContent));
  return records;
}

/** The logical hash of the same, without holding all of it. */
export async function contentHash(storage: Storage): Promise<string> {
  const hash = new LogicalHash();
  for await (const batch of storage.snapshot()) {
    for (const record of batch) if (isContent(record)) hash.add(record);
  }
  return hash.digest();
}

function isContent(record: SnapshotRecord): boolean {
  return record.kind === 'document' ? record.collection !== 'jobs' : record.log !== 'events';
}

/** Changes some, adds some, removes some; what a restore has to take back. */
export async function change(of: Rig): Promise<void> {
  await of.storage.commit([
    { kind: 'delete', collection: 'sessions', id: 'session-000003' },
    { kind: 'delete', collection: 'sessions', id: 'session-000004' },
    { kind: 'put', collection: 'sessions', id: 'session-000005', value: { title: 'renamed' } },
    { kind: 'put', collection: 'sessions', id: 'zzz', value: { title: 'new' } },
    { kind: 'append', log: 'messages/session-000001', value: 'more' },
  ]);
}

/** Cancels a job as soon as it is in the phase; answers how it ended. */
export async function cancelIn(of: Rig, phase: string, begin: () => Promise<Job>): Promise<Job> {
  const { run } = of.jobs;
  let reached = false;
  of.jobs.run = (request, work) =>
    run(request, (context) =>
      work({
        ...context,
        phase(name, unit, total) {
          context.phase(name, unit, total);
          if (name !== phase) return;
          reached = true;
          void of.jobs.cancel(context.id);
        },
      }),
    );
  try {
    const ended = await of.jobs.finished((await begin()).id);
    if (!reached) throw new Error(`the job never came to “${phase}”`);
    return ended;
  } finally {
    of.jobs.run = run;
  }
}

export const archivePath = (rig: Rig, id: string) => join(rig.folder, `${id}.stbackup`);

export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new Blob([new Uint8Array(bytes)]).stream();
}

/** The topics of the newest events, the newest first. */
export async function topicsOf(rig: Rig): Promise<string[]> {
  return (await rig.bus.read({ limit: 100 })).items.map(({ type }) => type);
}

/** Rigs over one temporary folder, which are closed and removed together. */
export async function createRigs() {
  const temporary = await temporaryFolder();
  const opened: Rig[] = [];
  const close = async () => {
    for (const one of opened.splice(0)) await one.close();
  };
  return {
    async open(type: 'memory' | 'sqlite', name = 'data'): Promise<Rig> {
      const made = await createRig({ type, dataDir: join(temporary.path, name) });
      opened.push(made);
      return made;
    },
    close,
    path: temporary.path,
    async remove(): Promise<void> {
      await close();
      await temporary.remove();
    },
  };
}

export type Rigs = Awaited<ReturnType<typeof createRigs>>;
