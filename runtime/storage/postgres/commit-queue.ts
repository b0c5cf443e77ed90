import { setImmediate as nextTurn } from 'node:timers/promises';
import { CodedError, isCoded } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { CheckedOperation } from '../checked-input.ts';
import type { CommitId } from '../storage.ts';
import { versionConflict } from '../version-conflict.ts';
import { type Carried, COMMIT_STATEMENT, commitArguments, type NamedCommit } from './commit-arguments.ts';
import type { Connections, Statement } from './connections.ts';
import { isAway } from './postgres-errors.ts';
import { WRITE_STATEMENT, WriteBatch } from './write-arguments.ts';

interface Waiting extends NamedCommit {
  /** Its name was given to it here, so it is new. */
  fresh: boolean;
  resolve(carried: Carried): void;
  reject(error: unknown): void;
}

/** Most commits, operations and characters of JSON in one transaction; a single larger commit has one to itself. */
const GROUP = { commits: 500, operations: 20_000, characters: 8 * 1024 * 1024 };

/**
 * Group commit: all that arrives while a transaction is under way goes into the next one, which is one call of the
 * server's function. Every commit has a name, so a group whose answer was lost is sent again as it is.
 */
export class CommitQueue {
  readonly #connections: Connections;
  readonly #now: () => number;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(connections: Connections, now: () => number) {
    this.#connections = connections;
    this.#now = now;
  }

  commit(operations: readonly CheckedOperation[], id: CommitId, fresh: boolean): Promise<Carried> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, id, fresh, resolve, reject });
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
      characters += charactersOf(waiting.operations);
      const full = operations > GROUP.operations || characters > GROUP.characters;
      if (count > 0 && (full || count === GROUP.commits)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #carryOut(group: Waiting[]): Promise<void> {
    try {
      let sent = false;
      await this.#connections.persist(() => {
        const fresh = !sent && group.every(({ fresh }) => fresh);
        sent = true;
        return this.#send(group, fresh);
      });
    } catch (error) {
      // Something is wrong with one of them, perhaps: it must fail nobody else.
      if (group.length > 1 && !isAway(error)) for (const one of group) await this.#carryOut([one]);
      else for (const one of group) one.reject(isAway(error) ? unknownFate(error, one.id) : error);
    }
  }

  /** One round trip for what most commits are. The others are found out by it, or beforehand, and take another way. */
  #send(group: Waiting[], fresh: boolean): Promise<void> {
    return this.#connections.use(async (client) => {
      const at = this.#now();
      const ask = async (statement: Statement, values: unknown[]) => {
        const { rows } = await client.query<[string | null]>({ ...statement, values, rowMode: 'array' });
        return rows[0]?.[0] ?? null;
      };
      const batch = WriteBatch.of(group, at);
      if (batch !== undefined) {
        const answer = await ask(WRITE_STATEMENT, batch.toArguments(fresh));
        if (answer !== null) {
          const carried = batch.carried(answer);
          for (const [i, one] of group.entries()) one.resolve(carried[i] as Carried);
          return;
        }
      }
      const lines = ((await ask(COMMIT_STATEMENT, commitArguments(group, at))) ?? '').split('\n');
      let first = 0;
      for (const [i, one] of group.entries()) {
        settle(one, lines[i] ?? '', first);
        first += one.operations.length;
      }
    });
  }
}

/** `first` is how many operations of its group stand before it. */
function settle({ operations, id, resolve, reject }: Waiting, line: string, first: number): void {
  const [word, one, two, numbers] = line.split(' ');
  if (word === 'done' || word === 'again') {
    resolve({
      again: word === 'again',
      at: Number(one),
      generation: two as string,
      numbers: numbers === undefined || numbers === '' ? [] : numbers.split(',').map(Number),
    });
  } else if (word === 'conflict') {
    const operation = operations[Number(one) - 1 - first];
    if (operation?.kind === 'put' || operation?.kind === 'delete') {
      const { collection, expectVersion = 0 } = operation;
      reject(versionConflict(collection, operation.id, expectVersion, Number(two)));
    } else reject(fault('storage.failed', `PostgreSQL answered a conflict of no operation: ${line}`));
  } else if (word === 'damaged') {
    reject(
      fault(
        'storage.corrupt_record',
        `Commit ${id.number} of ${id.writer} was carried out, but what was remembered of its answer is damaged.`,
        { commit: id },
      ),
    );
  } else reject(fault('storage.failed', `PostgreSQL answered a commit by "${line}".`));
}

/** The commit may have been carried out: whoever has its id can send it again. */
function unknownFate(error: unknown, commit: CommitId): CodedError {
  if (!isCoded(error)) return fault('storage.unreachable', String(error), { commit });
  return new CodedError(error.code, error.message, { ...error.data, commit }, { cause: error });
}

function charactersOf(operations: readonly CheckedOperation[]): number {
  let characters = 0;
  for (const operation of operations) if ('json' in operation) characters += operation.json.length;
  return characters;
}
