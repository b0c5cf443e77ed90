import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeStorageContract } from '../storage.contract.ts';
import { quickFolder } from '../testing/quick-folder.ts';
import { FileKeeper } from './file-keeper.ts';
import { FileStorage } from './file-storage.ts';
import { KeeperDispatch } from './keeper-dispatch.ts';

/** The keeper in this thread: a start of its own for each of hundreds of storages would take most of the time. */
const startKeeper = (folder: string) => new KeeperDispatch(new FileKeeper(folder));

describeStorageContract('file', async (options) => {
  const folder = await mkdtemp(join(quickFolder(), 'storage-contract-'));
  let storage = new FileStorage({ ...options, folder, startKeeper });
  return {
    get storage() {
      return storage;
    },
    async reopen() {
      await storage.close();
      storage = new FileStorage({ ...options, folder, startKeeper });
      await storage.open();
      return storage;
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
});
