import { crc32 } from 'node:zlib';
import type { CheckedOperation } from '../checked-input.ts';
import { operationText } from '../operation-text.ts';
import type { CommitId, Operation } from '../storage.ts';

/** The first line of a journal: which storage its commits belong to. */
export interface JournalHeader {
  journal: 1;
  /** Names this journal, and what is set aside from it. */
  id: string;
  /** The adapter and where it keeps its data, without secrets: a journal is never drained into another storage. */
  type: string;
  location: string;
  createdAt: number;
}

/** One commit that was acknowledged without the storage. */
export interface JournaledCommit {
  id: CommitId;
  at: number;
  operations: Operation[];
  /** The version or sequence that each operation was answered with, 0 for a delete or trim. */
  numbers: number[];
}

/** A line of text that tells whether it is whole: its CRC-32, a space, and JSON. */
export function sealed(json: string): string {
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

/** The JSON of a line without its line break; undefined when it is damaged. */
export function unsealed(line: Buffer): string | undefined {
  if (line.length < 10 || line[8] !== 0x20) return undefined;
  const json = line.subarray(9);
  return crc32(json).toString(16).padStart(8, '0') === line.toString('latin1', 0, 8)
    ? json.toString()
    : undefined;
}

/** The values are text already, and go into the line as they are. */
export function commitLine(
  id: CommitId,
  at: number,
  operations: readonly CheckedOperation[],
  numbers: readonly number[],
): string {
  const texts = operations.map(operationText).join(',');
  return sealed(
    `{"id":${JSON.stringify(id)},"at":${at},"numbers":${JSON.stringify(numbers)},"operations":[${texts}]}`,
  );
}
