/** A server's process with all those that it forked (PostgreSQL has one for each connection, in groups of their own). */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

/** How often to look whether killed processes are gone. */
const CHECK_MS = 5;

const HAS_PROC = existsSync('/proc/self/task');

/** Stops all of them; the parent first, so that it forks no more while they are looked up. */
export function stopTree(pid: number): number[] {
  return signalTree(pid, 'SIGSTOP');
}

/** Lets all of them go on. */
export function continueTree(pid: number): void {
  signalTree(pid, 'SIGCONT');
}

/** Kills all of them at once, as the end of the machine would, and resolves when none is left. */
export async function killTree(pid: number): Promise<void> {
  const pids = stopTree(pid);
  for (const one of pids) signal(one, 'SIGKILL');
  while (pids.some(isAlive)) await wait(CHECK_MS);
}

function signalTree(pid: number, name: NodeJS.Signals): number[] {
  signal(pid, name);
  const pids = [pid];
  for (const parent of pids) {
    for (const child of childrenOf(parent)) {
      signal(child, name);
      pids.push(child);
    }
  }
  return pids;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It ended meanwhile, which is as good.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function childrenOf(pid: number): number[] {
  if (HAS_PROC) return numbersIn(readOrNothing(`/proc/${pid}/task/${pid}/children`));
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .split('\n')
    .map(numbersIn)
    .flatMap(([child, parent]) => (child !== undefined && parent === pid ? [child] : []));
}

/** False also for one that is dead and only waits for its parent to notice: an orphan in a container may for ever. */
function isAlive(pid: number): boolean {
  if (HAS_PROC) return /\) [^ZX]/.test(readOrNothing(`/proc/${pid}/stat`));
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function numbersIn(text: string): number[] {
  return text.split(/\s+/).filter(Boolean).map(Number);
}
