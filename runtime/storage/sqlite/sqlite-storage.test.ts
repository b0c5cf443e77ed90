import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeStorageContract } from '../storage.contract.ts';
import { quickFolder } from '../testing/quick-folder.ts';
import { SqliteStorage } from './sqlite-storage.ts';

describeStorageContract('sqlite', async (options) => {
  const folder = await mkdtemp(join(quickFolder(), 'storage-contract-'));
  let storage = new SqliteStorage({ ...options, folder });
  return {
    get storage() {
      return storage;
    },
    async reopen() {
      await storage.close();
      storage = new SqliteStorage({ ...options, folder });
      await storage.open();
      return storage;
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
});
