/**
 * Where agents are looked for, and what PATH they get. An app that was started from the desktop has the PATH of the
 * desktop, in which neither `node` nor what was installed with it is found; the login shell of the user knows better.
 */
import { readdir } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { MakeId } from '../../base/ids.ts';
import type { Logger } from '../../base/logger.ts';
import { isFolder } from './executables.ts';
import { askLoginShell } from './login-shell.ts';

export interface SearchPath {
  /** Absolute, each once, in the order in which they are searched. */
  folders: string[];
  /** `environment`: the shell did not answer, or there is none. */
  from: 'login-shell' | 'environment';
}

export interface SearchPaths {
  /** As it was read last; the first call reads it. Never rejects, and takes 5 s at most. */
  get(): Promise<SearchPath>;
  /** Reads it anew: the user may have installed something. Never rejects, and takes 5 s at most. */
  refresh(): Promise<SearchPath>;
}

/** After a shell that did not answer, so long nobody waits for it again: it was slow, or it hangs. */
const RETRY_AFTER_MS = 60_000;

/** Files of a shell that lets nobody in; they would tell no PATH. */
const NO_SHELL = /(?:^|\/)(?:nologin|false|true)$/;

/** What start-up files of shells are known to do only for a person who looks at a terminal, and how to spare it. */
const QUIET_START = { TERM: 'dumb', DISABLE_AUTO_UPDATE: 'true', ZSH_TMUX_AUTOSTART: 'false' };

export function createSearchPaths(dependencies: {
  /** Without secrets of ours: the start-up files of the shell get it. */
  environment: Readonly<Record<string, string>>;
  clock: Clock;
  logger: Logger;
  makeId: MakeId;
  /** Default: that of the environment, else that of the account. */
  shell?: string;
  /** Default: that of the account. */
  home?: string;
}): SearchPaths {
  const { environment, clock, logger, makeId, home = homedir() } = dependencies;
  const shell = dependencies.shell ?? loginShell(environment);
  let known: SearchPath | undefined;
  let failedAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<SearchPath> | undefined;

  async function read(): Promise<SearchPath> {
    const told = await tellPath();
    const candidates = [
      ...foldersOf(told),
      ...foldersOf(environment.PATH),
      ...(await wellKnownFolders(home, environment)),
    ];
    known = { folders: [...new Set(candidates)], from: told === undefined ? 'environment' : 'login-shell' };
    return known;
  }

  async function tellPath(): Promise<string | undefined> {
    if (shell === undefined) return undefined;
    const answer = await askLoginShell({
      shell,
      environment: { ...environment, ...QUIET_START },
      clock,
      makeId,
    }).catch((error: unknown) => ({ problem: messageOf(error) }));
    if ('path' in answer) {
      failedAt = Number.NEGATIVE_INFINITY;
      return answer.path;
    }
    failedAt = clock.monotonic();
    logger.warn('The login shell did not tell its PATH; agents are looked for in that of the environment', {
      shell,
      problem: answer.problem,
    });
    return undefined;
  }

  /** Who asks while it is being read gets what is being read. */
  function refresh(): Promise<SearchPath> {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  return {
    refresh,
    get: async () => {
      if (known === undefined) return refresh();
      const isWorthAnotherTry =
        shell !== undefined && known.from === 'environment' && clock.monotonic() - failedAt >= RETRY_AFTER_MS;
      return isWorthAnotherTry ? refresh() : known;
    },
  };
}

/** The folders of a PATH. Relative ones are left out: what is found in them would depend on where we are. */
export function foldersOf(path: string | undefined): string[] {
  return (path ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
}

/** Undefined on Windows, where the environment has it all, and for accounts that have no shell. */
function loginShell(environment: Readonly<Record<string, string>>): string | undefined {
  if (process.platform === 'win32') return undefined;
  const shell = environment.SHELL ?? shellOfAccount();
  return shell === undefined || !isAbsolute(shell) || NO_SHELL.test(shell) ? undefined : shell;
}

function shellOfAccount(): string | undefined {
  try {
    return userInfo().shell ?? undefined;
  } catch {
    // Containers run under ids that no account has.
    return undefined;
  }
}

/** Where package managers put commands, whether or not the shell was told; those that are there. */
async function wellKnownFolders(
  home: string,
  environment: Readonly<Record<string, string>>,
): Promise<string[]> {
  const candidates =
    process.platform === 'win32' ? windowsFolders(home, environment) : await unixFolders(home);
  const isThere = await Promise.all(candidates.map(isFolder));
  return candidates.filter((_, index) => isThere[index]);
}

async function unixFolders(home: string): Promise<string[]> {
  const inHome = (...parts: string[]) => join(home, ...parts);
  return [
    inHome('.local', 'bin'),
    inHome('bin'),
    '/opt/homebrew/bin',
    '/home/linuxbrew/.linuxbrew/bin',
    '/usr/local/bin',
    '/snap/bin',
    inHome('.npm-global', 'bin'),
    inHome('.local', 'share', 'pnpm'),
    inHome('Library', 'pnpm'),
    inHome('.yarn', 'bin'),
    inHome('.bun', 'bin'),
    inHome('.deno', 'bin'),
    inHome('.cargo', 'bin'),
    inHome('go', 'bin'),
    inHome('.opencode', 'bin'),
    inHome('.claude', 'local'),
    inHome('.volta', 'bin'),
    inHome('.asdf', 'shims'),
    inHome('.local', 'share', 'mise', 'shims'),
    inHome('.local', 'share', 'fnm', 'aliases', 'default', 'bin'),
    inHome('Library', 'Application Support', 'fnm', 'aliases', 'default', 'bin'),
    ...(await versionsOf(inHome('.nvm', 'versions', 'node'))),
    inHome('.nix-profile', 'bin'),
    '/run/current-system/sw/bin',
    '/usr/bin',
    '/bin',
  ];
}

function windowsFolders(home: string, environment: Readonly<Record<string, string>>): string[] {
  return [
    ...(environment.APPDATA === undefined ? [] : [join(environment.APPDATA, 'npm')]),
    ...(environment.LOCALAPPDATA === undefined ? [] : [join(environment.LOCALAPPDATA, 'pnpm')]),
    join(home, '.local', 'bin'),
    join(home, '.bun', 'bin'),
    join(home, '.cargo', 'bin'),
    join(home, '.deno', 'bin'),
    join(home, 'scoop', 'shims'),
  ];
}

/** The `bin` folders of the versions of Node.js that nvm has, the newest first. */
async function versionsOf(folder: string): Promise<string[]> {
  const versions = await readdir(folder).catch(() => []);
  return versions
    .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((version) => join(folder, version, 'bin'));
}
