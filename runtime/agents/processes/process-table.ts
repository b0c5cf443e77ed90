/**
 * What the system tells of processes: Linux in `/proc`, macOS through `ps`. Read synchronously, because the launcher reads
 * it, which has nothing else to do, and because what is known of a process must not be older than the decision about it.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** One process at one moment. One that is dead and only waits for its parent to notice (a zombie) counts as gone. */
export interface ProcessFacts {
  pid: number;
  /** The id of its process group. */
  group: number;
  /**
   * Identifies the process together with its pid, which the system gives to another one some day. On Linux the boot and
   * the clock ticks from it to the start of the process, on macOS the second of its start.
   */
  start: string;
  /** Processor time so far. */
  cpuMs: number;
}

const HAS_PROC = process.platform === 'linux';
/** `USER_HZ`, in which Linux counts times on every architecture that Node.js runs on. */
const TICKS_PER_SECOND = 100;

let bootId: string | undefined;

/** Undefined when there is no such process. */
export function readProcess(pid: number): ProcessFacts | undefined {
  if (HAS_PROC) return parseStat(pid, readOrNothing(`/proc/${pid}/stat`));
  return psLines(['-p', String(pid)])[0];
}

export function listProcesses(): ProcessFacts[] {
  if (!HAS_PROC) return psLines(['-ax']);
  return processIds().flatMap((pid) => parseStat(pid, readOrNothing(`/proc/${pid}/stat`)) ?? []);
}

/** Resident memory in bytes, pages that it shares with others included; 0 when there is no such process. */
export function memoryOf(pid: number): number {
  const kilobytes = HAS_PROC
    ? /^VmRSS:\s+(\d+) kB$/m.exec(readOrNothing(`/proc/${pid}/status`))?.[1]
    : runPs(['-o', 'rss=', '-p', String(pid)]);
  return Number(kilobytes ?? 0) * 1024;
}

/** A variable in the environment that each process of this user was started with. Only Linux tells; empty elsewhere. */
export function listEnvironmentValues(name: string): { pid: number; value: string }[] {
  if (!HAS_PROC) return [];
  const beginning = `${name}=`;
  return processIds().flatMap((pid) => {
    const text = readOrNothing(`/proc/${pid}/environ`);
    if (!text.includes(beginning)) return [];
    const entry = text.split('\0').find((line) => line.startsWith(beginning));
    return entry === undefined ? [] : [{ pid, value: entry.slice(beginning.length) }];
  });
}

function processIds(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** `/proc/<pid>/stat`: the fields behind the name of the program, which may hold blanks and brackets itself. */
function parseStat(pid: number, text: string): ProcessFacts | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, , group] = fields;
  if (state === undefined || state === '' || state === 'Z' || state === 'X') return undefined;
  bootId ??= readOrNothing('/proc/sys/kernel/random/boot_id').slice(0, 8);
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    pid,
    group: Number(group),
    start: `${bootId}.${fields[19]}`,
    cpuMs: (ticks * 1000) / TICKS_PER_SECOND,
  };
}

function psLines(selection: string[]): ProcessFacts[] {
  return runPs([...selection, '-o', 'pid=,pgid=,state=,lstart=,time='])
    .split('\n')
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [pid, group, state, ...rest] = fields;
      if (state === undefined || state.startsWith('Z')) return [];
      return [
        {
          pid: Number(pid),
          group: Number(group),
          start: rest.slice(0, -1).join('-').replaceAll(':', '.'),
          cpuMs: psTime(rest.at(-1) ?? ''),
        },
      ];
    });
}

/** `[[dd-]hh:]mm:ss[.cc]` */
function psTime(text: string): number {
  const [days, time = ''] = text.includes('-') ? text.split('-') : ['0', text];
  const seconds = time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return (Number(days) * 86_400 + seconds) * 1000;
}

function runPs(args: string[]): string {
  try {
    return execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    // It also fails when there is no such process.
    return '';
  }
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The process has ended, or belongs to another user.
    return '';
  }
}
