/** The power cut itself on trial: it must convict every careless writer, and acquit the careful one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { caseFolder } from './case-folder.ts';
import { ForgetfulDisk } from './power-cut.ts';
import { preloadMissing } from './preload-library.ts';
import { seededRandom } from './seeded-random.ts';

/** What is in the folder after the power was cut under a writer that had saved 20 values; `old` was there before. */
async function cutUnder(way: string, skip: TestContext['skip']): Promise<Record<string, string>> {
  const missing = preloadMissing();
  if (missing !== undefined) skip(missing);
  const folder = await caseFolder('careless');
  const root = join(folder, 'data');
  await mkdir(root);
  await writeFile(join(root, 'value'), '0');
  await writeFile(join(root, 'old'), 'old');
  const disk = new ForgetfulDisk(root, folder);
  await disk.sync();
  const program = join(import.meta.dirname, 'careless-writer.ts');
  const writer = spawn(process.execPath, [program, root, way], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...disk.environment },
  });
  const ended = once(writer, 'exit');
  await Promise.race([once(writer.stdout, 'data'), ended]);
  expect(writer.exitCode).toBeNull();
  writer.kill('SIGKILL');
  await ended;
  await disk.cut('all', seededRandom(1));
  const names = await readdir(root);
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(root, name), 'utf8')] as const)),
  );
}

describe('the power cut', () => {
  it.for([
    ['write without a sync', { value: '0', old: 'old' }],
    ['rename without a sync of the file', { value: '', old: 'old' }],
    ['rename without a sync of the folder', { value: '0', old: 'old' }],
    ['new file without a sync of the folder', { value: '0', old: 'old' }],
    ['unlink without a sync of the folder', { value: '0', old: 'old' }],
  ] as const)('takes what was not synced: %s', async ([way, left], { skip }) => {
    expect(await cutUnder(way, skip)).toEqual(left);
  });

  it('leaves what was synced', async ({ skip }) => {
    expect(await cutUnder('everything synced', skip)).toEqual({ value: '20' });
  });
});
