import { describeStorageContract } from '../storage.contract.ts';
import { MemoryStorage } from './memory-storage.ts';

describeStorageContract('memory', async (options) => {
  const storage = new MemoryStorage(options);
  return {
    storage,
    async reopen() {
      await storage.close();
      await storage.open();
      return storage;
    },
    dispose: async () => undefined,
  };
});
