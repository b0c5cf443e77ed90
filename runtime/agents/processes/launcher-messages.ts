/** What the runtime and its launcher say to each other, over the channel that Node.js makes between parent and child. */
import type { Owner } from './agent-mark.ts';
import type { Reaped } from './reaper.ts';

/** The only argument of the launcher's program, as JSON. */
export interface LauncherArguments {
  /** Absolute. */
  dataDir: string;
  ledgerFolder: string;
  /** A file name that no other ledger has. */
  ledgerName: string;
  owner: Owner;
}

export type ToLauncher =
  /** Start it, and join it to the three sockets that say they are its own. */
  | {
      kind: 'launch';
      launch: number;
      agentId: string;
      generation: number;
      command: string;
      args: string[];
      cwd: string;
      env: Record<string, string>;
    }
  /** A process that was started for nobody in particular is this agent's from now on. */
  | { kind: 'assign'; launch: number; agentId: string; generation: number }
  | { kind: 'measure'; number: number };

export type FromLauncher =
  /** It takes launches, at this address; what was left behind has been ended. */
  | { kind: 'ready'; socketPath: string; reaped: Reaped[] }
  /** It cannot do its work, and ends. */
  | { kind: 'failed'; message: string }
  | { kind: 'started'; launch: number; pid: number }
  | { kind: 'refused'; launch: number; code?: string; message: string }
  | { kind: 'exited'; launch: number; code: number | null; signal: string | null }
  /** By launch. `cpuMs` is that of all processes that the group has had since its start, as far as they were seen. */
  | { kind: 'measured'; number: number; groups: Record<number, GroupMeasure> }
  | { kind: 'warning'; message: string };

export interface GroupMeasure {
  processes: number;
  memoryBytes: number;
  cpuMs: number;
}

/** The three sockets of a launch, in the order of the file descriptors. */
export const CHANNELS = ['stdin', 'stdout', 'stderr'] as const;

/** The first line on a socket: which launch it belongs to, and which of its channels it is. */
export function formatChannel(launch: number, channel: number): string {
  return `${launch} ${channel}\n`;
}

/** Undefined for what is no such line. */
export function parseChannel(line: string): { launch: number; channel: number } | undefined {
  const match = /^(\d+) ([0-2])$/.exec(line);
  return match === null ? undefined : { launch: Number(match[1]), channel: Number(match[2]) };
}
