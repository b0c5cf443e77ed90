/**
 * Writers that the power cut must convict, and one that it must not. Puts the values 1 to 20 one after the other into the
 * file `value` of a folder, prints `done` when all of them count as saved, and waits for its end. Arguments: the folder and
 * the way of saving.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { removeDurably, writeFileDurably } from '../../base/durable-file.ts';

const [folder, way] = process.argv.slice(2) as [string, keyof typeof WAYS];
const file = join(folder, 'value');

const WAYS = {
  'write without a sync': (value: string) => writeFileSync(file, value),
  'rename without a sync of the file': (value: string) => {
    writeFileSync(`${file}.new`, value);
    renameSync(`${file}.new`, file);
    syncFolder();
  },
  'rename without a sync of the folder': (value: string) => {
    writeSynced(`${file}.new`, value);
    renameSync(`${file}.new`, file);
  },
  'new file without a sync of the folder': (value: string) => writeSynced(join(folder, value), value),
  'unlink without a sync of the folder': (value: string) => {
    if (value === '20') rmSync(join(folder, 'old'));
  },
  'everything synced': async (value: string) => {
    await writeFileDurably(file, value);
    if (value === '20') await removeDurably(join(folder, 'old'));
  },
};

function writeSynced(path: string, value: string): void {
  const opened = openSync(path, 'w');
  writeSync(opened, value);
  fsyncSync(opened);
  closeSync(opened);
}

function syncFolder(): void {
  const opened = openSync(folder, 'r');
  fsyncSync(opened);
  closeSync(opened);
}

for (let value = 1; value <= 20; value++) await WAYS[way](String(value));
writeSync(1, 'done\n');
setInterval(() => undefined, 60_000);
