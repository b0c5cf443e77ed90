import type { PostgresSettings, RedisSettings } from '../../settings/settings.ts';
import { PostgresStorage } from '../postgres/postgres-storage.ts';
import type { StorageOptions } from '../storage.ts';
import { HotRedis } from './hot-redis.ts';
import { HybridStorage } from './hybrid-storage.ts';

export interface HybridSettings extends StorageOptions {
  redis: RedisSettings;
  postgres: PostgresSettings;
  /** Hours without use after which a session is in PostgreSQL alone. */
  hotHours: number;
  /** Hash tag of the keys in Redis; default `smalltalk`. */
  namespace?: string;
  /** Schema in PostgreSQL; default that of the connection. */
  schema?: string;
}

/** Puts a Redis before a PostgreSQL; not open yet. */
export function createHybridStorage(settings: HybridSettings): HybridStorage {
  const { redis, postgres, hotHours, namespace = 'smalltalk', schema, now, onFault, onOperation } = settings;
  return new HybridStorage({
    cold: new PostgresStorage({
      postgres,
      ...(schema === undefined ? {} : { schema }),
      ...(now === undefined ? {} : { now }),
      ...(onFault === undefined ? {} : { onFault }),
    }),
    hot: new HotRedis(redis),
    hotHours,
    namespace,
    ...(now === undefined ? {} : { now }),
    ...(onOperation === undefined ? {} : { onOperation }),
  });
}
