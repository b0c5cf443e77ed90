import { accessSync, constants, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const MEMORY = '/dev/shm';
/** What the largest cases take, with room for several files of tests at once; containers often have 64 MB only. */
const NEEDED_BYTES = 1024 * 1024 * 1024;

/**
 * Where tests of behaviour keep their data: in memory where there is enough of it, as they open hundreds of storages, and a
 * disk may need milliseconds for each sync. So do those of damage, which change the bytes themselves. Tests of durability
 * (kills, power cuts) use the disk.
 */
export function quickFolder(): string {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= NEEDED_BYTES ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}
