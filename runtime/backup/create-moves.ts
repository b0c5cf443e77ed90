import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { fault, type MoveResult, type StorageKind, type StorageTest } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { JobContext, Jobs } from '../jobs/jobs.ts';
import type { Settings, StorageSettings } from '../settings/settings.ts';
import {
  knownAddresses,
  pinnedByEnvironment,
  planStorage,
  type StoragePlan,
} from '../settings/storage-choice.ts';
import type { Storage } from '../storage/storage.ts';
import type { SwitchableStorage } from '../storage/switchable-storage.ts';
import type { Quiesce } from './backups.ts';
import { DATA_SET_JOBS, goOn, quietly } from './data-set.ts';
import { countRecords, moveData } from './move-data.ts';
import type { Moves } from './moves.ts';

export const STORAGE_NAMES: Readonly<Record<StorageKind, string>> = {
  sqlite: 'SQLite',
  file: 'files',
  redis: 'Redis',
  postgres: 'PostgreSQL',
  hybrid: 'Redis and PostgreSQL',
};

export interface MovesDependencies {
  storage: SwitchableStorage;
  jobs: Jobs;
  bus: EventBus;
  clock: Clock;
  logger: Logger;
  quiesce: Quiesce;
  /** Those in force now: another answer after a move. */
  settings: () => Settings;
  /** Makes a storage that is not open yet. */
  makeStorage: (settings: StorageSettings) => Promise<Storage>;
  /** Tries to reach a storage without making anything there. */
  probe: (settings: StorageSettings) => Promise<StorageTest>;
  /** Rejects with `storage.locked` when another process works on a storage. */
  refuseUsed: (target: Storage, signal: AbortSignal) => Promise<void>;
  /** Told of passwords as soon as they come in, so that no log line ever shows one. */
  onSecrets: (secrets: string[]) => void;
  /**
   * Writes the plan down, so that the next start goes by it, and puts the target in the place of the storage in force.
   * When it rejects, neither has happened.
   */
  adopt: (plan: StoragePlan, target: Storage) => Promise<void>;
}

/** Looks at the storage in force and moves everything to another one, while the runtime goes on. */
export function createMoves(dependencies: MovesDependencies): Moves {
  const { storage, jobs, bus, clock, quiesce, settings } = dependencies;
  const logger = dependencies.logger.with({ component: 'move' });

  function plan(choice: Parameters<Moves['test']>[0]): StoragePlan {
    const planned = planStorage(settings(), choice);
    dependencies.onSecrets(planned.secrets);
    return planned;
  }

  /** Copies and switches; the target is open afterwards if, and only if, it is the storage in force. */
  async function move(planned: StoragePlan, context: JobContext): Promise<MoveResult> {
    context.phase('Opening the target', 'steps');
    const target = await dependencies.makeStorage(planned.storage);
    const source = storage.current;
    let switched = false;
    try {
      await target.open();
      context.signal.throwIfAborted();
      await refuseSame(source, target);
      await dependencies.refuseUsed(target, context.signal);
      const records = await countRecords(source, context);
      context.phase('Pausing', 'steps');
      try {
        await quiesce.pause('the data is being moved to another storage');
        // What nobody was asked to pause, such as an event of an agent that ends, waits and goes to where the data is then.
        await storage.hold();
        context.signal.throwIfAborted();
        return await moveData({ source, target, logger, now: () => clock.now() }, context, {
          records,
          jobs: (result) => jobs.recordsForSwitch(context.id, result),
          adopt: async () => {
            await dependencies.adopt(planned, target);
            switched = true;
          },
        });
      } finally {
        storage.release();
        // Also when pausing failed halfway: whoever did pause must go on.
        await goOn(dependencies, switched);
      }
    } finally {
      await quietly(logger, 'A storage could not be closed', (switched ? source : target).close());
    }
  }

  return {
    async describe() {
      const [{ documents, sizeBytes }, info] = await Promise.all([storage.stats(), storage.info()]);
      return {
        type: storage.type,
        ...info,
        sharedByProcesses: storage.supports.sharedByProcesses,
        sizeBytes,
        documents,
        pinned: pinnedByEnvironment(settings()),
        known: knownAddresses(settings()),
      };
    },

    async test(choice) {
      return dependencies.probe(plan(choice).storage);
    },

    async move(choice, { correlationId }) {
      const planned = plan(choice);
      if (planned.pinned.length > 0) throw pinned(planned);
      if (isSamePlace(settings().storage, planned.storage)) throw same(storage.type);
      return jobs.run(
        {
          kind: 'move',
          title: `Move to ${STORAGE_NAMES[choice.type]}`,
          correlationId,
          excludes: DATA_SET_JOBS,
        },
        async (context) => {
          const result = await move(planned, context);
          const told = bus.publish({
            topic: 'data.generation.switched',
            correlationId,
            data: { generation: result.to.location, reason: `moved from ${result.from.type}` },
          });
          await told.catch((error: unknown) =>
            logger.warn('The switch of the storage could not be published', { error: messageOf(error) }),
          );
          return { ...result };
        },
      );
    },
  };
}

/** By the settings alone, before anything is opened. */
function isSamePlace(current: StorageSettings, target: StorageSettings): boolean {
  if (current.type !== target.type) return false;
  if (current.type === 'sqlite' || current.type === 'file') return true;
  const place = ({ redis, postgres }: StorageSettings) =>
    JSON.stringify([redis.url, redis.clusterNodes, postgres.url, postgres.host, postgres.database]);
  return place(current) === place(target);
}

/** Two addresses may mean one place: what the two say of themselves decides. */
async function refuseSame(source: Storage, target: Storage): Promise<void> {
  if (source.type !== target.type) return;
  const [here, there] = await Promise.all([source.info(), target.info()]);
  if (here.location === there.location) throw same(source.type);
}

function same(type: string) {
  return fault('storage.same', `The data is in this storage (${type}) already.`);
}

/** What to do when the environment says which storage it is, so that nothing that is written down would count. */
function pinned({ pinned: names, changes }: StoragePlan) {
  const listed = names.join(', ');
  return fault(
    'storage.pinned',
    `${listed} ${names.length === 1 ? 'is' : 'are'} set in the environment of this process, which wins over every other ` +
      `setting. Take ${names.length === 1 ? 'it' : 'them'} out of the environment and start again, or stop SmallTalk Console ` +
      `and run “npm run serve -- move --to ${changes.STORAGE_TYPE} …”, which says what to set then.`,
    { variables: names },
  );
}
