import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadOrCreateToken } from './token-store.ts';

let parent: string;
let dataDir: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'http-token-'));
  dataDir = join(parent, 'data');
});
afterEach(() => rm(parent, { recursive: true }));

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe('loadOrCreateToken', () => {
  it('makes a token once, for nobody else to read', async () => {
    const token = await loadOrCreateToken(dataDir);
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(await loadOrCreateToken(dataDir)).toBe(token);
    expect(await readFile(join(dataDir, 'token'), 'utf8')).toBe(`${token}\n`);
    expect(await modeOf(join(dataDir, 'token'))).toBe('600');
    expect(await modeOf(dataDir)).toBe('700');
    expect(await readdir(dataDir)).toEqual(['token']);
  });

  it('gives all who start at once the same token', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, () => loadOrCreateToken(dataDir)));
    expect(new Set(tokens).size).toBe(1);
    expect(await readdir(dataDir)).toEqual(['token']);
  });

  it('takes the one that is set, and writes nothing', async () => {
    expect(await loadOrCreateToken(dataDir, 'chosen-by-the-user')).toBe('chosen-by-the-user');
    await expect(stat(dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes one that was put there by hand, and hides it', async () => {
    await loadOrCreateToken(dataDir);
    await writeFile(join(dataDir, 'token'), '  put-there-by-hand \n');
    await chmod(join(dataDir, 'token'), 0o644);
    expect(await loadOrCreateToken(dataDir)).toBe('put-there-by-hand');
    expect(await modeOf(join(dataDir, 'token'))).toBe('600');
  });

  it.each(['', 'short', 'with a space in it, and long', 'tööö-many-umlauts-in-it'])(
    'refuses "%s" without quoting it',
    async (text) => {
      await loadOrCreateToken(dataDir);
      await writeFile(join(dataDir, 'token'), text);
      const error = await loadOrCreateToken(dataDir).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'settings.invalid' });
      if (text !== '') expect(String(error)).not.toContain(text);
    },
  );

  it('says in words when the folder cannot be', async () => {
    await writeFile(dataDir, 'a file where the folder should be');
    await expect(loadOrCreateToken(dataDir)).rejects.toMatchObject({
      code: 'storage.failed',
      message: expect.stringContaining('Set DATA_DIR'),
    });
  });
});
