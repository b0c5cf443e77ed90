import { CodedError, isCoded } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import type { CheckedOperation } from '../checked-input.ts';
import { CommitGroups, type WaitingCommit } from '../commit-groups.ts';
import { type CommitId, REMEMBERED_COMMITS } from '../storage.ts';
import { versionConflict } from '../version-conflict.ts';
import { type Carried, COMMIT_STATEMENT, commitArguments } from './commit-arguments.ts';
import type { Connections } from './connections.ts';
import { DirectCommit } from './direct-commit.ts';
import { KnownRecords } from './known-records.ts';
import { Line } from './line.ts';
import { isAway } from './postgres-errors.ts';
import type { Statement } from './row-query.ts';
import { WRITE_ONE_STATEMENT, WRITE_STATEMENT, WriteBatch } from './write-arguments.ts';

interface Waiting extends WaitingCommit<Carried> {
  /** Its name was given to it here, so it is new. */
  fresh: boolean;
  /** So is this one: its writer numbers its commits, and one before it was new to the server. */
  isNext: boolean;
}

/** What goes into one transaction. */
const LIMITS = { commits: 500, operations: 20_000, characters: 8 * 1024 * 1024 };

/** After so many commits of a writer those are forgotten that need not be remembered any more. */
const FORGET_EVERY = 2_048;

/** Groups that do not try it by what is known here, when several processes write at a time. */
const LONGEST_PAUSE = 64;

const FORGET: Statement = {
  name: 'smalltalk_forget',
  text: 'DELETE FROM smalltalk_commits WHERE writer = $1 AND number < $2',
};

/**
 * Carries commits out in groups, each in one transaction, which is one statement: one that goes by what is known here, or a
 * call of one of the server's functions, quick ones for what most commits are and one for all. Another group may follow a
 * quick one on the same connection before that is answered, and does nothing when it was not carried out. Every commit has a
 * name, so a group whose answer was lost is sent again as it is.
 */
export class CommitQueue {
  readonly #connections: Connections;
  readonly #now: () => number;
  readonly #groups: CommitGroups<Waiting>;
  readonly #line: Line;
  readonly #known = new KnownRecords();
  /** Names the calls of functions, together with a number. */
  readonly #caller = randomId(16);
  #calls = 0;
  /** How often in a row somebody else had written, and for how many groups it is taken for granted that they have again. */
  #refusals = 0;
  #pause = 0;
  /** Calls of functions that are under way: until they are answered it is not known what they leave. */
  #callsUnderWay = 0;
  /** The last commit that is on its way quickly; undefined when none is. */
  #last: Waiting | undefined;

  constructor(connections: Connections, now: () => number) {
    this.#connections = connections;
    this.#now = now;
    this.#line = new Line(connections);
    this.#groups = new CommitGroups<Waiting>(LIMITS, {
      quickly: (group) => {
        // The server would take one that it knows from before for a group that has just been carried out.
        if (this.#last?.isNext === false) return undefined;
        const direct = this.#direct(group);
        if (direct !== undefined)
          return this.#quickly(group, (after) => this.#directly(group, direct, after));
        const batch = WriteBatch.of(group, this.#now());
        return batch && this.#quickly(group, (after) => this.#write(group, batch, after));
      },
      thoroughly: (group) => this.#thoroughly(group),
    });
  }

  commit(operations: readonly CheckedOperation[], id: CommitId, fresh: boolean): Promise<Carried> {
    const isNext = fresh || id.number > (this.#known.number(id.writer) ?? id.number);
    return new Promise((resolve, reject) =>
      this.#groups.push({ operations, id, fresh, isNext, resolve, reject }),
    );
  }

  /** Gives back the connection that it keeps. Only when no commit is under way. */
  close(): void {
    this.#line.close();
  }

  async #quickly(
    group: Waiting[],
    carryOut: (after: CommitId | undefined) => Promise<Carried[] | undefined>,
  ): Promise<boolean> {
    const after = this.#last?.id;
    const last = group.at(-1);
    this.#last = last;
    try {
      const carried = await carryOut(after);
      if (carried === undefined) return false;
      for (const { id } of group) this.#known.setNumber(id);
      this.#forgetBehind(group);
      for (const [i, { resolve }] of group.entries()) resolve(carried[i] as Carried);
      return true;
    } catch {
      // Whatever it was: it is tried again in the other way, which will tell.
      this.#known.lose();
      return false;
    } finally {
      if (this.#last === last) this.#last = undefined;
    }
  }

  /** The group by what is known here; undefined when that is too little, or would be of no use. */
  #direct(group: Waiting[]): DirectCommit | undefined {
    if (this.#pause > 0) this.#pause -= 1;
    else if (this.#callsUnderWay === 0) return DirectCommit.of(group, this.#known, this.#now());
    return undefined;
  }

  async #directly(
    group: Waiting[],
    direct: DirectCommit,
    after: CommitId | undefined,
  ): Promise<Carried[] | undefined> {
    const { statement, values } = direct.toStatement(after);
    const answer = this.#line.ask(statement, values);
    // While the server is at it, and before another group can be made.
    direct.believe();
    if ((await answer) !== null) {
      this.#refusals = 0;
      return direct.carried();
    }
    // Somebody else has written. Those who take turns would lose a round trip with each commit.
    this.#known.lose();
    this.#refusals += 1;
    this.#pause = Math.min(2 ** this.#refusals, LONGEST_PAUSE);
    const batch = WriteBatch.of(group, this.#now());
    return batch && this.#write(group, batch, after);
  }

  async #write(
    group: Waiting[],
    batch: WriteBatch,
    after: CommitId | undefined,
  ): Promise<Carried[] | undefined> {
    const fresh = group.every((one) => one.fresh);
    return this.#call(async (holder) => {
      const one = after === undefined ? batch.toArgumentsOfOne(holder, fresh) : undefined;
      const answer =
        one === undefined
          ? await this.#line.ask(WRITE_STATEMENT, batch.toArguments(holder, fresh, after))
          : await this.#line.ask(WRITE_ONE_STATEMENT, one);
      return answer === null ? undefined : batch.carried(answer, holder, this.#known);
    });
  }

  /** Calls a function of the server under a name of its own. */
  async #call<T>(work: (holder: string) => Promise<T>): Promise<T> {
    this.#calls += 1;
    this.#callsUnderWay += 1;
    try {
      return await work(`${this.#caller}.${this.#calls}`);
    } finally {
      this.#callsUnderWay -= 1;
    }
  }

  /** Makes the server forget the oldest commits once in a while. */
  #forgetBehind(group: readonly Waiting[]): void {
    for (const { id } of group) {
      if (id.number % FORGET_EVERY !== 0) continue;
      this.#connections
        .query(FORGET, [id.writer, id.number - REMEMBERED_COMMITS - LIMITS.commits])
        // It will be done the next time.
        .catch(() => undefined);
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
    await this.#call(async (holder) => {
      const answer = await this.#line.ask(COMMIT_STATEMENT, commitArguments(group, this.#now(), holder));
      const [head = '', ...lines] = (answer ?? '').split('\n');
      const [key, generation = '', before = ''] = head.split(' ');
      this.#known.hold(holder, { key: Number(key), generation, before });
      let first = 0;
      for (const [i, one] of group.entries()) {
        const carried = settle(one, lines[i] ?? '', first);
        if (carried?.again === false) {
          this.#known.learn(one.operations, carried.numbers);
          this.#known.setNumber(one.id);
        }
        first += one.operations.length;
      }
    });
    this.#forgetBehind(group);
  }
}

/** `first` is how many operations of its group stand before it. Answers what became of it, if it was carried out. */
function settle(
  { operations, id, resolve, reject }: Waiting,
  line: string,
  first: number,
): Carried | undefined {
  const [word, one, two, numbers] = line.split(' ');
  if (word === 'done' || word === 'again') {
    const carried = {
      again: word === 'again',
      at: Number(one),
      generation: two as string,
      numbers: numbers === undefined || numbers === '' ? [] : numbers.split(',').map(Number),
    };
    resolve(carried);
    return carried;
  }
  if (word === 'conflict') {
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
  return undefined;
}

/** The commit may have been carried out: whoever has its id can send it again. */
function unknownFate(error: unknown, commit: CommitId): CodedError {
  if (!isCoded(error)) return fault('storage.unreachable', String(error), { commit });
  return new CodedError(error.code, error.message, { ...error.data, commit }, { cause: error });
}
