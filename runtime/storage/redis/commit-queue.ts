import { randomId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import { type CheckedOperation, MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { CommitGroups, type WaitingCommit } from '../commit-groups.ts';
import type { CommitId } from '../storage.ts';
import { versionConflict } from '../version-conflict.ts';
import { COMMIT } from './commit-script.ts';
import { DirectCommit } from './direct-commit.ts';
import { encodedFields, fieldsText } from './index-text.ts';
import { KnownRecords } from './known-records.ts';
import { entryPrefix, headParts, headPrefix, logPrefix, logSumOf, rememberedPrefix } from './record-text.ts';
import type { RedisArgument } from './redis-connection.ts';
import { type RedisServer, unknownFate } from './redis-server.ts';

type Waiting = WaitingCommit<number[]>;

const LIMITS = { commits: 64, operations: 2_000, characters: 4 * 1024 * 1024 };

/** Bytes that may be missing from the size of the data, which is worth no command of its own with each commit. */
const MOST_UNCOUNTED = 64 * 1024;

/** So many groups take the other way after several in a row were not as they were believed to be, at most. */
const LONGEST_DETOUR = 256;

/**
 * Carries commits out in groups. A group goes directly when all that it touches is known here and this process is still the
 * owner: a short script takes what is known for granted and writes. When something is not known, or somebody else has
 * written, a long script finds out by itself and makes this process the owner; that is also how a group is sent again
 * whose answer was lost.
 */
export class CommitQueue {
  readonly #server: RedisServer;
  readonly #now: () => number;
  readonly #onDamaged: (records: string[]) => void;
  readonly #known = new KnownRecords();
  readonly #groups: CommitGroups<Waiting>;
  /** What the server says of its owner when everything under way has been carried out; undefined when it is not this process. */
  #owner: string | undefined;
  readonly #name = randomId(16);
  /** Groups that were sent: no two have the same text for the owner. */
  #sent = 0;
  #uncounted = 0;
  /** The generation of which they are, and all that is known. */
  #generation = '';
  /** Groups that need not try, and how many it will be the next time. */
  #skip = 0;
  #nextSkip = 1;

  constructor(server: RedisServer, now: () => number, onDamaged: (records: string[]) => void) {
    this.#server = server;
    this.#now = now;
    this.#onDamaged = onDamaged;
    this.#groups = new CommitGroups<Waiting>(LIMITS, {
      quickly: (group) => this.#directly(group),
      thoroughly: (group, missed) => this.#thoroughly(group, missed),
    });
  }

  /** Resolves with the version or sequence of each operation, 0 where there is none. */
  commit(operations: readonly CheckedOperation[], id: CommitId): Promise<number[]> {
    return new Promise((resolve, reject) => this.#groups.push({ operations, id, resolve, reject }));
  }

  /** Bytes of values by which there is more than the server has been told. */
  get uncounted(): number {
    return this.#generation === this.#server.active ? this.#uncounted : 0;
  }

  /** Tells the server of them. */
  async count(): Promise<void> {
    const bytes = this.uncounted;
    this.#uncounted = 0;
    if (bytes !== 0) await this.#server.plain((client, key) => client.incrby(key('z'), bytes));
  }

  #directly(group: Waiting[]): Promise<boolean> | undefined {
    if (this.#skip > 0) {
      this.#skip -= 1;
      return undefined;
    }
    const owner = this.#owner;
    if (owner === undefined || this.#generation !== this.#server.active) return undefined;
    const direct = DirectCommit.of(group, this.#known, this.#now());
    return direct === undefined ? undefined : this.#send(group, direct, owner);
  }

  #send(group: Waiting[], direct: DirectCommit, owner: string): Promise<boolean> {
    const generation = this.#generation;
    const counted = group.length > 1 || Math.abs(direct.bytes + this.#uncounted) > MOST_UNCOUNTED;
    const uncounted = counted ? this.#uncounted : -direct.bytes;
    const change = counted ? -uncounted : direct.bytes;
    const next = this.#nextOwner();
    const sent = this.#server.direct(direct.toRequest(this.#server.prefixes, uncounted), owner, next);
    this.#uncounted += change;
    // At once: the next group is made before this one is answered. If this is not carried out, the next one is not either.
    direct.believe();
    this.#owner = next;
    return sent.then((done) => {
      if (!done) {
        // Another group may have changed it meanwhile, too.
        if (this.#generation === generation) this.#uncounted -= change;
        return false;
      }
      this.#nextSkip = 1;
      for (let i = 0; i < group.length; i++) group[i]?.resolve(direct.numbers[i] as number[]);
      return true;
    });
  }

  #nextOwner(): string {
    this.#sent += 1;
    return `${this.#name} ${this.#sent}`;
  }

  async #thoroughly(group: Waiting[], missed: boolean): Promise<void> {
    if (missed) this.#wasWrong();
    try {
      await this.#findOut(group);
    } catch (error) {
      this.#forget();
      for (const one of group) one.reject(unknownFate(error, one.id));
    }
  }

  #wasWrong(): void {
    this.#forget();
    this.#skip = this.#nextSkip - 1;
    this.#nextSkip = Math.min(2 * this.#nextSkip, LONGEST_DETOUR);
  }

  #forget(): void {
    this.#owner = undefined;
    this.#known.forget();
  }

  async #findOut(group: Waiting[]): Promise<void> {
    let owner = '';
    const args = commitArguments(group, this.#now());
    const [answers, damaged, lasts, former, owns] = (await this.#server.onActive(COMMIT, () => {
      // Another one for each attempt: one that was given up may arrive late, and must not make this process the owner of
      // what others have written meanwhile.
      owner = this.#nextOwner();
      return [owner, ...args];
    })) as [string[], string[], string[], string, string];
    // Others have written meanwhile, or what is damaged was taken away, also for a commit that was refused: what was known
    // before need not be so any more.
    const isChanged = former !== this.#owner || damaged.length > 0;
    if (isChanged || this.#generation !== this.#server.active) this.#forget();
    if (this.#generation !== this.#server.active) {
      this.#generation = this.#server.active;
      this.#uncounted = 0;
    }
    this.#owner = owns === '1' ? owner : undefined;
    for (const [i, one] of group.entries()) {
      const answer = answers[i] ?? '';
      const ring = this.#known.ring(one.id.writer);
      // Whatever became of it, its number may stand in the ring now, and must not be written over unseen.
      if (ring !== undefined) ring.greatest = Math.max(ring.greatest, one.id.number);
      if (answer.startsWith('k')) this.#learn(one, answer.slice(2));
    }
    for (let i = 0; i + 1 < lasts.length; i += 2) this.#learnLog(lasts[i] as string, Number(lasts[i + 1]));
    if (this.#owner !== undefined && this.#skip === 0) await this.#learnRings(group);
    for (const [i, one] of group.entries()) settle(one, answers[i] ?? '');
    this.#onDamaged(damaged);
  }

  /** What is there since it was carried out. */
  #learn({ operations }: Waiting, numbers: string): void {
    const given = numbers.split(',');
    for (const [i, operation] of operations.entries()) {
      if (operation.kind === 'put') {
        const { collection, id: document, fields, expiresAt, json } = operation;
        this.#known.setDocument(
          collection,
          document,
          expiresAt === null
            ? { version: Number(given[i]), fields: encodedFields(fields), bytes: Buffer.byteLength(json) }
            : undefined,
        );
      } else if (operation.kind === 'delete') {
        this.#known.setDocument(operation.collection, operation.id, undefined);
      }
    }
  }

  #learnLog(log: string, last: number): void {
    const known = this.#known.log(log);
    if (known === undefined) this.#known.setLog(log, { last, sum: logSumOf(log) });
    else known.last = last;
  }

  /** Which commits of their writers are remembered. Nobody adds to them but the owner, which this process is since before. */
  async #learnRings(group: Waiting[]): Promise<void> {
    const writers = new Set(group.map(({ id }) => id.writer));
    for (const writer of writers) {
      if (this.#known.ring(writer) !== undefined) continue;
      try {
        this.#known.setRing(writer, await this.#server.remembered(writer));
      } catch {
        // It goes on the long way, and is asked for again.
      }
    }
  }
}

/** All but the generation and the owner. */
function commitArguments(group: readonly Waiting[], now: number): RedisArgument[] {
  const args: RedisArgument[] = [now, MAXIMUM_SEQUENCE, group.length];
  for (const { operations, id } of group) {
    args.push(id.writer, rememberedPrefix(id.writer), id.number, operations.length);
    for (const operation of operations) pushOperation(args, operation, now);
  }
  return args;
}

function pushOperation(args: RedisArgument[], operation: CheckedOperation, now: number): void {
  switch (operation.kind) {
    case 'put': {
      const { collection, id, json, valueCrc, fields, expectVersion, expiresAt } = operation;
      const head = headParts(collection, id, valueCrc, fieldsText(encodedFields(fields)), expiresAt);
      args.push('p', collection, id, json, headPrefix(head), head.valueCrc, head.fields);
      args.push(expectVersion ?? '', head.expiry);
      return;
    }
    case 'delete':
      args.push('d', operation.collection, operation.id, operation.expectVersion ?? '');
      return;
    case 'append': {
      const { log, json, valueCrc } = operation;
      args.push('a', log, logPrefix(log), entryPrefix(log, now, valueCrc), valueCrc, json);
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
    case 'r':
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
    case 'o':
      reject(
        fault(
          'storage.failed',
          `Whether commit ${id.number} of ${id.writer} was carried out before is not known: it is older than what is remembered.`,
          { commit: id },
        ),
      );
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
