import { CodedError, isCoded } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { CheckedOperation } from '../checked-input.ts';
import { CommitGroups, type WaitingCommit } from '../commit-groups.ts';
import type { CommitId } from '../storage.ts';
import { versionConflict } from '../version-conflict.ts';
import { type Carried, COMMIT_STATEMENT, commitArguments } from './commit-arguments.ts';
import type { Connections, Statement } from './connections.ts';
import { isAway } from './postgres-errors.ts';
import { WRITE_ONE_STATEMENT, WRITE_STATEMENT, WriteBatch } from './write-arguments.ts';

interface Waiting extends WaitingCommit<Carried> {
  /** Its name was given to it here, so it is new. */
  fresh: boolean;
  /** It is new here, too: its writer numbers its commits, and has gone on from the one before. */
  isNext: boolean;
}

/** What goes into one transaction. */
const LIMITS = { commits: 500, operations: 20_000, characters: 8 * 1024 * 1024 };

/**
 * Carries commits out in groups, each in one transaction, which is one call of the server's function. What most commits are
 * takes the quick one. Another group may follow it on the same connection before it is answered, and does nothing when it
 * was not carried out. Every commit has a name, so a group whose answer was lost is sent again as it is.
 */
export class CommitQueue {
  readonly #connections: Connections;
  readonly #now: () => number;
  readonly #groups: CommitGroups<Waiting>;
  readonly #line: Line;
  /** The last commit that is on its way to the quick function; undefined when none is. */
  #last: Waiting | undefined;
  /** The newest commit of the last writer that gave one a name. */
  #newest: CommitId | undefined;

  constructor(connections: Connections, now: () => number) {
    this.#connections = connections;
    this.#now = now;
    this.#line = new Line(connections);
    this.#groups = new CommitGroups<Waiting>(LIMITS, {
      quickly: (group) => {
        // The server would take one that it knows from before for a group that has just been carried out.
        if (this.#last?.isNext === false) return undefined;
        const batch = WriteBatch.of(group, this.#now());
        return batch && this.#quickly(group, batch);
      },
      thoroughly: (group) => this.#thoroughly(group),
    });
  }

  commit(operations: readonly CheckedOperation[], id: CommitId, fresh: boolean): Promise<Carried> {
    const isNext = fresh || this.#isNext(id);
    return new Promise((resolve, reject) =>
      this.#groups.push({ operations, id, fresh, isNext, resolve, reject }),
    );
  }

  #isNext(id: CommitId): boolean {
    const newest = this.#newest;
    if (newest?.writer !== id.writer) {
      this.#newest = id;
      return false;
    }
    if (id.number <= newest.number) return false;
    this.#newest = id;
    return true;
  }

  async #quickly(group: Waiting[], batch: WriteBatch): Promise<boolean> {
    const after = this.#last?.id;
    const last = group.at(-1);
    this.#last = last;
    const fresh = group.every((one) => one.fresh);
    try {
      const one = after === undefined ? batch.toArgumentsOfOne(fresh) : undefined;
      const answer =
        one === undefined
          ? await this.#line.ask(WRITE_STATEMENT, batch.toArguments(fresh, after))
          : await this.#line.ask(WRITE_ONE_STATEMENT, one);
      if (answer === null) return false;
      const carried = batch.carried(answer);
      for (const [i, { resolve }] of group.entries()) resolve(carried[i] as Carried);
      return true;
    } catch {
      // Whatever it was: it is tried again in the other way, which will tell.
      return false;
    } finally {
      if (this.#last === last) this.#last = undefined;
    }
  }

  async #thoroughly(group: Waiting[]): Promise<void> {
    try {
      await this.#connections.persist(() => this.#send(group));
    } catch (error) {
      // Something is wrong with one of them, perhaps: it must fail nobody else.
      if (group.length > 1 && !isAway(error)) for (const one of group) await this.#thoroughly([one]);
      else for (const one of group) one.reject(isAway(error) ? unknownFate(error, one.id) : error);
    }
  }

  async #send(group: Waiting[]): Promise<void> {
    const answer = await this.#line.ask(COMMIT_STATEMENT, commitArguments(group, this.#now()));
    const lines = (answer ?? '').split('\n');
    let first = 0;
    for (const [i, one] of group.entries()) {
      settle(one, lines[i] ?? '', first);
      first += one.operations.length;
    }
  }
}

/**
 * A connection on which statements follow each other, kept for as long as one of them is under way and nobody else waits for
 * one: those who commit without a pause would never give it back.
 */
class Line {
  readonly #connections: Connections;
  #current: { lent: ReturnType<Connections['lend']>; users: number; failure: unknown } | undefined;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  /** The first column of the first row. Rejects in the words of the port. */
  async ask(statement: Statement, values: unknown[]): Promise<string | null> {
    if (this.#connections.areWaitedFor) this.#current = undefined;
    this.#current ??= { lent: this.#connections.lend(), users: 0, failure: undefined };
    const current = this.#current;
    current.users += 1;
    const { client, giveBack } = await current.lent.catch((error: unknown) => {
      if (this.#current === current) this.#current = undefined;
      throw error;
    });
    try {
      const { rows } = await client.query<[string | null]>({
        ...statement,
        values,
        rowMode: 'array',
      });
      return rows[0]?.[0] ?? null;
    } catch (error) {
      if (isAway(error)) {
        current.failure = error;
        if (this.#current === current) this.#current = undefined;
      }
      throw this.#connections.words(error);
    } finally {
      current.users -= 1;
      if (current.users === 0) {
        if (this.#current === current) this.#current = undefined;
        giveBack(current.failure);
      }
    }
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
