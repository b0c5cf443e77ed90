/**
 * A runtime in small around the moves: real jobs, bus and settings file, and two storages, of which the settings say
 * which one is in force. Both are SQLite, in folders of their own, so that a kill leaves on the disk what it leaves.
 */
import { join } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { silentLogger } from '../base/logger.ts';
import type { StorageChoice } from '../contract/index.ts';
import { createEventBus } from '../events/create-event-bus.ts';
import { createJobs } from '../jobs/create-jobs.ts';
import { loadSettings } from '../settings/load-settings.ts';
import { readSettingsFile } from '../settings/read-settings-file.ts';
import type { Settings } from '../settings/settings.ts';
import { adoptStorage } from '../settings/storage-choice.ts';
import { writeSettingsFile } from '../settings/write-settings-file.ts';
import { InstanceLease } from '../storage/instance-lease.ts';
import { createStorage } from '../storage/open-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { SwitchableStorage } from '../storage/switchable-storage.ts';
import type { Quiesce } from './backups.ts';
import { createMoves } from './create-moves.ts';
import { dropSurplusGenerations } from './data-set.ts';

/** Where a choice of this type keeps its data in these tests: `sqlite` is the storage at first. */
export async function openPlace(dataDir: string, type: string): Promise<Storage> {
  const storage = await createStorage({ type: 'sqlite', dataDir: join(dataDir, type) });
  await storage.open();
  return storage;
}

export async function createMoveRig(options: {
  dataDir: string;
  env?: Record<string, string>;
  clock?: Clock;
  /** Called before each step that a kill or a failure may fall into; the names are those of the phases and `adopt`. */
  onStep?: (name: string) => void | Promise<void>;
  /** Instead of the target that a choice names. */
  makeTarget?: (type: string) => Promise<Storage>;
}) {
  const { dataDir, clock = systemClock, env = {} } = options;
  const file = await readSettingsFile(dataDir);
  let settings: Settings = loadSettings({
    env: { DATA_DIR: dataDir, ...env },
    ...(file === undefined ? {} : { file }),
  });
  const makeStorage = (type: string) => createStorage({ type: 'sqlite', dataDir: join(dataDir, type) });
  const storage = new SwitchableStorage(await makeStorage(settings.storage.type));
  await storage.open();
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
  // As the start of the backups does.
  await dropSurplusGenerations(storage, logger);
  const { run } = jobs;
  jobs.run = (request, work) =>
    run(request, (context) =>
      work({
        ...context,
        phase(name, unit, total) {
          context.phase(name, unit, total);
          void options.onStep?.(name);
        },
      }),
    );
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
  const secrets: string[] = [];
  const lease = new InstanceLease({ storage, instance: 'test', clock, logger });
  const moves = createMoves({
    storage,
    jobs,
    bus,
    clock,
    logger,
    quiesce,
    settings: () => settings,
    makeStorage: ({ type }) => options.makeTarget?.(type) ?? makeStorage(type),
    probe: async ({ type }) => ({ type, product: '', location: '', latencyMs: 0, notices: [] }),
    refuseUsed: (target, signal) => lease.refuseUsed(target, signal),
    onSecrets: (found) => secrets.push(...found),
    async adopt(plan, target) {
      await options.onStep?.('adopt');
      await writeSettingsFile(dataDir, plan.changes);
      await options.onStep?.('adopted');
      settings = adoptStorage(settings, plan);
      storage.replace(target);
    },
  });
  const context = { correlationId: 'test' };
  return {
    storage,
    bus,
    jobs,
    moves,
    pauses,
    secrets,
    context,
    settings: () => settings,
    /** Moves and waits for the end; answers the job, however it ended. */
    async move(choice: StorageChoice) {
      return jobs.finished((await moves.move(choice, context)).id);
    },
    async close(): Promise<void> {
      await jobs.stop();
      await bus.stop();
      await storage.close();
    },
  };
}

export type MoveRig = Awaited<ReturnType<typeof createMoveRig>>;
