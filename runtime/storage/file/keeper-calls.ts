import type { Generation, SnapshotRecord } from '../storage.ts';

/** A damaged record that the keeper met by itself, and has set aside. */
export interface FaultNotice {
  record: string;
  message: string;
}

export interface ScannedDocument {
  collection: string;
  id: string;
  version: number;
  fields: string;
  expiresAt: number | null;
  /** Of the head of its file. */
  crc: number;
}

export interface ScannedLog {
  log: string;
  after: number;
  last: number;
  /** Bytes of its file. */
  size: number;
}

export interface RememberedCommit {
  writer: string;
  number: number;
  at: number;
  answer: number[];
}

/** Everything that the other side must know of a generation; the values stay in the files. */
export interface ScannedGeneration {
  /** The folder of its files. */
  folder: string;
  documents: ScannedDocument[];
  logs: ScannedLog[];
  /** Of all files. */
  sizeBytes: number;
  faults: FaultNotice[];
}

export interface OpenedStorage extends ScannedGeneration {
  remembered: RememberedCommit[];
  /** The serial of the last commit. */
  serial: number;
  /** Bytes at the end of the journal that were an unfinished write. */
  tornBytes: number;
  /** What there is to tell of a store that could not be used and was set aside; this one is empty then. */
  setAside?: string;
}

/** What became of the commits that were carried out in the files. */
export interface CarriedOut {
  /** The documents that were written, with the CRC of their heads; all of one are from its last change. */
  documents: [collection: string, id: string, crc: number][];
  /** The logs that were appended to, the greatest number that is in the file now, and its size. */
  logs: [log: string, through: number, size: number][];
  /** Files that a snapshot may still need, by their path, and where their former bytes are kept. */
  kept: [path: string, kept: string][];
  sizeBytes: number;
  faults: FaultNotice[];
}

export interface CarryOutRequest {
  /** Files of the journal, by their numbers, and up to where each is to be carried out. */
  segments: { number: number; from: number; through: number }[];
  /** Segments that are complete, and then of no more use. */
  remove: number[];
  /** Files of zeros that segments can begin as, to be made; 'none' when there must be none any more. */
  spares: { count: number; bytes: number } | 'none';
  /** True while a snapshot is open: what it may need must be kept. */
  keep: boolean;
}

/** What the keeper of the files can be asked for; it does one thing after the other, in the order of the calls. */
export interface KeeperCalls {
  /** Takes the lock, carries out what the journal holds, and looks at every file. */
  open: { input: { now: number; setCorruptAside: boolean }; output: OpenedStorage };
  /** The same after a failure, with the lock held. */
  recover: { input: null; output: OpenedStorage };
  carryOut: { input: CarryOutRequest; output: CarriedOut & { spares: string[] } };
  /** Moves a file away that is still not the one with this CRC; true when it did. */
  setDocumentAside: { input: { collection: string; id: string; crc: number }; output: null };
  /** Writes a log anew without what is damaged in it. */
  mendLog: { input: { log: string }; output: CarriedOut };
  /** No snapshot is open: removes what was kept for them. */
  releaseKept: { input: null; output: null };
  'generation.list': { input: null; output: Generation[] };
  'generation.scan': { input: { id: string }; output: ScannedGeneration };
  'generation.create': { input: { reason: string; now: number }; output: string };
  'generation.write': { input: { id: string; records: SnapshotRecord[] }; output: null };
  'generation.seal': { input: { id: string }; output: null };
  'generation.discard': { input: { id: string }; output: null };
  /** With `counters`, the last numbers of the active logs; everything must be carried out. Undefined when it is active already. */
  'generation.activate': {
    input: { id: string; now: number; counters: [log: string, last: number][] };
    output: ScannedGeneration | null;
  };
  'generation.drop': { input: { id: string }; output: null };
  close: { input: null; output: null };
}

export type KeeperCall = keyof KeeperCalls;

/** How the keeper is spoken to, in a thread of its own or in this one. */
export interface KeeperLink {
  call<Name extends KeeperCall>(
    name: Name,
    input: KeeperCalls[Name]['input'],
  ): Promise<KeeperCalls[Name]['output']>;
  /** Ends it, whatever it is at; what it owes is rejected. */
  end(): Promise<void>;
}
