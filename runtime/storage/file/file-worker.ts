/** The program of the thread that keeps the files of a storage; `workerData` is the path of its folder. */
import { parentPort, workerData } from 'node:worker_threads';
import { asFileFault } from './file-errors.ts';
import { FileKeeper } from './file-keeper.ts';
import { KeeperDispatch } from './keeper-dispatch.ts';
import type { KeeperRequest } from './keeper-thread.ts';

const folder = String(workerData);
const dispatch = new KeeperDispatch(new FileKeeper(folder));

parentPort?.on('message', async ({ id, name, input }: KeeperRequest) => {
  try {
    parentPort?.postMessage({ id, output: await dispatch.call(name, input) });
  } catch (error) {
    const { code, message, data } = asFileFault(error, folder);
    parentPort?.postMessage({ id, error: { code, message, data } });
  }
});
