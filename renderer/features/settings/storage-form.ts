import type { StorageChoice, StorageKind, StorageOverview } from '#contract';
import { ApiError } from '../../lib/api-error.ts';

/** What stands in the fields of the form. */
export interface StorageFields {
  readonly type: StorageKind;
  /** Whether `redisUrl` holds the nodes of a cluster instead of an address. */
  readonly redisCluster: boolean;
  readonly redisUrl: string;
  readonly redisPassword: string;
  readonly postgresUrl: string;
  readonly postgresPassword: string;
}

export const EMPTY_FIELDS: StorageFields = {
  type: 'sqlite',
  redisCluster: false,
  redisUrl: '',
  redisPassword: '',
  postgresUrl: '',
  postgresPassword: '',
};

export type FieldErrors = Partial<Record<'redisUrl' | 'postgresUrl', string>>;

export const STORAGE_NAMES: Readonly<Record<StorageKind, string>> = {
  sqlite: 'SQLite',
  file: 'Files',
  redis: 'Redis',
  postgres: 'PostgreSQL',
  hybrid: 'Redis + PostgreSQL',
};

/** What each is good for, in one sentence. */
export const STORAGE_USES: Readonly<Record<StorageKind, string>> = {
  sqlite: 'One database file in the data folder. Nothing to install; right for most.',
  file: 'Readable JSON files in the data folder, to look into, to search and to keep in Git.',
  redis: 'A Redis server of yours.',
  postgres: 'A PostgreSQL server of yours, with tables that you can query.',
  hybrid: 'Recent sessions in Redis, all of them in PostgreSQL.',
};

/** The name of a storage type that came over the wire: `memory`, which nobody can choose, has none. */
export function storageName(type: string): string {
  return Object.hasOwn(STORAGE_NAMES, type) ? STORAGE_NAMES[type as StorageKind] : type;
}

export const needsRedis = (type: StorageKind): boolean => type === 'redis' || type === 'hybrid';
export const needsPostgres = (type: StorageKind): boolean => type === 'postgres' || type === 'hybrid';

/** The storage that the form offers at first: any but the one in force. */
export function firstChoice(inForce: string): StorageKind {
  return inForce === 'sqlite' ? 'file' : 'sqlite';
}

/** The request of the fields, or what is missing in them. An address that is set already may be left out. */
export function choiceOf(
  fields: StorageFields,
  known: StorageOverview['known'],
): { choice: StorageChoice } | { errors: FieldErrors } {
  const { type } = fields;
  const redisUrl = fields.redisUrl.trim();
  const postgresUrl = fields.postgresUrl.trim();
  const errors: FieldErrors = {
    ...(needsRedis(type) && redisUrl === '' && known.redis === undefined
      ? { redisUrl: 'Where is the Redis server?' }
      : {}),
    ...(needsPostgres(type) && postgresUrl === '' && known.postgres === undefined
      ? { postgresUrl: 'Where is the PostgreSQL server?' }
      : {}),
  };
  if (Object.keys(errors).length > 0) return { errors };
  const redis = {
    ...(redisUrl === '' ? {} : fields.redisCluster ? { clusterNodes: redisUrl } : { url: redisUrl }),
    ...(fields.redisPassword === '' ? {} : { password: fields.redisPassword }),
  };
  const postgres = {
    ...(postgresUrl === '' ? {} : { url: postgresUrl }),
    ...(fields.postgresPassword === '' ? {} : { password: fields.postgresPassword }),
  };
  return {
    choice: {
      type,
      ...(needsRedis(type) ? { redis } : {}),
      ...(needsPostgres(type) ? { postgres } : {}),
    },
  };
}

/** What an answer says about single fields; empty when it is about something else. */
export function errorsOfAnswer(error: unknown): FieldErrors {
  if (!(error instanceof ApiError) || !Array.isArray(error.data.issues)) return {};
  const errors: FieldErrors = {};
  for (const { path, message } of error.data.issues as { path?: unknown; message?: unknown }[]) {
    if (typeof path !== 'string' || typeof message !== 'string') continue;
    if (path.startsWith('redis')) errors.redisUrl = message;
    if (path.startsWith('postgres')) errors.postgresUrl = message;
  }
  return errors;
}
