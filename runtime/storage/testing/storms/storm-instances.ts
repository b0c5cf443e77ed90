import { join } from 'node:path';
import type { PostgresSettings, RedisSettings } from '../../../settings/settings.ts';
import type { Storage, StorageFault } from '../../storage.ts';

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
}

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
    case 'hybrid': {
      const { createHybridStorage } = await import('../../hybrid/open-hybrid.ts');
      return createHybridStorage({ redis, postgres, hotHours: 1, onFault });
    }
  }
}
