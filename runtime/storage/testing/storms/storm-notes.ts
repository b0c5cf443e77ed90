/** What the writers of a storm note, and the storm itself, each into a file of its own that outlives its kill, one JSON array a line. */
import { openSync, readFileSync, writeSync } from 'node:fs';
import type { CommitId, Operation, OperationResult } from '../../storage.ts';

/** Microseconds of the machine's steady clock, which all of its processes share. */
export type Moment = number;

export interface Span {
  began: Moment;
  ended: Moment;
  /** Who called, over which instance, and who answered: for people. */
  by?: string;
}

/** A moment at which the data became other data: what was acknowledged before it need not be there any more. */
export interface Break extends Span {
  /** `lost`: also the numbers that had been given are given again. */
  what: 'switched' | 'lost';
  /** Nothing that was there before is there behind it. */
  leavesAll?: boolean;
}

export type Note =
  | ['sent', CommitId, Operation[]]
  /** Several times when it was sent again after its answer. */
  | ['acknowledged', CommitId, OperationResult[], Span]
  /** By its expected version: it was not carried out, and must never be. */
  | ['refused', CommitId]
  /** It had been acknowledged, and was refused when it was sent again. */
  | ['forgotten', CommitId, Span]
  /** With its collection; version 0 when there was none. */
  | ['document', name: string, version: number, value: unknown, Span]
  /** The entries of a read, with rising sequences; `last`: they reach to the end of the log. */
  | ['entries', log: string, entries: [sequence: number, value: string][], last: boolean, Span]
  /** In a snapshot: numbers before this one are missing. */
  | ['gap', log: string, behind: number]
  /** Another generation was made the active one. */
  | ['switched', Break]
  /** A snapshot that was given up while the server was there. */
  | ['snapshot ended', why: string, Span]
  /** A document that expires and is deleted, with the value that was read; null for none. `readAt`: milliseconds since the epoch. */
  | ['lapsing', id: string, value: string | null, readAt: number, Span]
  /** Something that may never happen. */
  | ['problem', string]
  /** What failed or was done to all that was there, and when. */
  | ['fault', name: string, Span]
  | ['break', Break];

export function now(): Moment {
  return Number(process.hrtime.bigint() / 1_000n);
}

/**
 * Opens a file to note in. Synchronously: what is written is the kernel's when the call returns. (A pipe would not do: what
 * waits in this process dies with it.)
 */
export function noteInto(file: string): (...note: Note) => void {
  const descriptor = openSync(file, 'a');
  return (...note) => {
    writeSync(descriptor, `${JSON.stringify(note)}\n`);
  };
}

/** The notes of a file. A kill may cut the last line short: then it was not noted. */
export function notesOf(file: string): Note[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line) as Note);
}
