import { randomId } from '../../base/ids.ts';
import type { CheckedOperation, CheckedRead } from '../checked-input.ts';
import type { LogEntry, OperationResult, StoredDocument } from '../storage.ts';
import { documentOf, documentText, entriesOf, entryText } from './copy-text.ts';
import { BEGIN, CLOSE, FILL, FINISH, type HotScript, READ_DOCUMENT, READ_LOG, RENEW } from './hot-scripts.ts';

/** What the hot copies need of a Redis server. */
export interface HotServer {
  /** Runs a script; rejects when the server does not answer within its time-out, at once when it is away. */
  run(script: HotScript, key: string, args: readonly (string | number)[]): Promise<unknown>;
  /** True when all keys lie in a cluster. */
  readonly cluster: boolean;
}

export interface HotCopiesOptions {
  server: HotServer;
  /** Hash tag of all keys. */
  namespace: string;
  /** Time without use after which a copy goes, in ms. */
  hotMs: number;
}

/** Leave to keep what is now fetched from the cold side. */
export interface Lease {
  object: string;
  token: string;
  epoch: string;
}

/** A copy, or perhaps the leave to make one. */
export interface HotRead<T> {
  hit?: T;
  lease?: Lease | undefined;
}

/** The fence around one commit, from before it until its outcome is known. */
export interface Fence {
  objects: ReadonlySet<string>;
  token: string;
  epoch: string;
}

/** Longer than a commit on PostgreSQL can take; a writer that has died is forgotten after it. */
const LAPSE_MS = 120_000;
const LEASE_MS = 30_000;
/**
 * How long a writer waits for a server that was lost. Readers do not wait: they go to the cold side at once. Long enough for a
 * busy machine to connect again, because what is written without an announcement other processes do not notice.
 */
const GRACE_MS = 2_000;
/** To announce a commit, when the server is lost by it and comes back at once. */
const ATTEMPTS = 3;
/** Characters above which a log is not kept hot as a whole. */
const LARGEST_FILL = 8 * 1024 * 1024;

/**
 * Copies of documents and logs in Redis, which are either what PostgreSQL holds or not there. Every write announces itself
 * here first (`begin`), which puts the copies of what it writes out of reach, and brings them back with what it wrote
 * (`finish`); every reader that finds none takes a lease and may keep what it fetched if nobody wrote meanwhile.
 *
 * While the server is away nothing is announced. So it is trusted only from a `renew` on, which forgets all copies, and no
 * longer once a call has failed.
 */
export class HotCopies {
  readonly #server: HotServer;
  readonly #prefix: string;
  readonly #epochKey: string;
  readonly #hotMs: number;
  /** With a number it names a lease. */
  readonly #reader = randomId(16);
  #reads = 0;
  #trusted = false;
  /** Counts the losses of trust: a renewal that was under way at a loss does not count. */
  #losses = 0;
  /** When the trust was lost, by `performance.now`. */
  #lostAt = performance.now();
  /** Who waits for it to come back. */
  readonly #waiting = new Set<() => void>();

  constructor(options: HotCopiesOptions) {
    this.#server = options.server;
    this.#prefix = `{${options.namespace}}:hot:`;
    this.#epochKey = `${this.#prefix}epoch`;
    this.#hotMs = options.hotMs;
  }

  /** False while everything is read from and written to the cold side alone. */
  get trusted(): boolean {
    return this.#trusted;
  }

  /** Forgets all copies, those of other processes included, and trusts the server from then on. */
  async renew(): Promise<void> {
    const losses = this.#losses;
    await this.#run(RENEW, [randomId(16)]);
    if (losses !== this.#losses) return;
    this.#trusted = true;
    for (const wake of this.#waiting) wake();
  }

  /** To be called when the connection was lost: what was written meanwhile was not announced. */
  distrust(): void {
    if (this.#trusted) this.#lostAt = performance.now();
    this.#trusted = false;
    this.#losses += 1;
  }

  /**
   * Resolves true when the server is trusted, false when it has been away for longer than the grace. A writer waits that
   * long, because other processes may still trust it: what is written without an announcement they would not notice.
   */
  #trustedWithinGrace(): Promise<boolean> {
    if (this.#trusted) return Promise.resolve(true);
    const left = this.#lostAt + GRACE_MS - performance.now();
    if (left <= 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve(this.#trusted);
      };
      const timer = setTimeout(done, left);
      this.#waiting.add(done);
    });
  }

  /** Runs `switchOver` while nobody reads or keeps a copy, and forgets all of them. */
  async without<T>(switchOver: () => Promise<T>): Promise<T> {
    if (this.#trusted) await this.#run(CLOSE, []).catch(() => this.distrust());
    try {
      return await switchOver();
    } finally {
      if (this.#trusted) await this.renew().catch(() => this.distrust());
    }
  }

  async document<T>(collection: string, id: string): Promise<HotRead<StoredDocument<T>>> {
    const object = documentObject(collection, id);
    const answer = await this.#read(READ_DOCUMENT, object, []);
    if (answer === undefined || 'lease' in answer) return { lease: answer?.lease };
    const hit = documentOf<T>(collection, id, answer.found[0] as string);
    return hit === undefined ? {} : { hit };
  }

  async log<T>(log: string, { after, before, limit, reverse }: CheckedRead): Promise<HotRead<LogEntry<T>[]>> {
    if (!isHotLog(log)) return {};
    const answer = await this.#read(READ_LOG, logObject(log), [after, before, limit, reverse ? 1 : 0]);
    if (answer === undefined || 'lease' in answer) return { lease: answer?.lease };
    const [first, texts] = answer.found as [number, string[]];
    const hit = entriesOf<T>(log, first, texts);
    if (hit === undefined) return {};
    return { hit: reverse ? hit.reverse() : hit };
  }

  /** Keeps a document that was fetched under a lease; tries once, and nobody need wait for it. */
  keepDocument({ collection, id, version, value, expiresAt }: StoredDocument, lease: Lease): Promise<void> {
    return this.#fill(lease, [
      documentText(collection, id, version, expiresAt ?? null, JSON.stringify(value)),
    ]);
  }

  /** Keeps the entries (ascending) of a log that were fetched under a lease: all there are from a sequence on. */
  async keepLog(log: string, from: number, entries: readonly LogEntry[], lease: Lease): Promise<void> {
    const texts: (string | number)[] = [from];
    let size = 0;
    for (const { sequence, at, value } of entries) {
      const text = entryText(log, sequence, at, JSON.stringify(value));
      size += text.length;
      if (size > LARGEST_FILL) return;
      texts.push(sequence, text);
    }
    await this.#fill(lease, texts);
  }

  /** Announces a commit. Undefined when there is nothing to fence, or nobody to tell: then the copies are not trusted. */
  async begin(operations: readonly CheckedOperation[]): Promise<Fence | undefined> {
    const objects = new Set(operations.map(objectOf).filter((object) => object !== undefined));
    if (objects.size === 0) return undefined;
    for (let attempt = 1; attempt <= ATTEMPTS && (await this.#trustedWithinGrace()); attempt++) {
      const token = randomId(16);
      try {
        const epoch = String(await this.#run(BEGIN, [token, LAPSE_MS, ...objects]));
        return { objects, token, epoch };
      } catch {
        this.distrust();
      }
    }
    return undefined;
  }

  /** The commit was carried out: brings the copies up to date. `at` is the time of the entries that it appended. */
  async finish(
    fence: Fence,
    operations: readonly CheckedOperation[],
    results: readonly OperationResult[],
    at: number,
  ): Promise<void> {
    const outcomes = new Map<string, Outcome>();
    for (const [i, operation] of operations.entries()) {
      const object = objectOf(operation);
      if (object === undefined) continue;
      outcomes.set(object, outcomeOf(outcomes.get(object), operation, results[i] as OperationResult, at));
    }
    await this.#finish(fence, (object) => outcomes.get(object) ?? DROP);
  }

  /** The commit was refused: the copies are as good as before. */
  abort(fence: Fence): Promise<void> {
    return this.#finish(fence, () => KEEP);
  }

  async #finish(fence: Fence, outcome: (object: string) => Outcome): Promise<void> {
    const args: (string | number)[] = [fence.token, fence.epoch, this.#hotMs];
    for (const object of fence.objects) {
      const { action, texts } = outcome(object);
      args.push(object, action, texts.length, ...texts);
    }
    await this.#run(FINISH, args).catch(() => this.distrust());
  }

  async #read(
    script: HotScript,
    object: string,
    more: number[],
  ): Promise<{ found: unknown[] } | { lease: Lease | undefined } | undefined> {
    if (!this.#trusted) return undefined;
    this.#reads += 1;
    const token = `${this.#reader}.${this.#reads}`;
    try {
      const [hit, ...found] = (await this.#run(script, [
        token,
        LEASE_MS,
        this.#hotMs,
        object,
        ...more,
      ])) as unknown[];
      if (hit === 1) return { found };
      const epoch = String(found[0] ?? '');
      return { lease: epoch === '' ? undefined : { object, token, epoch } };
    } catch {
      this.distrust();
      return undefined;
    }
  }

  async #fill({ object, token, epoch }: Lease, texts: readonly (string | number)[]): Promise<void> {
    if (!this.#trusted) return;
    await this.#run(FILL, [token, epoch, this.#hotMs, object, ...texts]).catch(() => this.distrust());
  }

  #run(script: HotScript, args: readonly (string | number)[]): Promise<unknown> {
    const head = [this.#prefix, this.#server.cluster ? 1 : 0];
    return this.#server.run(script, this.#epochKey, [...head, ...args]);
  }
}

interface Outcome {
  action: 'keep' | 'drop' | 'set' | 'append';
  texts: (string | number)[];
}

const KEEP: Outcome = { action: 'keep', texts: [] };
const DROP: Outcome = { action: 'drop', texts: [] };

/** What becomes of the copy of an object by one more operation on it. */
function outcomeOf(
  before: Outcome | undefined,
  operation: CheckedOperation,
  { version = 0, sequence = 0 }: OperationResult,
  at: number,
): Outcome {
  if (operation.kind === 'put') {
    const { collection, id, expiresAt, json, valueCrc } = operation;
    return { action: 'set', texts: [documentText(collection, id, version, expiresAt, json, valueCrc)] };
  }
  if (operation.kind !== 'append' || before?.action === 'drop') return DROP;
  const outcome: Outcome = before ?? { action: 'append', texts: [] };
  outcome.texts.push(sequence, entryText(operation.log, sequence, at, operation.json, operation.valueCrc));
  return outcome;
}

/** Logs of one thing, such as the transcript of a session; a log of everything, such as the events, is never read whole. */
const isHotLog = (log: string): boolean => log.includes('/');

const documentObject = (collection: string, id: string): string => `d:${collection}/${id}`;
const logObject = (log: string): string => `l:${log}`;

function objectOf(operation: CheckedOperation): string | undefined {
  if (operation.kind === 'put' || operation.kind === 'delete') {
    return documentObject(operation.collection, operation.id);
  }
  return isHotLog(operation.log) ? logObject(operation.log) : undefined;
}
