import fs, { type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createPrivateFile,
  makePrivateFolder,
  removeDurably,
  renameDurably,
  writeFileDurably,
} from './durable-file.ts';

let folder: string;

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'smalltalk-durable-'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await fs.rm(folder, { recursive: true, force: true });
});

/** Writes down each step that matters for durability, in order; random parts of names are left out. */
function traceSteps(): string[] {
  const steps: string[] = [];
  const name = (path: unknown) =>
    String(path) === folder
      ? 'folder'
      : String(path)
          .slice(folder.length + 1)
          .replace(/[0-9a-f-]{36}/, '*');
  const { open, rename, unlink } = fs;
  const watch = (file: FileHandle, path: unknown) => {
    const { sync, writeFile } = file;
    file.writeFile = async (...input) => {
      steps.push(`write ${name(path)}`);
      return writeFile.apply(file, input);
    };
    file.sync = async () => {
      steps.push(`sync ${name(path)}`);
      return sync.call(file);
    };
    return file;
  };
  vi.spyOn(fs, 'open').mockImplementation(async (path, ...rest) => watch(await open(path, ...rest), path));
  vi.spyOn(fs, 'rename').mockImplementation(async (from, to) => {
    steps.push(`rename ${name(from)} to ${name(to)}`);
    return rename(from, to);
  });
  vi.spyOn(fs, 'unlink').mockImplementation(async (path) => {
    steps.push(`unlink ${name(path)}`);
    return unlink(path);
  });
  return steps;
}

const modeOf = async (path: string) => (await fs.stat(path)).mode & 0o777;

describe('writeFileDurably', () => {
  it('syncs the bytes before the rename, and the folder after it', async () => {
    const steps = traceSteps();
    await writeFileDurably(join(folder, 'token'), 'secret');
    expect(steps).toEqual([
      'write .token.*.tmp',
      'sync .token.*.tmp',
      'rename .token.*.tmp to token',
      'sync folder',
    ]);
    expect(await fs.readFile(join(folder, 'token'), 'utf8')).toBe('secret');
  });

  it('replaces a file as a whole, shorter than before', async () => {
    const path = join(folder, 'settings.json');
    await writeFileDurably(path, 'a long text that was there before');
    await writeFileDurably(path, new Uint8Array([1, 2]));
    expect([...(await fs.readFile(path))]).toEqual([1, 2]);
  });

  it('gives mode 0600, also where a file had a wider one', async () => {
    const path = join(folder, 'token');
    await fs.writeFile(path, 'old', { mode: 0o644 });
    await writeFileDurably(path, 'new');
    expect(await modeOf(path)).toBe(0o600);
  });

  it('replaces a link instead of writing to where it points', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await fs.writeFile(elsewhere, 'untouched');
    await fs.symlink(elsewhere, join(folder, 'token'));
    await writeFileDurably(join(folder, 'token'), 'secret');
    expect(await fs.readFile(elsewhere, 'utf8')).toBe('untouched');
    expect((await fs.lstat(join(folder, 'token'))).isFile()).toBe(true);
  });

  it.each(['writeFile', 'sync'] as const)(
    'keeps the old file and leaves nothing behind when %s fails',
    async (step) => {
      const path = join(folder, 'token');
      await fs.writeFile(path, 'old');
      const { open } = fs;
      vi.spyOn(fs, 'open').mockImplementation(async (...input) => {
        const file = await open(...input);
        file[step] = () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
        return file;
      });
      await expect(writeFileDurably(path, 'new')).rejects.toMatchObject({ code: 'ENOSPC' });
      expect(await fs.readFile(path, 'utf8')).toBe('old');
      expect(await fs.readdir(folder)).toEqual(['token']);
    },
  );

  it('keeps the old file and leaves nothing behind when the rename fails', async () => {
    const path = join(folder, 'taken');
    await fs.mkdir(path);
    await expect(writeFileDurably(path, 'new')).rejects.toMatchObject({ syscall: 'rename' });
    expect(await fs.readdir(folder)).toEqual(['taken']);
  });

  it('leaves one of the versions whole when many are written at once', async () => {
    const path = join(folder, 'token');
    const versions = Array.from({ length: 20 }, (_, number) => `${number}`.repeat(5000));
    await Promise.all(versions.map((version) => writeFileDurably(path, version)));
    expect(versions).toContain(await fs.readFile(path, 'utf8'));
    expect(await fs.readdir(folder)).toEqual(['token']);
  });
});

describe('the other steps', () => {
  it('creates a file with mode 0600 and refuses a name that is taken, by a dangling link too', async () => {
    const file = await createPrivateFile(join(folder, 'new'));
    await file.close();
    expect(await modeOf(join(folder, 'new'))).toBe(0o600);
    await expect(createPrivateFile(join(folder, 'new'))).rejects.toMatchObject({ code: 'EEXIST' });
    await fs.symlink(join(folder, 'nowhere'), join(folder, 'link'));
    await expect(createPrivateFile(join(folder, 'link'))).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it('syncs the folder after a rename, and both folders when it goes from one to another', async () => {
    await fs.writeFile(join(folder, 'a'), '');
    await fs.mkdir(join(folder, 'inner'));
    const steps = traceSteps();
    await renameDurably(join(folder, 'a'), join(folder, 'b'));
    await renameDurably(join(folder, 'b'), join(folder, 'inner', 'c'));
    expect(steps).toEqual([
      'rename a to b',
      'sync folder',
      'rename b to inner/c',
      'sync inner',
      'sync folder',
    ]);
  });

  it('syncs the folder after a removal', async () => {
    await fs.writeFile(join(folder, 'a'), '');
    const steps = traceSteps();
    await removeDurably(join(folder, 'a'));
    expect(steps).toEqual(['unlink a', 'sync folder']);
    await expect(removeDurably(join(folder, 'a'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('makes folders with mode 0700, each made durable in the one above', async () => {
    const steps = traceSteps();
    await makePrivateFolder(join(folder, 'outer', 'inner'));
    expect(steps.toSorted()).toEqual(['sync folder', 'sync outer']);
    expect(await modeOf(join(folder, 'outer'))).toBe(0o700);
    expect(await modeOf(join(folder, 'outer', 'inner'))).toBe(0o700);
  });

  it.runIf(process.platform === 'linux')('does not try for ever where nothing can be made', async () => {
    await expect(makePrivateFolder('/proc/smalltalk/data')).rejects.toMatchObject({ code: 'EACCES' });
  });

  it('refuses a path that leads through a file', async () => {
    await fs.writeFile(join(folder, 'file'), '');
    await expect(makePrivateFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makePrivateFolder(join(folder, 'file', 'inner'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('leaves the mode of a folder that is there', async () => {
    await fs.mkdir(join(folder, 'shared'));
    await fs.chmod(join(folder, 'shared'), 0o750);
    await makePrivateFolder(join(folder, 'shared'));
    expect(await modeOf(join(folder, 'shared'))).toBe(0o750);
  });
});
