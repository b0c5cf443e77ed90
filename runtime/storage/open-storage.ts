import { join } from 'node:path';
import { fault } from '../contract/error-codes.ts';
import type { StorageSettings } from '../settings/settings.ts';
import type { Storage, StorageOptions } from './storage.ts';

export interface OpenStorageOptions extends StorageOptions, Partial<Omit<StorageSettings, 'type'>> {
  /** `STORAGE_TYPE`. */
  type: string;
  /** `DATA_DIR`; an adapter that keeps files keeps them in its `storage` folder. */
  dataDir: string;
}

/** How each type is made. The module of an adapter, and with it its client library, is loaded on first use. */
const ADAPTERS: Record<string, (options: OpenStorageOptions) => Promise<Storage>> = {
  async sqlite({ dataDir, ...options }) {
    const { SqliteStorage } = await import('./sqlite/sqlite-storage.ts');
    return new SqliteStorage({ ...options, folder: join(dataDir, 'storage') });
  },
  async memory(options) {
    const { MemoryStorage } = await import('./memory/memory-storage.ts');
    return new MemoryStorage(options);
  },
};

/** Makes the storage of a type, not open yet; rejects with `storage.unsupported_type`. */
export async function createStorage(options: OpenStorageOptions): Promise<Storage> {
  const make = Object.hasOwn(ADAPTERS, options.type) ? ADAPTERS[options.type] : undefined;
  if (make === undefined) {
    throw fault(
      'storage.unsupported_type',
      `The storage type "${options.type}" is not available in this version; set STORAGE_TYPE to "sqlite".`,
      { type: options.type, available: Object.keys(ADAPTERS) },
    );
  }
  return make(options);
}

/** Makes the storage of a type and opens it; rejects with `storage.unsupported_type` or with what `open` rejects with. */
export async function openStorage(options: OpenStorageOptions): Promise<Storage> {
  const storage = await createStorage(options);
  await storage.open();
  return storage;
}
