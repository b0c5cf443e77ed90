import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CheckedOperation } from './checked-input.ts';
import type { CommitId } from './storage.ts';

/** A commit on its way to a server. */
export interface WaitingCommit<Answer> {
  operations: readonly CheckedOperation[];
  id: CommitId;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** The most that goes together; what is larger goes alone. */
interface GroupLimits {
  commits: number;
  operations: number;
  /** Of JSON. */
  characters: number;
}

/** The two ways in which an adapter carries a group out. */
interface Ways<Waiting> {
  /**
   * At once, behind whatever is under way: answers false when it was not carried out, or that is not known, and undefined when
   * it cannot go this way. If a group before it was not carried out, this one must not be. Never rejects; to throw is not
   * to know.
   */
  quickly(group: Waiting[]): Promise<boolean> | undefined;
  /** When nothing else is under way. `missed`: it has been tried quickly. Settles each commit of the group; never rejects. */
  thoroughly(group: Waiting[], missed: boolean): Promise<void>;
}

/** From so many on, those that wait make two groups, so that this side works while the server does. */
const WORTH_SPLITTING = 16;

/**
 * Group commit: all that arrives while groups are under way goes into the next one. Two are under way at most, the second of
 * which is made while the server is busy with the first. They are carried out in their order: nothing overtakes one that
 * has to go thoroughly.
 */
export class CommitGroups<Waiting extends WaitingCommit<never>> {
  readonly #limits: GroupLimits;
  readonly #ways: Ways<Waiting>;
  /** Groups that do not go quickly, or do not any more. */
  #detours = 0;
  #waiting: Waiting[] = [];
  #underWay = 0;
  #earlier: Promise<void> = Promise.resolve();
  #planned = false;

  constructor(limits: GroupLimits, ways: Ways<Waiting>) {
    this.#limits = limits;
    this.#ways = ways;
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (this.#planned || this.#underWay > 0) return;
    this.#planned = true;
    // Those who commit in the same turn go together.
    queueMicrotask(() => this.#send());
  }

  #send(): void {
    this.#planned = false;
    while (this.#waiting.length > 0 && this.#underWay < 2) {
      const group = this.#nextGroup();
      this.#underWay += 1;
      const done = this.#carryOut(group, this.#earlier).then(() => this.#answered(group.length));
      const before = this.#earlier;
      this.#earlier = done.then(() => before);
    }
  }

  async #carryOut(group: Waiting[], earlier: Promise<void>): Promise<void> {
    const quick = this.#detours === 0 ? this.#quickly(group) : undefined;
    if (quick !== undefined && (await quick)) return;
    this.#detours += 1;
    await earlier;
    await this.#ways.thoroughly(group, quick !== undefined);
    this.#detours -= 1;
  }

  #quickly(group: Waiting[]): Promise<boolean> | undefined {
    try {
      return this.#ways.quickly(group);
    } catch {
      // The other way fails for the same reason and tells whoever waits; those behind go on.
      return Promise.resolve(false);
    }
  }

  #answered(commits: number): void {
    this.#underWay -= 1;
    if (this.#planned) return;
    if (commits === 1) {
      this.#send();
      return;
    }
    this.#planned = true;
    // Those who were answered may have the next commit ready at once; without this turn the first would go alone.
    void nextTurn().then(() => this.#send());
  }

  #nextGroup(): Waiting[] {
    const limits = this.#limits;
    const waiting = this.#waiting.length;
    const most = Math.min(
      limits.commits,
      this.#underWay === 0 && waiting >= WORTH_SPLITTING ? Math.ceil(waiting / 2) : waiting,
    );
    let operations = 0;
    let characters = 0;
    let count = 0;
    for (const { operations: own } of this.#waiting) {
      operations += own.length;
      for (const operation of own) if ('json' in operation) characters += operation.json.length;
      const full = operations > limits.operations || characters > limits.characters;
      if (count > 0 && (full || count === most)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }
}
