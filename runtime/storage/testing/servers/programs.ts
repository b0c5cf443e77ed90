/** Where the servers' programs are: on the PATH, or where Debian, Red Hat and Homebrew put them. */
import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type ServerKind = 'redis' | 'postgres';

const NAMES = { redis: 'Redis', postgres: 'PostgreSQL' } as const;
/** What each server takes; PostgreSQL's are in one folder. */
const PROGRAMS = { redis: ['redis-server'], postgres: ['postgres', 'initdb'] } as const;
const FOLDERS: Record<ServerKind, string[]> = {
  redis: ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'],
  // Debian keeps PostgreSQL's server programs off the PATH, a folder for each version.
  postgres: [
    '/usr/lib/postgresql/*/bin',
    '/usr/pgsql-*/bin',
    '/opt/homebrew/opt/postgresql@*/bin',
    '/usr/local/opt/postgresql@*/bin',
  ],
};

/** The folder that holds all the programs of a server; undefined when it is not installed. The newest of several. */
export function findPrograms(kind: ServerKind, path = process.env.PATH ?? ''): string | undefined {
  const elsewhere = FOLDERS[kind].flatMap((pattern) => newestFirst(globSync(pattern)));
  return [...path.split(delimiter), ...elsewhere].find(
    (folder) => folder !== '' && PROGRAMS[kind].every((name) => isExecutable(join(folder, name))),
  );
}

/** The reason for which a test is skipped when some of the servers are not installed; undefined when all of them are. */
export function serversMissing(...kinds: ServerKind[]): string | undefined {
  const asked: ServerKind[] = kinds.length === 0 ? ['redis', 'postgres'] : kinds;
  const missing = asked.filter((kind) => findPrograms(kind) === undefined);
  return missing.length === 0 ? undefined : notInstalled(missing);
}

/** That reason in words. `npm test` knows of none that is expected in CI, so there it is a failure. */
export function notInstalled(kinds: ServerKind[]): string {
  const names = kinds.map((kind) => NAMES[kind]);
  return `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} not installed on this machine`;
}

/** Throws the reason when it is not installed. */
export function programsOf(kind: ServerKind): string {
  const folder = findPrograms(kind);
  if (folder === undefined) throw new Error(`${notInstalled([kind])}.`);
  return folder;
}

function newestFirst(folders: string[]): string[] {
  return folders.toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
