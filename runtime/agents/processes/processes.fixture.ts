/** What the tests of the processes share: programs that stand for agents, and how to see what runs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { expect, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { randomId } from '../../base/ids.ts';
import { silentLogger } from '../../base/logger.ts';
import { programCommand } from '../../base/program.ts';
import type { LaunchCommand } from '../setup/agent-launch.ts';
import type { AgentProcess } from './agent-process.ts';
import {
  type AgentProcesses,
  type AgentProcessesDependencies,
  createAgentProcesses,
} from './agent-processes.ts';
import { readProcess } from './process-table.ts';

export const plainText = (text: string) => text;

/** Removed at the end of the test. */
export function makeDataFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'smalltalk-processes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function makeProcesses(
  dataDir: string,
  dependencies: Partial<AgentProcessesDependencies> = {},
): AgentProcesses {
  return createAgentProcesses({
    dataDir,
    clock: systemClock,
    logger: silentLogger,
    makeId: randomId,
    keepSpare: false,
    ...dependencies,
  });
}

/** Started, and stopped at the end of the test. */
export async function startProcesses(
  dataDir: string,
  dependencies: Partial<AgentProcessesDependencies> = {},
): Promise<AgentProcesses> {
  const processes = makeProcesses(dataDir, dependencies);
  onTestFinished(() => processes.stop());
  await processes.start();
  return processes;
}

/** A program given as JavaScript. */
export function script(code: string): LaunchCommand {
  return {
    command: process.execPath,
    args: ['-e', code],
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '' },
    secrets: [],
  };
}

/** A program in the shell. */
export function shell(code: string): LaunchCommand {
  return { ...script(''), command: '/bin/sh', args: ['-c', code] };
}

/** Ends with its stdin, as a good agent does. */
export const OBEDIENT = shell('cat');
/** Ends with nothing but SIGKILL. */
export const STUBBORN = shell("trap '' TERM HUP INT; echo up; while :; do sleep 600; done");

/** A built-in agent, as the console launches it. */
export function builtin(
  program: 'echo' | 'chat',
  dataDir: string,
  env: Record<string, string> = {},
): LaunchCommand {
  const { command, args } = programCommand(`agent-${program}`);
  return {
    command,
    args,
    cwd: dataDir,
    env: { PATH: process.env.PATH ?? '', NODE_COMPILE_CACHE: join(dataDir, 'cache'), ...env },
    secrets: [],
    builtin: { program, args: [] },
  };
}

export function linesOf(stdout: Readable): AsyncIterator<string> {
  return createInterface({ input: stdout })[Symbol.asyncIterator]();
}

export async function firstLine(process: Pick<AgentProcess, 'stdout'>): Promise<string> {
  const { value } = await linesOf(process.stdout).next();
  return value;
}

/** False also for one that is dead and waits for its parent to notice. */
export function isRunning(pid: number): boolean {
  return readProcess(pid) !== undefined;
}

export async function untilGone(...pids: number[]): Promise<void> {
  await vi.waitFor(() => expect(pids.filter(isRunning)).toEqual([]), { timeout: 10_000, interval: 10 });
}
