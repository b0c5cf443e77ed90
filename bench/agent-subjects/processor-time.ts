/** Processor time of a process, with that of its children that have ended (Linux). */
import { readFileSync } from 'node:fs';

const TICK_MS = 10;

/** Milliseconds of the process itself and of those children that it has waited for, and theirs. */
export function processorMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // utime, stime, cutime, cstime
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field) * TICK_MS, 0);
}

/** The processes that this one has started: the launcher, among threads of ours. */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

/** Bytes that belong to the process alone. */
export function privateBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return [...text.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].reduce(
    (sum, match) => sum + Number(match[1]) * 1024,
    0,
  );
}
