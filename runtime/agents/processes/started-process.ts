/** A process that the system has started for us, whoever is its parent: the launcher, or this process itself. */
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { messageOf, systemCodeOf } from '../../base/errors.ts';
import { type AgentResources, fault } from '../../contract/index.ts';
import type { LaunchCommand } from '../setup/agent-launch.ts';

/** Exactly one of them is not null. */
export interface ExitStatus {
  code: number | null;
  signal: string | null;
}

export interface StartedProcess {
  /** Also the id of the process group that it leads, except on Windows. */
  pid: number;
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Resolves when the process has ended; what it wrote may still be on its way. Never rejects. */
  exited: Promise<ExitStatus>;
  /** What the group takes of the machine; undefined where the system cannot say. */
  resources(): Promise<AgentResources | undefined>;
}

export type StdioChild = ChildProcessByStdio<Writable, Readable, Readable>;

export type SpawnProcess = (
  command: string,
  args: readonly string[],
  options: {
    cwd: string;
    env: Record<string, string>;
    stdio: ['pipe', 'pipe', 'pipe'];
    detached: boolean;
    windowsHide: boolean;
  },
) => StdioChild;

/** Starts a process as a child of this one. Rejects as {@link startRefusal} says. */
export async function spawnDirectly(spawn: SpawnProcess, command: LaunchCommand): Promise<StartedProcess> {
  try {
    const child = spawn(command.command, command.args, {
      cwd: command.cwd,
      env: command.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    const exited = new Promise<ExitStatus>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    await once(child, 'spawn');
    return {
      pid: child.pid as number,
      stdin: child.stdin,
      stdout: child.stdout,
      stderr: child.stderr,
      exited,
      resources: async () => undefined,
    };
  } catch (error) {
    throw await startRefusal(command, systemCodeOf(error), messageOf(error));
  }
}

/**
 * Why the system did not start a command, as one of `agent.command_not_found`, `agent.command_not_executable`,
 * `agent.working_directory_missing`, `agent.start_refused` (worth another try) and `agent.failed`.
 */
export async function startRefusal(
  { command, cwd }: Pick<LaunchCommand, 'command' | 'cwd'>,
  code: string | undefined,
  message: string,
) {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      // The system says the same of a command and of a working directory that is not there.
      if (await isFolder(cwd))
        return fault('agent.command_not_found', `The command ${command} does not exist.`, { command });
      return fault('agent.working_directory_missing', `The working directory ${cwd} does not exist.`, {
        cwd,
      });
    case 'EACCES':
    case 'EPERM':
    case 'ENOEXEC':
      return fault('agent.command_not_executable', `The command ${command} cannot be executed.`, { command });
    case 'EAGAIN':
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
      return fault(
        'agent.start_refused',
        `The system has no room for another process at the moment (${code}): ${command} was not started.`,
        { command, code },
      );
    default:
      return fault('agent.failed', `The command ${command} could not be started: ${message}`, { command });
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
