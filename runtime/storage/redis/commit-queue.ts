import { setImmediate as nextTurn } from 'node:timers/promises';
import { fault } from '../../contract/error-codes.ts';
import { type CheckedOperation, MAXIMUM_SEQUENCE } from '../checked-input.ts';
import type { CommitId } from '../storage.ts';
import { versionConflict } from '../version-conflict.ts';
import { COMMIT } from './commit-script.ts';
import { entryPrefix, headParts, logPrefix } from './record-text.ts';
import type { RedisArgument } from './redis-connection.ts';
import { type RedisServer, unknownFate } from './redis-server.ts';

interface Waiting {
  operations: readonly CheckedOperation[];
  id: CommitId;
  resolve(numbers: number[]): void;
  reject(error: unknown): void;
}

/** Most commits, operations and characters of JSON in one group; a larger commit goes alone. */
const GROUP = { commits: 64, operations: 2_000, characters: 4 * 1024 * 1024 };

/**
 * Group commit: all that arrives while a script is under way goes into the next one. One is under way at a time, so that
 * commits are carried out in the order in which they came, over a reconnect, too.
 */
export class CommitQueue {
  readonly #server: RedisServer;
  readonly #now: () => number;
  readonly #onDamaged: (records: string[]) => void;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(server: RedisServer, now: () => number, onDamaged: (records: string[]) => void) {
    this.#server = server;
    this.#now = now;
    this.#onDamaged = onDamaged;
  }

  /** Resolves with the version or sequence of each operation, 0 where there is none. */
  commit(operations: readonly CheckedOperation[], id: CommitId): Promise<number[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, id, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Those who commit in the same turn go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      await this.#carryOut(group);
      // Those who were answered may have the next commit ready at once; without this turn the first would go alone.
      if (group.length > 1) await nextTurn();
    }
    this.#running = false;
  }

  #nextGroup(): Waiting[] {
    let operations = 0;
    let characters = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      operations += waiting.operations.length;
      for (const operation of waiting.operations)
        if ('json' in operation) characters += operation.json.length;
      const full = operations > GROUP.operations || characters > GROUP.characters;
      if (count > 0 && (full || count === GROUP.commits)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #carryOut(group: Waiting[]): Promise<void> {
    try {
      const [answers, damaged] = await this.#server.onActive(COMMIT, this.#arguments(group));
      for (const [i, one] of group.entries()) settle(one, (answers as string[])[i] ?? '');
      this.#onDamaged(damaged as string[]);
    } catch (error) {
      for (const one of group) one.reject(unknownFate(error, one.id));
    }
  }

  #arguments(group: Waiting[]): RedisArgument[] {
    const now = this.#now();
    const args: RedisArgument[] = [now, MAXIMUM_SEQUENCE, group.length];
    for (const { operations, id } of group) {
      args.push(id.writer, id.number, operations.length);
      for (const operation of operations) pushOperation(args, operation, now);
    }
    return args;
  }
}

function pushOperation(args: RedisArgument[], operation: CheckedOperation, now: number): void {
  switch (operation.kind) {
    case 'put': {
      const { collection, id, json, valueCrc, fields, expectVersion, expiresAt } = operation;
      const head = headParts(collection, id, valueCrc, fields, expiresAt);
      args.push('p', collection, id, json, head.prefix, head.valueCrc, head.fields);
      args.push(expectVersion ?? '', head.expiry);
      return;
    }
    case 'delete':
      args.push('d', operation.collection, operation.id, operation.expectVersion ?? '');
      return;
    case 'append': {
      const { log, json, valueCrc } = operation;
      args.push('a', log, logPrefix(log), entryPrefix(log, now, valueCrc), json);
      return;
    }
    case 'trim':
      args.push('t', operation.log, logPrefix(operation.log), operation.through);
  }
}

function settle({ operations, id, resolve, reject }: Waiting, answer: string): void {
  const rest = answer.slice(2);
  switch (answer[0]) {
    case 'k':
      resolve(rest === '' ? [] : rest.split(',').map(Number));
      return;
    case 'c': {
      const [at, current] = rest.split(' ').map(Number);
      const operation = operations[at as number];
      if (operation?.kind === 'put' || operation?.kind === 'delete') {
        const { collection, expectVersion = 0 } = operation;
        reject(versionConflict(collection, operation.id, expectVersion, current as number));
        return;
      }
      break;
    }
    case 'f':
      reject(fault('storage.failed', `The log ${rest} has used up its numbers.`));
      return;
    case 'd':
      reject(
        fault(
          'storage.corrupt_record',
          `Whether commit ${id.number} of ${id.writer} was carried out before is not known: what was remembered of it is damaged.`,
          { commit: id },
        ),
      );
      return;
  }
  reject(fault('storage.failed', `Redis answered a commit by "${answer.slice(0, 100)}".`));
}
