import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { quickFolder } from '../testing/quick-folder.ts';
import { FileKeeper } from './file-keeper.ts';
import { FileStorage } from './file-storage.ts';
import { KeeperDispatch } from './keeper-dispatch.ts';

it('can be activated after a first try that failed while the journal went over to a new file', async () => {
  const folder = await mkdtemp(join(quickFolder(), 'storage-activation-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  let fails = false;
  const storage = new FileStorage({
    folder,
    startKeeper: (path) => new KeeperDispatch(new FileKeeper(path)),
    onStep: (step) => {
      if (!fails || step !== 'create segment') return;
      fails = false;
      throw Object.assign(new Error('EIO: i/o error, open'), { code: 'EIO' });
    },
  });
  await storage.open();
  onTestFinished(() => storage.close());
  await storage.commit([{ kind: 'put', collection: 'documents', id: 'a', value: 1 }]);
  const writer = await storage.generations.create('test');
  await writer.seal();
  fails = true;
  await expect(storage.generations.activate(writer.id)).rejects.toMatchObject({ code: 'storage.failed' });
  expect((await storage.get('documents', 'a'))?.value).toBe(1);
  await storage.generations.activate(writer.id);
  expect(await storage.get('documents', 'a')).toBeUndefined();
  await storage.commit([{ kind: 'put', collection: 'documents', id: 'b', value: 2 }]);
  expect((await storage.get('documents', 'b'))?.value).toBe(2);
});
