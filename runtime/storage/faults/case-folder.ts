import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * A folder for one case, in `parent` (default: that of temporary files, on a disk). It is removed when the case has passed:
 * otherwise it is the evidence, and is named.
 */
export async function caseFolder(name: string, parent: string = tmpdir()): Promise<string> {
  const folder = await mkdtemp(join(parent, `storage-${name}-`));
  onTestFinished(async ({ task }) => {
    if (task.result?.state !== 'fail') return rm(folder, { recursive: true, force: true });
    process.stderr.write(`The data of the failed case is kept in ${folder}\n`);
  });
  return folder;
}
