/**
 * The storage port: two shapes of data, documents and logs, and one atomic `commit`. Whoever keeps data keeps it through
 * this port, so every feature works on every adapter and a backup cannot forget a table.
 *
 * Names: a `collection` is `[a-z_]+`, at most 64 characters; an `id` is 1–256 characters, well-formed and without control
 * characters; a `log` is a family (named like a collection), or a family and a key (`messages/<session id>`). Values are
 * what JSON can hold, up to 256 M characters of it; undefined properties are left out, as JSON.stringify does. Whatever
 * does not keep to this is refused with `storage.invalid`.
 *
 * Text is ordered by Unicode code point (the order of its UTF-8 bytes, not of its UTF-16 units), numbers come before text.
 */

/** Text or a finite number; text that is not well-formed is made so. The name of a field is that of an identifier. */
export type IndexValue = string | number;

export interface PutOperation {
  kind: 'put';
  collection: string;
  id: string;
  value: unknown;
  /** The fields that `list` can filter and sort by; replaces those of the version before. */
  index?: Record<string, IndexValue>;
  /** The version that must be there, 0 for "none"; otherwise `storage.version_conflict`. */
  expectVersion?: number;
  /** Milliseconds since the epoch; from then on the document is not there. */
  expiresAt?: number;
}

export interface DeleteOperation {
  kind: 'delete';
  collection: string;
  id: string;
  expectVersion?: number;
}

export interface AppendOperation {
  kind: 'append';
  log: string;
  value: unknown;
}

/** Removes the entries of a log up to and including a sequence. Numbers are never used again. */
export interface TrimOperation {
  kind: 'trim';
  log: string;
  through: number;
}

export type Operation = PutOperation | DeleteOperation | AppendOperation | TrimOperation;

/**
 * Names a commit, so that it can be sent again when it is not known whether it was carried out: a second commit with the
 * same id is answered like the first and changes nothing. A writer numbers its commits 1, 2, 3, …; an adapter remembers
 * the last {@link REMEMBERED_COMMITS} numbers of each writer, across restarts.
 */
export interface CommitId {
  /** 1–64 letters, digits, `-` or `_`; made anew by every process. */
  writer: string;
  number: number;
}

export const REMEMBERED_COMMITS = 1_000;

/** What became of one operation: a put has a `version`, an append a `sequence`. */
export interface OperationResult {
  version?: number;
  sequence?: number;
}

export interface StoredDocument<T = unknown> {
  collection: string;
  id: string;
  /** 1 for the first; grows by one with each put; starts at 1 again after a delete. */
  version: number;
  value: T;
  expiresAt?: number;
}

export interface LogEntry<T = unknown> {
  log: string;
  /** 1 for the first entry of a log; grows by one. */
  sequence: number;
  /** When it was appended, by the clock of the adapter: milliseconds since the epoch. */
  at: number;
  value: T;
}

export type Filter =
  | { field: string; is: IndexValue }
  /** At most 1000 values. */
  | { field: string; in: IndexValue[] }
  /** Also true of documents that do not have the field; the other filters are not. */
  | { field: string; isNot: IndexValue }
  /** Text anywhere in the field, without regard to case (Unicode simple case folding). */
  | { field: string; contains: string }
  | { field: string; from: IndexValue; below?: IndexValue };

export interface ListQuery {
  /** All must hold. */
  where?: Filter[];
  /** By an index field, ties by id in the same direction; default: by id, ascending. Documents without the field are left out. */
  orderBy?: { field: string; direction: 'ascending' | 'descending' };
  /** 1 to 1000. */
  limit: number;
  /** `nextCursor` of the page before, with the same `where` and `orderBy`. */
  cursor?: string;
}

export interface ListPage<T = unknown> {
  items: StoredDocument<T>[];
  nextCursor?: string;
}

export interface ReadQuery {
  /** Only entries with a greater sequence; default 0. */
  after?: number;
  /** Only entries with a smaller sequence. */
  before?: number;
  /** 1 to 10000; default 1000. */
  limit?: number;
  /** The greatest sequence first. */
  reverse?: boolean;
}

export interface StorageStats {
  /** Documents by collection, expired ones left out. */
  documents: Record<string, number>;
  /** Bytes on disk (or in memory) of the active generation. */
  sizeBytes: number;
}

/** A record as `snapshot` streams it and as an archive holds it. `json` is the value as text, as it was stored. */
export type SnapshotRecord =
  | {
      kind: 'document';
      collection: string;
      id: string;
      version: number;
      json: string;
      index: Record<string, IndexValue>;
      expiresAt?: number;
    }
  /** Precedes the entries of its log; a log whose entries were all trimmed has only this. */
  | { kind: 'log'; log: string; lastSequence: number }
  | { kind: 'entry'; log: string; sequence: number; at: number; json: string };

export interface Generation {
  id: string;
  createdAt: number;
  /** Why it was made: `first`, `restore <backup id>`, … */
  reason: string;
  active: boolean;
  /** The generation that was active before this one was activated, while it is kept. */
  previous?: string;
  activatedAt?: number;
}

/** Fills a generation that is not active yet. Nothing of it is seen until it is sealed and activated. */
export interface GenerationWriter {
  readonly id: string;
  /** Takes records in the order of `snapshot`; resolves when it is ready for more (back-pressure). */
  write(records: SnapshotRecord[]): Promise<void>;
  /** Makes everything written durable. After this, only `activate` or `drop`. */
  seal(): Promise<void>;
  /** Throws it away; also what happens to an unsealed one at the next `open`. */
  discard(): Promise<void>;
}

export interface Generations {
  list(): Promise<Generation[]>;
  create(reason: string): Promise<GenerationWriter>;
  /**
   * Makes a sealed generation the active one, atomically and durably; the one before is kept as its `previous`. Every log
   * goes on counting from the greater of its own and the active generation's number, so that none is used twice.
   */
  activate(id: string): Promise<void>;
  /** Removes a generation that is not active. */
  drop(id: string): Promise<void>;
}

/** What holds the data, for people to see. */
export interface StorageInfo {
  /** With its version: `SQLite 3.54.1`, `Redis 7.0.15 (cluster of 3)`. */
  product: string;
  /** A folder, or an address without its secrets. */
  location: string;
  /** One round trip to it, measured by this call. */
  latencyMs: number;
  /** What its user should know, such as a server that can lose acknowledged data. */
  notices: StorageNotice[];
}

export interface StorageNotice {
  /** Stable, such as `redis.not_durable`. */
  code: string;
  message: string;
}

/** What an adapter can do beyond the port; the contract suite reads it and prints the reason of each skip. */
export interface Supports {
  /** Survives the end of the process. */
  durable: boolean;
  /** May be open in several processes at once. */
  sharedByProcesses: boolean;
  /** Kept by a server that may be away while this process goes on. */
  remote: boolean;
}

/** A record that failed its CRC-32: set aside, reported, never served. */
export interface StorageFault {
  code: 'storage.corrupt_record';
  /**
   * `document sessions/abc`, `entry events#12`, `log events` (its counter), `index of sessions/abc`, or `journal <file>`
   * when what was not yet carried out of it is damaged: the message says what became of it.
   */
  record: string;
  message: string;
}

export interface StorageOptions {
  /** Called once for each damaged record that was met. */
  onFault?: (fault: StorageFault) => void;
  /** Told the duration of each operation of the port, for `storage_operations_duration_seconds`. */
  onOperation?: (operation: StorageOperationName, result: 'ok' | 'error', seconds: number) => void;
  /** Milliseconds since the epoch; default `Date.now`. */
  now?: () => number;
}

export type StorageOperationName = 'commit' | 'get' | 'list' | 'read' | 'stats' | 'snapshot';

export interface Storage {
  /** `memory`, `sqlite`, … */
  readonly type: string;
  readonly supports: Supports;
  /**
   * Idempotent. Rejects with `storage.newer_version`, `storage.read_only`, `storage.locked`, `storage.full`,
   * `storage.corrupt` or `storage.failed`, a remote one also with `storage.unreachable`, `storage.access_denied`,
   * `storage.tls_failed` or `storage.unsupported_server`, and leaves nothing half-open.
   */
  open(): Promise<void>;
  /** Idempotent; waits for what is under way. Afterwards every call rejects with `storage.closed`. */
  close(): Promise<void>;
  /**
   * All or nothing; resolves when durable. The results are in the order of the operations. At most 10,000 operations.
   * From then on every call sees it. Rejects with `storage.version_conflict`, `storage.invalid`, `storage.closed`, and
   * with `storage.full`, `storage.failed` or `storage.unreachable`: after the last two, whether it was carried out is not
   * known, unless the same commit is sent again with the same id.
   */
  commit(operations: Operation[], id?: CommitId): Promise<OperationResult[]>;
  /** The document, or undefined when there is none, it has expired, or it is damaged (which is reported). */
  get<T = unknown>(collection: string, id: string): Promise<StoredDocument<T> | undefined>;
  list<T = unknown>(collection: string, query: ListQuery): Promise<ListPage<T>>;
  read<T = unknown>(log: string, query?: ReadQuery): Promise<LogEntry<T>[]>;
  stats(): Promise<StorageStats>;
  info(): Promise<StorageInfo>;
  /**
   * Everything as it is when the iteration begins, whatever is written meanwhile, in the order: documents by collection and
   * id, then logs by name with their entries by sequence. Of the active generation unless one is named. Yields batches;
   * ending the iteration early frees the snapshot. A damaged record is reported and left out.
   */
  snapshot(options?: { generation?: string; signal?: AbortSignal }): AsyncIterable<SnapshotRecord[]>;
  readonly generations: Generations;
}
