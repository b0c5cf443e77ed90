/**
 * What the adapter and its worker say to each other. Both sides gather what they have to say in a tick and post it as one
 * message. Values travel as text; the bulk travels as flat lists and tuples, because a structured clone spends its time
 * on objects and their keys.
 */
import type { CheckedRead } from '../checked-input.ts';
import type { Position } from '../cursor.ts';
import type { Generation, ListQuery, SnapshotRecord, StorageStats } from '../storage.ts';
import type { Primitive } from './wire-operations.ts';

/** A document as its row holds it; not trusted until its checksums were compared. */
export type DocumentRow = [
  key: number,
  collection: string,
  id: string,
  version: number,
  fields: string,
  expiresAt: number | null,
  valueCrc: number,
  crc: number,
  json: string,
];

/** An entry with the sequence of its key, and its text; see `entry-text.ts`. */
export type EntryRow = [sequence: number, text: string];

export type SnapshotRow =
  | { kind: 'document'; row: DocumentRow }
  /** `greatest` is the sequence of its last entry, 0 without entries. */
  | { kind: 'log'; log: string; number: number; lastSequence: number; crc: number; greatest: number }
  | { kind: 'entry'; log: string; row: EntryRow };

/** A record that failed its check, for the worker to look at again and to set aside. */
export type DamagedRecord =
  | { kind: 'document'; key: number }
  | { kind: 'entry'; log: string; sequence: number };

/** What the worker has done since it was started; tests read it. */
export interface WorkerCounts {
  /** Commits of callers that were carried out. */
  commits: number;
  /** Transactions that they shared, each with one sync. */
  transactions: number;
  /** How often the database was closed and opened again after a failed write. */
  recoveries: number;
}

/** The calls that the worker answers: what goes in and what comes out. */
export interface Calls {
  open: { input: { folder: string }; output: null };
  close: { input: null; output: null };
  /** An encoded commit; the version or sequence that each operation was given, 0 for a delete or trim. */
  commit: { input: Primitive[]; output: number[] };
  get: { input: [collection: string, id: string]; output: DocumentRow | null };
  list: {
    input: { collection: string; query: ListQuery; start: Position | undefined };
    output: { rows: DocumentRow[]; next: Position | null };
  };
  /** The texts of entries, which say all that there is to know if they are whole. */
  read: { input: { log: string; query: CheckedRead }; output: string[] };
  /** The same for whoever has to tell which of them are damaged. */
  readSingly: { input: { log: string; query: CheckedRead }; output: EntryRow[] };
  stats: { input: null; output: StorageStats };
  'snapshot.open': { input: { generation: string | undefined }; output: number };
  /** The next batch, null at the end. */
  'snapshot.next': { input: number; output: SnapshotRow[] | null };
  'snapshot.end': { input: number; output: null };
  'generation.list': { input: null; output: Generation[] };
  'generation.create': { input: { reason: string }; output: string };
  'generation.write': { input: { id: string; records: SnapshotRecord[] }; output: null };
  'generation.seal': { input: string; output: null };
  'generation.discard': { input: string; output: null };
  'generation.activate': { input: string; output: null };
  'generation.drop': { input: string; output: null };
  setAside: { input: DamagedRecord; output: boolean };
  /** The version of SQLite. */
  version: { input: null; output: string };
  counts: { input: null; output: WorkerCounts };
}

export type CallName = keyof Calls;

export type Call = { [Name in CallName]: [id: number, name: Name, input: Calls[Name]['input']] }[CallName];

/** Main thread to worker. `now` is the adapter's clock: the worker has none of its own. */
export interface CallBatch {
  now: number;
  calls: Call[];
  /** The answer to `file: null`. */
  released?: true;
}

export interface WireError {
  code: string;
  message: string;
  data: Record<string, unknown>;
}

/** Worker to main thread. */
export type Reply = [id: number, output: unknown] | [id: number, output: null, error: WireError];

/** A damaged record that the worker met by itself, on its way to a commit. */
export interface FaultNotice {
  record: string;
  message: string;
}

export interface ReplyBatch {
  replies: Reply[];
  faults?: FaultNotice[];
  /**
   * The data file of the active generation, when the worker has (perhaps another) one open since the batch before; null when
   * it has given it up and waits for the other side to let go of it, too.
   */
  file?: string | null;
}
