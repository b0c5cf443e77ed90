import { AsyncLocalStorage } from 'node:async_hooks';
import { join } from 'node:path';
import type { PostgresSettings, RedisSettings } from '../../../settings/settings.ts';
import type { HybridStorageOptions } from '../../hybrid/hybrid-storage.ts';
import type { ReadQuery, Storage, StorageFault } from '../../storage.ts';

/** The types of storage that a storm can go over. */
export const STORM_ADAPTERS = ['sqlite', 'file', 'redis', 'postgres', 'hybrid'] as const;

export type StormAdapter = (typeof STORM_ADAPTERS)[number];

/** Where a process finds its data, for which way it takes there. It must survive JSON. */
export interface StormRig {
  adapter: StormAdapter;
  /** Of the adapters that keep files. */
  folder: string;
  redis: RedisSettings;
  postgres: PostgresSettings;
  /** Of the hybrid one: how soon it takes things for idle, gives up what others want, and counts as gone. */
  times: HybridTimes;
}

export type HybridTimes = Pick<HybridStorageOptions, 'hotHours' | 'beatMs' | 'lapseMs'>;

/** A Redis that does not answer is given up after so many milliseconds: a storm has no time to wait. */
const COMMAND_TIMEOUT_MS = 500;

/**
 * The adapter itself, not open yet: without what keeps the product going while a server is away (`degraded.ts`), which would
 * answer in its place, and by whose rules entries may get other numbers.
 */
export async function makeInstance(rig: StormRig, onFault: (fault: StorageFault) => void): Promise<Storage> {
  const { folder, redis, postgres } = rig;
  switch (rig.adapter) {
    case 'sqlite': {
      const { SqliteStorage } = await import('../../sqlite/sqlite-storage.ts');
      return new SqliteStorage({ folder: join(folder, 'storage'), onFault });
    }
    case 'file': {
      const { FileStorage } = await import('../../file/file-storage.ts');
      return new FileStorage({ folder: join(folder, 'files'), onFault });
    }
    case 'redis': {
      const { RedisStorage } = await import('../../redis/redis-storage.ts');
      return new RedisStorage({ redis, commandTimeoutMs: COMMAND_TIMEOUT_MS, onFault });
    }
    case 'postgres': {
      const { PostgresStorage } = await import('../../postgres/postgres-storage.ts');
      return new PostgresStorage({ postgres, onFault });
    }
    case 'hybrid':
      return hybrid(rig, onFault);
  }
}

/** What answered the call that is under way. */
const answering = new AsyncLocalStorage<{ side: 'the copy' | 'PostgreSQL' }>();

/** As `createHybridStorage`, with times that a storm lives to see. */
async function hybrid(rig: StormRig, onFault: (fault: StorageFault) => void): Promise<Storage> {
  const { PostgresStorage } = await import('../../postgres/postgres-storage.ts');
  const { HotRedis } = await import('../../hybrid/hot-redis.ts');
  const { HybridStorage } = await import('../../hybrid/hybrid-storage.ts');
  class ColdSide extends PostgresStorage {
    override get<T>(collection: string, id: string) {
      this.#isAsked();
      return super.get<T>(collection, id);
    }

    override read<T>(log: string, query?: ReadQuery) {
      this.#isAsked();
      return super.read<T>(log, query);
    }

    #isAsked(): void {
      const call = answering.getStore();
      if (call !== undefined) call.side = 'PostgreSQL';
    }
  }
  return new HybridStorage({
    cold: new ColdSide({ postgres: rig.postgres, onFault }),
    hot: new HotRedis(rig.redis),
    namespace: 'storm',
    ...rig.times,
  });
}

/** Calls, and tells which side of a hybrid storage has answered. */
export function noticingSide<T>(call: () => Promise<T>): Promise<{ result: T; side: string }> {
  const told = { side: 'the copy' as const };
  return answering.run(told, async () => ({ result: await call(), side: told.side }));
}
