import type { Database } from 'better-sqlite3';
import { type CodedError, isCoded } from '../../base/errors.ts';
import type { CheckedOperation } from '../checked-input.ts';
import { versionConflict } from '../version-conflict.ts';
import { CommitRing } from './commit-ring.ts';
import { DocumentTable } from './document-table.ts';
import { LogTable } from './log-table.ts';
import type { FaultNotice } from './protocol.ts';
import type { CheckedCommit } from './wire-operations.ts';

/**
 * Carries out commits inside a transaction that somebody else begins and ends. A commit is checked as a whole before its
 * first write, so that one that conflicts leaves nothing behind and needs no savepoint.
 */
export class CommitWriter {
  readonly documents: DocumentTable;
  readonly logs: LogTable;
  readonly ring: CommitRing;
  /** True when the transaction under way has something to make durable. */
  wrote = false;

  constructor(database: Database, onFault: (notice: FaultNotice) => void) {
    this.documents = new DocumentTable(database, onFault);
    this.logs = new LogTable(database, onFault);
    this.ring = new CommitRing(database, onFault);
  }

  /**
   * The version or sequence of each operation, 0 for a delete or trim; or the error that is the answer to this commit alone:
   * `storage.version_conflict`, or `storage.failed` when what was kept of a named commit is damaged. Such an answer comes before
   * the first write of its commit, so that the others in the transaction are not touched by it.
   */
  apply({ operations, id }: CheckedCommit, now: number): number[] | CodedError {
    let versions: number[];
    try {
      const before = id === undefined ? undefined : this.ring.find(id, now);
      if (before !== undefined) return before;
      versions = this.#check(operations, now);
    } catch (error) {
      if (isCoded(error)) return error;
      throw error;
    }
    const numbers = operations.map((operation, i) => this.#applyOne(operation, versions[i] as number, now));
    if (id !== undefined) {
      this.ring.remember(id, numbers, now);
      this.wrote = true;
    }
    return numbers;
  }

  /** Removes up to `limit` documents that have expired, and says how many there were. */
  removeExpired(now: number, limit: number): number {
    const expired = this.documents.expired(now, limit);
    for (const [collection, id] of expired) {
      // One whose expiry was damaged is set aside here and not removed.
      const found = this.documents.find(collection, id, now);
      if (found === undefined) continue;
      this.documents.remove(collection, id, found);
      this.wrote = true;
    }
    return expired.length;
  }

  /** What was done is in the file now. */
  committed(): void {
    this.documents.committed();
    this.logs.committed();
  }

  /** What was done was rolled back. */
  rolledBack(): void {
    this.documents.forget();
    this.logs.rolledBack();
  }

  /** The version that each put will give its document, 0 for the other operations. */
  #check(operations: CheckedOperation[], now: number): number[] {
    const versions = new Map<string, number>();
    return operations.map((operation) => {
      if (operation.kind !== 'put' && operation.kind !== 'delete') return 0;
      const { collection, id, expectVersion } = operation;
      const name = `${collection}/${id}`;
      const current = versions.get(name) ?? this.#versionOf(collection, id, now);
      if (expectVersion !== undefined && expectVersion !== current) {
        throw versionConflict(collection, id, expectVersion, current);
      }
      const version = operation.kind === 'put' ? current + 1 : 0;
      const expired = operation.kind === 'put' && operation.expiresAt !== null && operation.expiresAt <= now;
      versions.set(name, expired ? 0 : version);
      return version;
    });
  }

  /** 0 also for one that has expired: its row is there, but the document is not. */
  #versionOf(collection: string, id: string, now: number): number {
    const found = this.documents.find(collection, id, now);
    if (found === undefined || (found.expiresAt !== null && found.expiresAt <= now)) return 0;
    return found.version;
  }

  #applyOne(operation: CheckedOperation, version: number, now: number): number {
    switch (operation.kind) {
      case 'put':
        this.documents.put(operation, version, this.documents.find(operation.collection, operation.id, now));
        this.wrote = true;
        return version;
      case 'delete': {
        const { collection, id } = operation;
        const found = this.documents.find(collection, id, now);
        if (found === undefined) return 0;
        this.documents.remove(collection, id, found);
        this.wrote = true;
        return 0;
      }
      case 'append':
        this.wrote = true;
        return this.logs.append(operation.log, now, operation.json, operation.valueCrc);
      case 'trim':
        if (this.logs.trim(operation.log, operation.through)) this.wrote = true;
        return 0;
    }
  }
}
