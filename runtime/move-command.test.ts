import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contentHash, fill } from './backup/backup.fixture.ts';
import { readMoveArguments } from './move-command.ts';
import { openStorage } from './storage/open-storage.ts';
import type { Storage } from './storage/storage.ts';

describe('the arguments of a move', () => {
  it.each([
    [['--to', 'file'], { type: 'file', redis: {}, postgres: {} }],
    [['--to=sqlite'], { type: 'sqlite', redis: {}, postgres: {} }],
    [['--to', 'rediss://a:1'], { type: 'redis', redis: { url: 'rediss://a:1' }, postgres: {} }],
    [['--to', 'postgresql://a/b'], { type: 'postgres', redis: {}, postgres: { url: 'postgresql://a/b' } }],
    [
      ['--to', 'redis', '--redis-cluster-nodes', 'a:1,b:2'],
      { type: 'redis', redis: { clusterNodes: 'a:1,b:2' }, postgres: {} },
    ],
    [
      ['--postgres-url', 'postgres://a/b', '--to', 'hybrid', '--redis-url', 'redis://c'],
      { type: 'hybrid', redis: { url: 'redis://c' }, postgres: { url: 'postgres://a/b' } },
    ],
    [['--help', '--to', 'anything'], undefined],
  ])('%j are understood', (args, choice) => {
    expect(readMoveArguments(args)).toEqual(choice);
  });

  it.each([
    [[], 'Say where to with --to'],
    [['--to', 'memory'], 'no storage “memory”'],
    [['--to', 'mysql://a'], 'begins with mysql://'],
    [['--to', 'file', 'now'], '“now” is not understood'],
    [['--form', 'file'], '--form'],
    [['--to'], '--to'],
    [['--to', 'file', '--redis-url', 'redis://a'], '--redis-url means nothing for file'],
    [['--to', 'redis://a', '--redis-url', 'redis://b'], 'leave out --redis-url'],
  ])('%j are refused in words', (args, words) => {
    expect(() => readMoveArguments(args)).toThrow(words);
  });
});

describe('the command', () => {
  let dataDir: string;
  let hash: string;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'smalltalk-move-'));
    hash = await inStorage('sqlite', async (storage) => {
      await fill(storage, 50);
      return contentHash(storage);
    });
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  async function inStorage<T>(type: string, look: (storage: Storage) => Promise<T>): Promise<T> {
    const storage = await openStorage({ type, dataDir });
    try {
      return await look(storage);
    } finally {
      await storage.close();
    }
  }

  async function run(args: string[], env: Record<string, string> = {}) {
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(process.execPath, [join(import.meta.dirname, 'headless.ts'), ...args], {
      env: { PATH, HOME, DATA_DIR: dataDir, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let complaints = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      complaints += chunk;
    });
    const [code] = await once(child, 'close');
    return { code, output, complaints };
  }

  const settingsFile = async () => JSON.parse(await readFile(join(dataDir, 'settings.json'), 'utf8'));

  it('moves, and the next start goes by it', async () => {
    const { code, output, complaints } = await run(['move', '--to', 'file']);
    expect(complaints).toBe('');
    expect(code).toBe(0);
    expect(output).toMatch(
      /Looking through the source …\nCopying …\nVerifying …\nSwitching …\n\d+ records were copied from /,
    );
    expect(await settingsFile()).toEqual({ STORAGE_TYPE: 'file' });
    expect(await inStorage('file', contentHash)).toBe(hash);
    expect(await inStorage('sqlite', contentHash)).toBe(hash);
    expect(await run(['move', '--to', 'file'])).toMatchObject({
      code: 1,
      complaints: expect.stringContaining('storage.same'),
    });
    expect(await run(['move', '--to', 'sqlite'])).toMatchObject({
      code: 0,
      output: expect.stringContaining('kept there as its previous data set'),
    });
  }, 30_000);

  it('leaves settings.json alone where the environment decides, and says what to set there', async () => {
    const { code, output } = await run(['move', '--to', 'file'], { STORAGE_TYPE: 'sqlite' });
    expect(code).toBe(0);
    expect(output).toContain('STORAGE_TYPE there wins over settings.json:\n  STORAGE_TYPE=file\n');
    await expect(settingsFile()).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await inStorage('file', contentHash)).toBe(hash);
  }, 30_000);

  it('says that the product runs', async () => {
    await inStorage('sqlite', async () => {
      expect(await run(['move', '--to', 'file'])).toMatchObject({
        code: 1,
        complaints: expect.stringContaining('storage.locked'),
      });
    });
  }, 30_000);

  it('does not take what is left of a damaged source for all of it', async () => {
    const folder = join(dataDir, 'storage');
    const file = (await readdir(folder)).find((name) => name.endsWith('.sqlite')) ?? '';
    await writeFile(join(folder, file), 'no database '.repeat(1000));
    expect(await run(['move', '--to', 'file'])).toMatchObject({
      code: 1,
      complaints: expect.stringContaining('storage.corrupt'),
    });
    await expect(settingsFile()).rejects.toMatchObject({ code: 'ENOENT' });
  }, 30_000);

  it('says what is wrong with its use, and where the help is', async () => {
    expect(await run(['mvoe'])).toMatchObject({ code: 2, complaints: expect.stringContaining('-- --help') });
    expect(await run(['move', '--to', 'nowhere'])).toMatchObject({
      code: 2,
      complaints: expect.stringContaining('-- move --help'),
    });
    expect(await run(['move', '--to', 'redis'])).toMatchObject({
      code: 2,
      complaints: expect.stringContaining('no address of Redis is set'),
    });
    expect(await run(['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('move --to') });
    expect(await run(['move', '--help'])).toMatchObject({
      code: 0,
      output: expect.stringContaining('TARGET'),
    });
  }, 30_000);
});
