import { fault } from '../../contract/error-codes.ts';
import { type CheckedOperation, MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { CommitGroups, type WaitingCommit } from '../commit-groups.ts';
import type { CommitId } from '../storage.ts';
import { versionConflict } from '../version-conflict.ts';
import { COMMIT } from './commit-script.ts';
import { DirectCommit } from './direct-commit.ts';
import { KnownRecords } from './known-records.ts';
import { entryPrefix, headParts, headText, logPrefix, parseCounter } from './record-text.ts';
import type { RedisArgument } from './redis-connection.ts';
import { type RedisServer, unknownFate } from './redis-server.ts';

type Waiting = WaitingCommit<number[]>;

const LIMITS = { commits: 64, operations: 2_000, characters: 4 * 1024 * 1024 };

/** Bytes that may be missing from the size of the data, which is worth no command of its own with each commit. */
const MOST_UNCOUNTED = 64 * 1024;

/** So many groups take the other way after several in a row were not as they were believed to be, at most. */
const LONGEST_DETOUR = 256;

/**
 * Carries commits out in groups. A group goes directly when all that it touches is known here, believed to be as it was
 * last written: a short script compares and writes. When something is not so, or not known, a long script finds out by
 * itself; that is also how a group is sent again whose answer was lost.
 */
export class CommitQueue {
  readonly #server: RedisServer;
  readonly #now: () => number;
  readonly #onDamaged: (records: string[]) => void;
  readonly #known = new KnownRecords();
  readonly #groups: CommitGroups<Waiting>;
  /** Direct groups that are not answered yet, and whose commits they are. */
  #underWay = 0;
  #writer = '';
  #uncounted = 0;
  /** The generation of which they are. */
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
    this.#known.follow(this.#server.active);
    const writer = group[0]?.id.writer ?? '';
    // A group looks for the one before it where the commits of its own writer are remembered.
    if (this.#underWay > 0 && writer !== this.#writer) return undefined;
    const direct = DirectCommit.of(group, this.#known, this.#now());
    if (direct === undefined) return undefined;
    this.#writer = writer;
    return this.#send(group, direct);
  }

  async #send(group: Waiting[], direct: DirectCommit): Promise<boolean> {
    const generation = this.#server.active;
    const uncounted = this.uncounted;
    const counted = group.length > 1 || Math.abs(direct.bytes + uncounted) > MOST_UNCOUNTED;
    const sent = this.#server.direct(direct.toArguments(counted ? uncounted : -direct.bytes));
    const change = counted ? -uncounted : direct.bytes;
    this.#uncounted = uncounted + change;
    this.#generation = generation;
    this.#underWay += 1;
    // At once: the next group is made before this one is answered. If this is not as believed, the next one is not either.
    direct.believe();
    const done = await sent;
    this.#underWay -= 1;
    if (!done) {
      // Another group may have changed it meanwhile, too.
      if (this.#generation === generation) this.#uncounted -= change;
      return false;
    }
    this.#nextSkip = 1;
    for (const [i, { resolve }] of group.entries()) resolve(direct.numbers[i] as number[]);
    return true;
  }

  async #thoroughly(group: Waiting[], missed: boolean): Promise<void> {
    if (missed) this.#wasWrong();
    try {
      await this.#findOut(group);
    } catch (error) {
      this.#known.forget();
      for (const one of group) one.reject(unknownFate(error, one.id));
    }
  }

  #wasWrong(): void {
    this.#known.forget();
    this.#skip = this.#nextSkip - 1;
    this.#nextSkip = Math.min(2 * this.#nextSkip, LONGEST_DETOUR);
  }

  async #findOut(group: Waiting[]): Promise<void> {
    const now = this.#now();
    const [answers, damaged, counters] = (await this.#server.onActive(
      COMMIT,
      commitArguments(group, now),
    )) as [string[], string[], string[]];
    this.#known.follow(this.#server.active);
    for (const [i, one] of group.entries()) {
      const answer = answers[i] ?? '';
      if (answer.startsWith('k')) this.#learn(one, answer.slice(2));
      settle(one, answer);
    }
    for (let i = 0; i + 1 < counters.length; i += 2) {
      const [log, counter] = [counters[i] as string, counters[i + 1] as string];
      const parsed = parseCounter(log, counter);
      this.#known.setLog(log, parsed && { counter, ...parsed });
    }
    this.#onDamaged(damaged);
  }

  /** What is there since it was carried out. */
  #learn({ operations, id }: Waiting, numbers: string): void {
    this.#known.remember(id, numbers);
    const given = numbers.split(',');
    for (const [i, operation] of operations.entries()) {
      if (operation.kind === 'put') {
        const { collection, id: document, valueCrc, fields, expiresAt, json } = operation;
        const parts = headParts(collection, document, valueCrc, fields, expiresAt);
        const version = Number(given[i]);
        this.#known.setDocument(
          collection,
          document,
          expiresAt !== null
            ? undefined
            : {
                head: headText(parts, version),
                version,
                fields: parts.fields,
                bytes: Buffer.byteLength(json),
              },
        );
      } else if (operation.kind === 'delete') {
        this.#known.setDocument(operation.collection, operation.id, undefined);
      }
    }
  }
}

function commitArguments(group: readonly Waiting[], now: number): RedisArgument[] {
  const args: RedisArgument[] = [now, MAXIMUM_SEQUENCE, group.length];
  for (const { operations, id } of group) {
    args.push(id.writer, id.number, operations.length);
    for (const operation of operations) pushOperation(args, operation, now);
  }
  return args;
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
