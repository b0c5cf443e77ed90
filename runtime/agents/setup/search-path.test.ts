import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Clock, systemClock, VirtualClock } from '../../base/clock.ts';
import { randomId } from '../../base/ids.ts';
import { silentLogger } from '../../base/logger.ts';
import { findExecutable } from './executables.ts';
import { createSearchPaths } from './search-path.ts';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'smalltalk-home-'));
});
afterEach(() => rmSync(home, { recursive: true }));

function searchPaths(shell: string | undefined, clock: Clock = systemClock) {
  const warnings: unknown[] = [];
  const paths = createSearchPaths({
    environment: { HOME: home, PATH: '/usr/bin:/bin' },
    clock,
    logger: { ...silentLogger, warn: (message, metadata) => void warnings.push({ message, metadata }) },
    makeId: randomId,
    home,
    ...(shell === undefined ? { shell: '/usr/sbin/nologin' } : { shell }),
  });
  return { ...paths, warnings };
}

const startUp = (file: string, text: string) => {
  mkdirSync(join(home, file, '..'), { recursive: true });
  writeFileSync(join(home, file), text);
};
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    // A child of a shell that was killed is gone once whoever inherited it has taken note; to us it is dead before.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

interface Shell {
  name: string;
  file: string | undefined;
  /** Read by an interactive login shell, and how it adds a folder there. */
  startUp: string;
  add: (folder: string) => string;
}

const installed = (name: string) => {
  const found = spawnSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
  return found === '' ? undefined : found;
};
const exported = (folder: string) => `export PATH="${folder}:$PATH"\n`;
const SHELLS: Shell[] = [
  { name: 'bash', file: installed('bash'), startUp: '.bash_profile', add: exported },
  { name: 'sh', file: installed('sh'), startUp: '.profile', add: exported },
  { name: 'zsh', file: installed('zsh'), startUp: '.zshrc', add: exported },
  {
    name: 'fish',
    file: installed('fish'),
    startUp: '.config/fish/config.fish',
    add: (folder) => `set -gx PATH '${folder}' $PATH\n`,
  },
  {
    name: 'tcsh',
    file: installed('tcsh'),
    startUp: '.tcshrc',
    add: (folder) => `setenv PATH "${folder}:$PATH"\n`,
  },
];

describe.skipIf(process.platform === 'win32')('the login shell', () => {
  const missing = SHELLS.filter(({ file }) => file === undefined).map(({ name }) => name);
  if (missing.length > 0)
    process.stderr.write(`Not tried, because not installed here: ${missing.join(', ')}\n`);
  for (const shell of SHELLS.filter(({ file }) => file !== undefined)) {
    describe(shell.name, () => {
      it('tells its PATH, whatever its start-up files say', async () => {
        startUp(
          shell.startUp,
          `echo Welcome home\nsh -c 'echo oops >&2'\n${shell.add('/added/by the/shell')}echo bye\n`,
        );
        const { get, warnings } = searchPaths(shell.file);
        const { folders, from } = await get();
        expect(warnings).toEqual([]);
        expect(from).toBe('login-shell');
        expect(folders[0]).toBe('/added/by the/shell');
        expect(folders).toContain('/usr/bin');
        expect(new Set(folders).size, 'each once').toBe(folders.length);
      });
    });
  }

  const bash = SHELLS.find(({ name }) => name === 'bash')?.file as string;

  it('may leave in its start-up files, and the environment has to do', async () => {
    startUp('.bash_profile', 'exit 3\n');
    const { get, warnings } = searchPaths(bash);
    const { folders, from } = await get();
    expect(from).toBe('environment');
    expect(folders.slice(0, 2)).toEqual(['/usr/bin', '/bin']);
    expect(warnings).toEqual([
      expect.objectContaining({ metadata: { shell: bash, problem: 'it ended with exit code 3' } }),
    ]);
  });

  it('is asked without its interactive files when these give no answer', async () => {
    startUp('.bash_profile', `case $- in *i*) exit 0;; esac\n${exported('/not/interactive')}`);
    const { folders, from } = await searchPaths(bash).get();
    expect(from).toBe('login-shell');
    expect(folders[0]).toBe('/not/interactive');
  });

  it('reads the end of its input when a start-up file asks something', async () => {
    startUp('.bash_profile', `read -r -p "Update now? " answer\n${exported('/after/the/question')}`);
    expect((await searchPaths(bash).get()).folders[0]).toBe('/after/the/question');
  });

  it('is ended with all that it started when it hangs, and the environment has to do', async () => {
    startUp('.bash_profile', `sleep 600 & echo $! > ${home}/pids; echo $$ >> ${home}/pids; wait\n`);
    const clock = new VirtualClock();
    const { get, warnings } = searchPaths(bash, clock);
    const told = get();
    const pids = await vi.waitFor(() => {
      const lines = readFileSync(join(home, 'pids'), 'utf8').trim().split('\n');
      expect(lines).toHaveLength(2);
      return lines.map(Number);
    });
    await clock.advance(5000);
    expect(await told).toMatchObject({ from: 'environment' });
    expect(warnings).toEqual([
      expect.objectContaining({ metadata: { shell: bash, problem: 'it did not answer within 5 s' } }),
    ]);
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]));
    expect(clock.pending).toBe(0);
  });

  it('leaves nothing running that its start-up files left running', async () => {
    startUp('.bash_profile', `sleep 600 & echo $! > ${home}/pid\n${exported('/added')}`);
    expect((await searchPaths(bash).get()).folders[0]).toBe('/added');
    const pid = Number(readFileSync(join(home, 'pid'), 'utf8'));
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false));
  });

  it('cannot fill our memory', async () => {
    startUp('.bash_profile', 'yes 0123456789\n');
    expect(await searchPaths(bash).get()).toMatchObject({ from: 'environment' });
  });

  it('is asked once, by however many', async () => {
    startUp('.bash_profile', `echo asked >> ${home}/log\n`);
    const { get, refresh } = searchPaths(bash);
    await Promise.all([get(), get(), refresh()]);
    await get();
    expect(readFileSync(join(home, 'log'), 'utf8')).toBe('asked\n');
    startUp('.bash_profile', exported('/installed/meanwhile'));
    expect((await get()).folders).not.toContain('/installed/meanwhile');
    expect((await refresh()).folders[0]).toBe('/installed/meanwhile');
    expect((await get()).folders[0]).toBe('/installed/meanwhile');
  });

  it('is asked again a minute after it failed, not at every launch', async () => {
    startUp('.bash_profile', `echo asked >> ${home}/log\nexit 1\n`);
    let now = 0;
    const { get } = searchPaths(bash, { ...systemClock, monotonic: () => now });
    await get();
    const asked = readFileSync(join(home, 'log'), 'utf8');
    now = 59_999;
    await get();
    expect(readFileSync(join(home, 'log'), 'utf8')).toBe(asked);
    now = 60_000;
    startUp('.bash_profile', exported('/by/now'));
    expect(await get()).toMatchObject({ from: 'login-shell' });
  });

  it.each(['/no/such/shell', '/usr/sbin/nologin', '/bin/false', '/bin/cat'])(
    'may be none at all: %s',
    async (shell) => {
      const { folders, from } = await searchPaths(shell).get();
      expect(from).toBe('environment');
      expect(folders.slice(0, 2)).toEqual(['/usr/bin', '/bin']);
    },
  );

  it('does not make relative folders part of the search', async () => {
    startUp('.bash_profile', 'export PATH=".:relative::/absolute"\n');
    const { folders } = await searchPaths(bash).get();
    expect(folders[0]).toBe('/absolute');
    expect(folders.every((folder) => folder.startsWith('/'))).toBe(true);
  });
});

it('has the folders of package managers that are there, the newest Node.js of nvm first', async () => {
  for (const folder of ['.cargo/bin', '.opencode/bin', 'v9.11.2', 'v20.1.0', 'v24.0.1']) {
    mkdirSync(join(home, folder.startsWith('v') ? `.nvm/versions/node/${folder}/bin` : folder), {
      recursive: true,
    });
  }
  const { folders } = await searchPaths(undefined).get();
  const ofHome = folders
    .filter((folder) => folder.startsWith(home))
    .map((folder) => folder.slice(home.length));
  expect(ofHome).toEqual([
    '/.cargo/bin',
    '/.opencode/bin',
    '/.nvm/versions/node/v24.0.1/bin',
    '/.nvm/versions/node/v20.1.0/bin',
    '/.nvm/versions/node/v9.11.2/bin',
  ]);
  expect(folders.filter((folder) => !folder.startsWith(home)).every(existsSync)).toBe(true);
});

it('finds what is in these folders', async () => {
  const folder = join(home, '.local', 'bin');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'my-agent'), '#!/bin/sh\n', { mode: 0o700 });
  const { folders } = await searchPaths(undefined).get();
  expect(folders.join(delimiter)).toContain(folder);
  expect(await findExecutable('my-agent', folders)).toBe(join(folder, 'my-agent'));
  expect(await findExecutable('no-agent', folders)).toBeUndefined();
});
