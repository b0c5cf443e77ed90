/**
 * The mark that every process of an agent has in its environment, and hands down to what it starts: by it a process is
 * known that stands in no ledger, because everything was killed in the moment of its start, or that left its group.
 */
import { createHash } from 'node:crypto';
import { readProcess } from './process-table.ts';

export const MARK_VARIABLE = 'SMALLTALK_AGENT';

/** The process in which the runtime runs. */
export interface Owner {
  pid: number;
  start: string;
}

export interface Mark {
  /** Stands for the data folder. */
  digest: string;
  agentId: string;
  generation: number;
  owner: Owner;
}

/** What stands for a data folder: two of them side by side must not take each other's processes for theirs. */
export function digestOf(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
}

/** `<digest>:<agent id>:<generation>:<pid>-<start>` */
export function formatMark({ digest, agentId, generation, owner }: Mark): string {
  return `${digest}:${agentId}:${generation}:${owner.pid}-${owner.start}`;
}

/** Undefined for what is no mark. */
export function parseMark(text: string): Mark | undefined {
  const match = /^([0-9a-f]{16}):(.+):(\d+):(\d+)-(.*)$/s.exec(text);
  if (match === null) return undefined;
  const [, digest = '', agentId = '', generation, pid, start = ''] = match;
  return { digest, agentId, generation: Number(generation), owner: { pid: Number(pid), start } };
}

/** Whether the runtime that started a process still runs. */
export function isOwnerAlive({ pid, start }: Owner): boolean {
  return readProcess(pid)?.start === start;
}
