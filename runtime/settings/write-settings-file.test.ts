import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSettingsFile } from './read-settings-file.ts';
import { writeSettingsFile } from './write-settings-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-settings-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('makes the file when there is none, for the user alone', async () => {
  const dataDir = join(folder, 'data');
  await writeSettingsFile(dataDir, {
    STORAGE_TYPE: 'redis',
    REDIS_URL: 'redis://:secret@host',
    PGHOST: null,
  });
  expect(await readSettingsFile(dataDir)).toEqual({
    STORAGE_TYPE: 'redis',
    REDIS_URL: 'redis://:secret@host',
  });
  expect((await stat(join(dataDir, 'settings.json'))).mode & 0o777).toBe(0o600);
});

it('keeps what it was not told to change, also what it does not know, and takes others out', async () => {
  await writeFile(
    join(folder, 'settings.json'),
    '{"LOG_LEVEL":"debug","NEW":{"x":1},"PGHOST":"a","REDIS_URL":"b"}',
  );
  await chmod(join(folder, 'settings.json'), 0o644);
  await writeSettingsFile(folder, { REDIS_URL: 'c', PGHOST: null });
  expect(await readSettingsFile(folder)).toEqual({ LOG_LEVEL: 'debug', NEW: { x: 1 }, REDIS_URL: 'c' });
  expect((await stat(join(folder, 'settings.json'))).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['settings.json']);
});

it('does not overwrite a file that it cannot read', async () => {
  await writeFile(join(folder, 'settings.json'), '{"LOG_LEVEL":');
  await expect(writeSettingsFile(folder, { REDIS_URL: 'c' })).rejects.toMatchObject({
    code: 'settings.invalid',
  });
  expect(await readFile(join(folder, 'settings.json'), 'utf8')).toBe('{"LOG_LEVEL":');
});

it('says so when nothing could be written', async () => {
  await mkdir(join(folder, 'settings.json', 'in the way'), { recursive: true });
  await expect(writeSettingsFile(folder, { REDIS_URL: 'c' })).rejects.toMatchObject({
    code: 'settings.invalid',
  });
  await writeFile(join(folder, 'a file'), '');
  await expect(writeSettingsFile(join(folder, 'a file'), { REDIS_URL: 'c' })).rejects.toMatchObject({
    code: 'storage.failed',
    message: expect.stringContaining('Nothing was changed'),
  });
});
