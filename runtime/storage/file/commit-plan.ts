import { fault } from '../../contract/error-codes.ts';
import { type CheckedOperation, MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { versionConflict } from '../version-conflict.ts';
import type { DataIndex } from './data-index.ts';
import type { Change } from './journal-frames.ts';

export interface PlannedCommit {
  changes: Change[];
  /** What it answers: a version, a sequence or 0 for each operation. */
  numbers: number[];
}

/** Where a document stands after the commits before; version 0 when it is not there. */
interface Head {
  version: number;
  expiresAt: number | null;
}

/**
 * Works out what the commits of a group change, one after the other, each upon those before; nothing of it is seen by
 * anybody until the group is durable.
 */
export class CommitPlan {
  readonly #index: DataIndex;
  readonly #now: number;
  readonly #heads = new Map<string, Head>();
  readonly #logs = new Map<string, number>();

  constructor(index: DataIndex, now: number) {
    this.#index = index;
    this.#now = now;
  }

  /** Throws `storage.version_conflict`, and has then changed nothing. */
  add(operations: CheckedOperation[]): PlannedCommit {
    if (this.#mayRefuse(operations)) this.#check(operations);
    const changes: Change[] = [];
    const numbers: number[] = [];
    for (const operation of operations) numbers.push(this.#plan(operation, changes));
    return { changes, numbers };
  }

  /** Adds what an operation changes, and answers the number that it is given. */
  #plan(operation: CheckedOperation, changes: Change[]): number {
    switch (operation.kind) {
      case 'put': {
        const { collection, id, fields, expiresAt, json } = operation;
        const key = keyOf(operation);
        const version = this.#version(operation, key) + 1;
        this.#heads.set(key, { version, expiresAt });
        changes.push({ kind: 'put', collection, id, version, fields, expiresAt, json });
        return version;
      }
      case 'delete': {
        const { collection, id } = operation;
        // Also one that has expired: its file goes with it.
        if (this.#isThere(collection, id)) changes.push({ kind: 'delete', collection, id });
        this.#heads.set(keyOf(operation), { version: 0, expiresAt: null });
        return 0;
      }
      case 'append': {
        const { log, json } = operation;
        const sequence = this.#last(log) + 1;
        this.#logs.set(log, sequence);
        changes.push({ kind: 'append', log, sequence, at: this.#now, json });
        return sequence;
      }
      case 'trim': {
        const { log } = operation;
        const last = this.#last(log);
        const through = Math.min(operation.through, last);
        if (through > 0) changes.push({ kind: 'trim', log, through, last });
        return 0;
      }
    }
  }

  /** True when a commit of the group puts or deletes this document. */
  touches(collection: string, id: string): boolean {
    return this.#heads.has(`${collection}/${id}`);
  }

  /** False when nothing can stand against any of these. */
  #mayRefuse(operations: CheckedOperation[]): boolean {
    for (const operation of operations) {
      if (operation.kind === 'append') {
        if (this.#last(operation.log) + operations.length > MAXIMUM_SEQUENCE) return true;
      } else if (operation.kind !== 'trim' && operation.expectVersion !== undefined) return true;
    }
    return false;
  }

  /** Goes through the operations in thought before any is carried out: all or nothing. */
  #check(operations: CheckedOperation[]): void {
    const versions = new Map<string, number>();
    const appends = new Map<string, number>();
    for (const operation of operations) {
      if (operation.kind === 'append') {
        const last = (appends.get(operation.log) ?? this.#last(operation.log)) + 1;
        if (last > MAXIMUM_SEQUENCE) throw fault('storage.invalid', `The log ${operation.log} is full.`);
        appends.set(operation.log, last);
      }
      if (operation.kind !== 'put' && operation.kind !== 'delete') continue;
      const { collection, id, expectVersion } = operation;
      const key = keyOf(operation);
      const current = versions.get(key) ?? this.#version(operation, key);
      if (expectVersion !== undefined && expectVersion !== current) {
        throw versionConflict(collection, id, expectVersion, current);
      }
      const living =
        operation.kind === 'put' && (operation.expiresAt === null || operation.expiresAt > this.#now);
      versions.set(key, living ? current + 1 : 0);
    }
  }

  #version({ collection, id }: { collection: string; id: string }, key: string): number {
    const head = this.#heads.get(key);
    if (head === undefined) return this.#index.find(collection, id, this.#now)?.version ?? 0;
    return head.expiresAt !== null && head.expiresAt <= this.#now ? 0 : head.version;
  }

  #isThere(collection: string, id: string): boolean {
    const head = this.#heads.get(`${collection}/${id}`);
    if (head !== undefined) return head.version > 0;
    return this.#index.collections.get(collection)?.byId.has(id) ?? false;
  }

  #last(log: string): number {
    return this.#logs.get(log) ?? this.#index.logs.get(log)?.last ?? 0;
  }
}

function keyOf({ collection, id }: { collection: string; id: string }): string {
  return `${collection}/${id}`;
}
