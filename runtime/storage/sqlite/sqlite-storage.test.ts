import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { storageUnderTest } from '../contract/fixture.ts';
import { describeStorageContract } from '../storage.contract.ts';
import { quickFolder } from '../testing/quick-folder.ts';
import { SqliteStorage } from './sqlite-storage.ts';

describeStorageContract('sqlite', async (options) => {
  const folder = await mkdtemp(join(quickFolder(), 'storage-contract-'));
  return storageUnderTest(
    () => new SqliteStorage({ ...options, folder }),
    () => rm(folder, { recursive: true, force: true }),
  );
});
