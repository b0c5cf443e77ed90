import type { SnapshotRecord } from './storage.ts';

/** Most records in one batch of a snapshot. */
export const SNAPSHOT_BATCH_RECORDS = 500;

/**
 * About the most characters of values in one batch of a snapshot; a single larger record is a batch of its own. Several are on
 * their way at a time, in several copies: with 1 MiB, streaming 1 GB takes 120 MiB more memory, and no less time.
 */
export const SNAPSHOT_BATCH_BYTES = 64 * 1024;

/** Gathers the records of a snapshot in batches that keep within both bounds. */
export class SnapshotBatch {
  #records: SnapshotRecord[] = [];
  #size = 0;

  /** Answers the batches that are full now, to be handed out before more is read. */
  add(record: SnapshotRecord): SnapshotRecord[][] {
    const size = record.kind === 'log' ? 0 : record.json.length;
    const full: SnapshotRecord[][] = [];
    if (this.#size + size > SNAPSHOT_BATCH_BYTES) full.push(...this.rest());
    this.#records.push(record);
    this.#size += size;
    const isFull = this.#records.length >= SNAPSHOT_BATCH_RECORDS || this.#size >= SNAPSHOT_BATCH_BYTES;
    return isFull ? [...full, ...this.rest()] : full;
  }

  /** Answers what was gathered since as the last batch, if there is any. */
  rest(): SnapshotRecord[][] {
    const records = this.#records;
    this.#records = [];
    this.#size = 0;
    return records.length === 0 ? [] : [records];
  }
}
