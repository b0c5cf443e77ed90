/** Files that can be run, and how they are found by name. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { fault } from '../../contract/index.ts';
import { recipeOfCommand } from './recipes.ts';

/** The first file of this name in the folders that can be run, as an absolute path. */
export async function findExecutable(name: string, folders: readonly string[]): Promise<string | undefined> {
  return (await search(inFolders(name, folders))).executable;
}

/**
 * The file of a command: as it is when it is a path (relative ones start at `cwd`, `~/` at the home folder), else the
 * first that can be run in the folders. Rejects with `agent.command_not_executable` or `agent.command_not_found`, which
 * says how to install the command when it is known.
 */
export async function findCommand(command: string, folders: readonly string[], cwd: string): Promise<string> {
  const isPath = isAbsolute(command) || /[\\/]/.test(command);
  const { executable, found } = await search(
    isPath ? [resolve(cwd, expandHome(command))] : inFolders(command, folders),
  );
  if (executable !== undefined) return executable;
  if (found !== undefined) {
    throw fault('agent.command_not_executable', `${found} is not a file that can be executed.`, {
      command: found,
    });
  }
  const recipe = recipeOfCommand(command);
  const advice = recipe === undefined ? '' : ` To install ${recipe.name}: ${recipe.install}`;
  throw fault(
    'agent.command_not_found',
    isPath
      ? `The command ${command} does not exist.${advice}`
      : `The command ${command} was not found in the folders of the PATH. Give its absolute path.${advice}`,
    { command, ...(recipe === undefined ? {} : { recipe: recipe.id, install: recipe.install }) },
  );
}

/** `~` and what begins with `~/` as an absolute path, as a shell would read it; everything else as it is. */
export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function inFolders(name: string, folders: readonly string[]): string[] {
  return folders.flatMap((folder) => executableNames(name).map((file) => join(folder, file)));
}

function executableNames(command: string): string[] {
  return process.platform === 'win32'
    ? [command, `${command}.exe`, `${command}.cmd`, `${command}.bat`]
    : [command];
}

/** `found`: the last of the candidates that is there, but cannot be run. */
async function search(candidates: string[]): Promise<{ executable?: string; found?: string }> {
  let found: string | undefined;
  for (const candidate of candidates) {
    const file = await stat(candidate).catch(() => undefined);
    if (file === undefined) continue;
    if (file.isFile() && (await isExecutable(candidate))) return { executable: candidate };
    found = candidate;
  }
  return found === undefined ? {} : { found };
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
