import { execFile } from 'node:child_process';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished, type TestContext } from 'vitest';
import { messageOf } from '../../../base/errors.ts';

const run = promisify(execFile);

/**
 * A file system of its own, of a few megabytes, for what cannot be had otherwise: a disk that is full, or read-only even
 * for root. Skips the case with the reason where it cannot be mounted.
 */
export async function mountSmallDisk(
  megabytes: number,
  skip: TestContext['skip'],
): Promise<{ path: string; makeReadOnly(): Promise<void>; makeWritable(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'storage-disk-'));
  onTestFinished(() => rmdir(path));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tmpfs', path]);
  } catch (error) {
    skip(`no small disk can be mounted here (it takes Linux and root): ${messageOf(error).trim()}`);
  }
  onTestFinished(async () => {
    await run('umount', [path]);
  });
  return {
    path,
    makeReadOnly: async () => {
      await run('mount', ['-o', 'remount,ro', path]);
    },
    makeWritable: async () => {
      await run('mount', ['-o', 'remount,rw', path]);
    },
  };
}
