/**
 * All processes that come from one product, found without its help: whatever it starts, and whatever that starts, has the
 * environment of the product, and in it a mark of ours. Only Linux shows it.
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface MarkedProcess {
  pid: number;
  /** Clock ticks from the boot to its start: with the pid it means one process for ever. */
  start: string;
  parent: number;
  command: string;
}

export const MARK = 'SMALLTALK_PROOF';

/** Those that run now; one that is dead and waits for its parent to notice does not. */
export function markedProcesses(mark: string): MarkedProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
      if (!environment.includes(`${MARK}=${mark}`)) return [];
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z' || state === 'X') return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid: Number(name), start: rest[17] ?? '', parent: Number(parent), command }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** Those of `before` that still run. */
export function stillRunning(before: readonly MarkedProcess[], mark: string): MarkedProcess[] {
  const now = new Set(markedProcesses(mark).map(({ pid, start }) => `${pid} ${start}`));
  return before.filter(({ pid, start }) => now.has(`${pid} ${start}`));
}
