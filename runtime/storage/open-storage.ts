import { join } from 'node:path';
import { fault } from '../contract/error-codes.ts';
import type { StorageSettings } from '../settings/settings.ts';
import type { ModeListener } from './degraded/mode.ts';
import { DegradedStorage } from './degraded.ts';
import type { Storage, StorageOptions } from './storage.ts';

export interface OpenStorageOptions extends StorageOptions, Partial<Omit<StorageSettings, 'type'>> {
  /** `STORAGE_TYPE`. */
  type: string;
  /** `DATA_DIR`; `sqlite` keeps its files in the folder `storage` of it, `file` in `files`: data may be moved between them. */
  dataDir: string;
  /** Told when a storage that is kept by a server is lost, and when it is back. */
  onModeChange?: ModeListener;
}

/** How each type is made. The module of an adapter, and with it its client library, is loaded on first use. */
const ADAPTERS: Record<string, (options: OpenStorageOptions) => Promise<Storage>> = {
  async sqlite({ dataDir, ...options }) {
    const { SqliteStorage } = await import('./sqlite/sqlite-storage.ts');
    return new SqliteStorage({ ...options, folder: join(dataDir, 'storage'), setCorruptAside: true });
  },
  async redis({ redis, ...options }) {
    if (redis === undefined) throw fault('storage.failed', 'It is not said where Redis is.');
    const { RedisStorage } = await import('./redis/redis-storage.ts');
    return new RedisStorage({ ...options, redis });
  },
  async postgres({ postgres, ...options }) {
    if (postgres === undefined) throw fault('storage.failed', 'It is not said where PostgreSQL is.');
    const { PostgresStorage } = await import('./postgres/postgres-storage.ts');
    return new PostgresStorage({ ...options, postgres });
  },
  async hybrid({ redis, postgres, hybridHotHours = 24, ...options }) {
    if (redis === undefined) throw fault('storage.failed', 'It is not said where Redis is.');
    if (postgres === undefined) throw fault('storage.failed', 'It is not said where PostgreSQL is.');
    const { createHybridStorage } = await import('./hybrid/open-hybrid.ts');
    return createHybridStorage({ ...options, redis, postgres, hotHours: hybridHotHours });
  },
  async file({ dataDir, ...options }) {
    const { FileStorage } = await import('./file/file-storage.ts');
    return new FileStorage({ ...options, folder: join(dataDir, 'files'), setCorruptAside: true });
  },
  async memory(options) {
    const { MemoryStorage } = await import('./memory/memory-storage.ts');
    return new MemoryStorage(options);
  },
};

/**
 * Makes the storage of a type, not open yet; rejects with `storage.unsupported_type`. One that is kept by a server is wrapped,
 * so that the product goes on while the server is away (`degraded.ts`).
 */
export async function createStorage(options: OpenStorageOptions): Promise<Storage> {
  const make = Object.hasOwn(ADAPTERS, options.type) ? ADAPTERS[options.type] : undefined;
  if (make === undefined) {
    throw fault(
      'storage.unsupported_type',
      `The storage type "${options.type}" is not available in this version; set STORAGE_TYPE to "sqlite".`,
      { type: options.type, available: Object.keys(ADAPTERS) },
    );
  }
  const { onModeChange, ...others } = options;
  const storage = await make(others);
  if (!storage.supports.remote) return storage;
  const { onFault, onOperation, now } = options;
  return new DegradedStorage({
    storage,
    folder: join(options.dataDir, 'journal'),
    ...(onFault === undefined ? {} : { onFault }),
    ...(onOperation === undefined ? {} : { onOperation }),
    ...(now === undefined ? {} : { now }),
    ...(onModeChange === undefined ? {} : { onModeChange }),
  });
}

/** Makes the storage of a type and opens it; rejects with `storage.unsupported_type` or with what `open` rejects with. */
export async function openStorage(options: OpenStorageOptions): Promise<Storage> {
  const storage = await createStorage(options);
  await storage.open();
  return storage;
}
