import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { StorageFolder } from './testing/storage-folder.ts';

const run = promisify(execFile);

/** A program that does nothing else: only the storage keeps its process alive. */
const programOf = (end: string) => `
  import { SqliteStorage } from ${JSON.stringify(join(import.meta.dirname, 'sqlite-storage.ts'))};
  const storage = new SqliteStorage({ folder: process.argv[1] });
  await storage.open();
  await storage.commit([{ kind: 'put', collection: 'documents', id: 'a', value: 1 }]);
  ${end}
  process.stdout.write('came to its end');`;

it.for([
  ['waits for the end of the worker when the storage is closed', 'await storage.close();'],
  ['ends without it when nothing is asked for any more', ''],
] as const)('a process %s', { timeout: 30_000 }, async ([, end]) => {
  const { path } = await StorageFolder.make();
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', programOf(end), path]);
  expect(stdout).toBe('came to its end');
});
