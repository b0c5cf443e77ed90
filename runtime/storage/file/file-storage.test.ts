import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { storageUnderTest } from '../contract/fixture.ts';
import { describeStorageContract } from '../storage.contract.ts';
import { quickFolder } from '../testing/quick-folder.ts';
import { FileKeeper } from './file-keeper.ts';
import { FileStorage } from './file-storage.ts';
import { KeeperDispatch } from './keeper-dispatch.ts';

/** The keeper in this thread: a start of its own for each of hundreds of storages would take most of the time. */
const startKeeper = (folder: string) => new KeeperDispatch(new FileKeeper(folder));

describeStorageContract('file', async (options) => {
  const folder = await mkdtemp(join(quickFolder(), 'storage-contract-'));
  return storageUnderTest(
    () => new FileStorage({ ...options, folder, startKeeper }),
    () => rm(folder, { recursive: true, force: true }),
  );
});
