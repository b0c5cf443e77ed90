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

/** Where a log stands after the commits before. */
interface LogHead {
  last: number;
}

/**
 * Works out what the commits of a group change, one after the other, each upon those before; nothing of it is seen by
 * anybody until the group is durable.
 */
export class CommitPlan {
  readonly #index: DataIndex;
  readonly #now: number;
  /** By collection and id. */
  readonly #heads = new Map<string, Map<string, Head>>();
  readonly #logs = new Map<string, LogHead>();

  constructor(index: DataIndex, now: number) {
    this.#index = index;
    this.#now = now;
  }

  /** Throws `storage.version_conflict`, and has then changed nothing. */
  add(operations: CheckedOperation[]): PlannedCommit {
    if (this.#mayRefuse(operations)) this.#check(operations);
    const changes: Change[] = [];
    const numbers = operations.map((operation) => this.#plan(operation, changes));
    return { changes, numbers };
  }

  /** Adds what an operation changes, and answers the number that it is given. */
  #plan(operation: CheckedOperation, changes: Change[]): number {
    switch (operation.kind) {
      case 'put': {
        const { collection, id, fields, expiresAt, json } = operation;
        const heads = this.#headsOf(collection);
        const version = this.#version(collection, id, heads.get(id)) + 1;
        heads.set(id, { version, expiresAt });
        changes.push({ kind: 'put', collection, id, version, fields, expiresAt, json });
        return version;
      }
      case 'delete': {
        const { collection, id } = operation;
        // Also one that has expired: its file goes with it.
        if (this.#isThere(collection, id)) changes.push({ kind: 'delete', collection, id });
        this.#headsOf(collection).set(id, { version: 0, expiresAt: null });
        return 0;
      }
      case 'append': {
        const { log, json } = operation;
        const head = this.#logHead(log);
        head.last += 1;
        const sequence = head.last;
        changes.push({ kind: 'append', log, sequence, at: this.#now, json });
        return sequence;
      }
      case 'trim': {
        const { log } = operation;
        const { last } = this.#logHead(log);
        const through = Math.min(operation.through, last);
        if (through > 0) changes.push({ kind: 'trim', log, through, last });
        return 0;
      }
    }
  }

  /** True when a commit of the group puts or deletes this document. */
  touches(collection: string, id: string): boolean {
    return this.#heads.get(collection)?.has(id) ?? false;
  }

  /** False when nothing can stand against any of these. */
  #mayRefuse(operations: CheckedOperation[]): boolean {
    for (const operation of operations) {
      if (operation.kind === 'append') {
        if (this.#logHead(operation.log).last + operations.length > MAXIMUM_SEQUENCE) return true;
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
        const last = (appends.get(operation.log) ?? this.#logHead(operation.log).last) + 1;
        if (last > MAXIMUM_SEQUENCE) throw fault('storage.invalid', `The log ${operation.log} is full.`);
        appends.set(operation.log, last);
      }
      if (operation.kind !== 'put' && operation.kind !== 'delete') continue;
      const { collection, id, expectVersion } = operation;
      const key = `${collection}/${id}`;
      const current =
        versions.get(key) ?? this.#version(collection, id, this.#heads.get(collection)?.get(id));
      if (expectVersion !== undefined && expectVersion !== current) {
        throw versionConflict(collection, id, expectVersion, current);
      }
      const living =
        operation.kind === 'put' && (operation.expiresAt === null || operation.expiresAt > this.#now);
      versions.set(key, living ? current + 1 : 0);
    }
  }

  #version(collection: string, id: string, head: Head | undefined): number {
    if (head === undefined) return this.#index.find(collection, id, this.#now)?.version ?? 0;
    return head.expiresAt !== null && head.expiresAt <= this.#now ? 0 : head.version;
  }

  #isThere(collection: string, id: string): boolean {
    const head = this.#heads.get(collection)?.get(id);
    if (head !== undefined) return head.version > 0;
    return this.#index.collections.get(collection)?.byId.has(id) ?? false;
  }

  #headsOf(collection: string): Map<string, Head> {
    let heads = this.#heads.get(collection);
    if (heads === undefined) {
      heads = new Map();
      this.#heads.set(collection, heads);
    }
    return heads;
  }

  #logHead(log: string): LogHead {
    let head = this.#logs.get(log);
    if (head === undefined) {
      head = { last: this.#index.logs.get(log)?.last ?? 0 };
      this.#logs.set(log, head);
    }
    return head;
  }
}
