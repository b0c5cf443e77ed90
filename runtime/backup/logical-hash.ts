import { createHash, type Hash } from 'node:crypto';
import type { SnapshotRecord } from '../storage/storage.ts';
import { canonicalLine, isLeftOut } from './archive-format.ts';

/** Characters that are gathered before they go to the hash: one call into native code for each line would cost more. */
const GATHERED = 64 * 1024;

/**
 * The logical hash of a data set: sha-256 over the canonical lines of its records, in the order of `snapshot`. It does
 * not depend on the adapter, on how records come in batches, or on the order of fields; it changes with any value, id,
 * version, index field, expiry, number or time, with a record more or less, and with their order. Records that archives
 * leave out are not in it.
 */
export class LogicalHash {
  readonly #hash: Hash = createHash('sha256');
  readonly #expiringBefore: number;
  #gathered = '';

  /**
   * @param expiringBefore documents that expire before (milliseconds since the epoch) are not in the hash. A data set that
   * has just been written is compared with what was written; a document whose time runs out in between must not count.
   */
  constructor(expiringBefore = Number.NEGATIVE_INFINITY) {
    this.#expiringBefore = expiringBefore;
  }

  add(record: SnapshotRecord): void {
    if (isLeftOut(record)) return;
    if (record.kind === 'document' && (record.expiresAt ?? Number.POSITIVE_INFINITY) < this.#expiringBefore)
      return;
    this.#gathered += `${canonicalLine(record)}\n`;
    if (this.#gathered.length >= GATHERED) this.#flush();
  }

  /** The same for records that are canonical lines already, each with its line end, and none of them to be left out. */
  addLines(lines: Uint8Array): void {
    this.#flush();
    this.#hash.update(lines);
  }

  /** The hash as hexadecimal text. Nothing can be added afterwards. */
  digest(): string {
    this.#flush();
    return this.#hash.digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#gathered);
    this.#gathered = '';
  }
}
