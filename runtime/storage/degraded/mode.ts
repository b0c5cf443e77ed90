/** Whether the storage is there, and what waits for it. */
export interface StorageMode {
  /** `draining`: it is back, and takes over what was journaled; until that is done all is as in `degraded`. */
  state: 'normal' | 'degraded' | 'draining';
  /** Milliseconds since the epoch; not in `normal`. */
  degradedSince?: number;
  /** What the storage said last, or that it said nothing; not in `normal`. */
  problem?: string;
  /** Commits on the local disk that the storage has not taken over yet, and their bytes. */
  journalCommits: number;
  journalBytes: number;
  /** When the oldest of them was made: milliseconds since the epoch. */
  oldestAt?: number;
  /** Commits of this outage. */
  draining?: { done: number; total: number };
}

/** How an outage ended. */
export interface RecoveryReport {
  since: number;
  durationMs: number;
  /** Journaled commits that the storage has taken over. */
  commits: number;
  /** Documents that others had changed meanwhile; both versions are kept in `storage_conflicts`. */
  conflicts: number;
  /** Commits that were given other versions or sequences than were answered, because others wrote as well. */
  renumbered: number;
  /** Commits that the storage refused for good; they lie beside the journal. */
  refused: number;
}

export type ModeListener = (mode: StorageMode, report?: RecoveryReport) => void;
