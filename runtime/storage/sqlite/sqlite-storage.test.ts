import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeStorageContract } from '../storage.contract.ts';
import { SqliteStorage } from './sqlite-storage.ts';

describeStorageContract('sqlite', async (options) => {
  const folder = await mkdtemp(join(tmpdir(), 'storage-contract-'));
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
