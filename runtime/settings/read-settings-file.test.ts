import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSettingsFile } from './read-settings-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'http-settings-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('readSettingsFile', () => {
  it('gives what is there, and nothing when nothing is there', async () => {
    expect(await readSettingsFile(folder)).toBeUndefined();
    expect(await readSettingsFile(join(folder, 'missing'))).toBeUndefined();
    await writeFile(join(folder, 'settings.json'), '{"LOG_LEVEL":"debug"}');
    expect(await readSettingsFile(folder)).toEqual({ LOG_LEVEL: 'debug' });
  });

  it.each(['{"OPENAI_API_KEY":"hunter2-hunter2",}', '[]', 'null', ''])(
    'refuses %s without quoting it',
    async (text) => {
      await writeFile(join(folder, 'settings.json'), text);
      const error = await readSettingsFile(folder).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'settings.invalid' });
      expect(String(error) + JSON.stringify(error)).not.toContain('hunter2');
    },
  );

  it('tells what cannot be read', async () => {
    await mkdir(join(folder, 'settings.json'));
    await expect(readSettingsFile(folder)).rejects.toMatchObject({ code: 'settings.invalid' });
  });
});
