import { isCoded } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { BEAT, type HotScript, LEAVE, LOOK, RENEW } from './hot-scripts.ts';

export type HotCommand = readonly [name: string, ...args: string[]];

/** What the hot copies need of a Redis server. */
export interface HotServer {
  /** Runs a script; rejects when the server does not answer within its time-out, at once when it is away. */
  run(script: HotScript, key: string, args: readonly (string | number)[]): Promise<unknown>;
  /** Plain commands, sent together behind what was sent before; rejects as `run` does. */
  call(commands: readonly HotCommand[]): Promise<unknown[]>;
  /** True when all keys lie in a cluster. */
  readonly cluster: boolean;
}

/** What was found on the server at one moment. */
export interface Look {
  epoch: string;
  /** True when the lease of this instance holds, and with it its claims. */
  isLeased: boolean;
  /** Null for one that is not there. */
  documents: (string | null)[];
  /** Empty for one that is not there. */
  logs: string[][];
}

/**
 * For how much of its lease an instance relies on it without news: what is left must be longer than a commit on PostgreSQL can take
 * (a statement is ended after 30 s), because what an instance that died has claimed is free when its lease lapses.
 */
const FRESH_SHARE = 1 / 4;
/**
 * How long a writer waits for a server that was lost. Readers do not wait: they go to the cold side at once. Long enough for a
 * busy machine to connect again, because what is written without an announcement other processes do not notice.
 */
const GRACE_MS = 2_000;
/**
 * The same for a server that answers and takes no writes (it was made a replica, its disk is full …): the others can read from
 * it until their next beat, which is refused like everything that writes.
 */
const REFUSED_GRACE_MS = 7_000;
/**
 * Both are counted in steps, of which each counts for at most twice its length: while this process stood still, or hardly got to
 * run, it could not connect, and others could.
 */
const STEP_MS = 100;
/** Whoever was without the server for so long may have it back sooner than a writer who goes on without it. */
const OUTAGE_MS = 100;

/**
 * One instance's standing with the Redis server: whether it is believed, in which epoch, and the lease under which this
 * instance claims what it writes. While the server is away nothing can be announced. So it is trusted only from a `renew` on,
 * which forgets all copies, and no longer once a call has failed.
 */
export class HotLink {
  /** How long the lease of this instance lasts, in ms. */
  readonly lapseMs: number;
  readonly prefix: string;
  readonly epochKey: string;
  /** Called when nothing that was known of the server holds any more, with the epoch another one. */
  onForgotten: () => void = () => undefined;
  /** Called when the server is trusted again. */
  onTrusted: () => void = () => undefined;
  readonly #server: HotServer;
  #instance = randomId(16);
  #trusted = false;
  /** Since it was opened. */
  #wasTrusted = false;
  #epoch = '';
  /** Counts the losses of trust: a renewal that was under way at a loss does not count. */
  #losses = 0;
  /** How much of the grace has passed since the trust was lost, in ms. */
  #waited = 0;
  #counting: NodeJS.Timeout | undefined;
  /** By `performance.now`. */
  #believedFrom = 0;
  /** It was lost because the server has refused something. */
  #isRefused = false;
  /** When the last news of the lease was asked for; by two clocks, because one stands still while the machine sleeps. */
  #beatAt = { steady: 0, wall: 0 };
  /** Generations that this instance is switching to. */
  #switching = 0;
  /** Who waits for the trust to come back. */
  readonly #waiting = new Set<() => void>();

  constructor(server: HotServer, namespace: string, lapseMs: number) {
    this.#server = server;
    this.lapseMs = lapseMs;
    this.prefix = `{${namespace}}:hot:`;
    this.epochKey = `${this.prefix}epoch`;
  }

  /** The name under which this instance claims. */
  get instance(): string {
    return this.#instance;
  }

  /** What is there for as long as the lease of this instance holds. */
  get leaseKey(): string {
    return `${this.prefix}l:${this.#instance}`;
  }

  /** False while everything is read from and written to the cold side alone. */
  get trusted(): boolean {
    return this.#trusted;
  }

  /**
   * False while copies are neither read nor made: the server is not trusted, or was away until a moment ago, and others may still be
   * writing without it. They have it back within the time that a writer waits for it, and begin an epoch of their own then.
   */
  get isBelieved(): boolean {
    return this.#trusted && performance.now() >= this.#believedFrom;
  }

  /** The epoch whose copies are believed; empty when there is none. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Where the copy of an object is that no one claims. */
  sharedKey(object: string): string {
    return `${this.prefix}c:${this.#epoch}:${object}`;
  }

  /** True when the lease of this instance holds for longer than a commit takes. */
  get isFresh(): boolean {
    const { steady, wall } = this.#beatAt;
    const passed = Date.now() - wall;
    const fresh = this.lapseMs * FRESH_SHARE;
    return performance.now() - steady < fresh && passed >= 0 && passed < fresh;
  }

  /** Forgets all copies, those of other processes included, and trusts the server from then on. Never rejects. */
  async renew(): Promise<void> {
    this.distrust();
    const losses = this.#losses;
    const asked = now();
    const isSwitching = this.#switching > 0;
    let answer: unknown;
    try {
      answer = await this.run(RENEW, [randomId(16), this.lapseMs, isSwitching ? 1 : 0, GRACE_MS]);
    } catch {
      return;
    }
    if (losses !== this.#losses) return;
    const [epoch, areOthersLate] = answer as [string, number];
    this.#epoch = epoch;
    this.#beatAt = asked;
    this.#trusted = true;
    this.#settle(areOthersLate === 1);
    this.#wasTrusted = true;
    this.#waited = 0;
    this.#isRefused = false;
    this.#endWaiting();
    this.onTrusted();
  }

  /** To be called when the connection was lost or a call has failed: what is written meanwhile is not announced. */
  distrust(): void {
    this.#trusted = false;
    this.#losses += 1;
    this.#epoch = '';
    this.onForgotten();
    this.#countGrace();
  }

  /** To be called with each epoch that the server tells: somebody may have begun another. */
  saw(epoch: string): void {
    if (!this.#trusted || epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.onForgotten();
  }

  /** To be called when the server tells that the lease of this instance has lapsed: others may have taken what it claimed. */
  lapsed(): void {
    if (this.#trusted) void this.renew();
  }

  /** Prolongs the lease. Answers the objects whose claims others would like to have. Never rejects. */
  async beat(): Promise<string[]> {
    if (!this.#trusted) return [];
    const losses = this.#losses;
    const asked = now();
    try {
      const [epoch, ...wanted] = (await this.run(BEAT, [this.lapseMs])) as string[];
      if (losses !== this.#losses) return [];
      if (epoch === undefined) {
        this.lapsed();
        return [];
      }
      this.#beatAt = asked;
      // Who closed the last one has not begun another: it has died, or the server has lost it.
      if (epoch === '' && this.#epoch === '') await this.renew();
      else this.saw(epoch);
      return wanted;
    } catch {
      this.distrust();
      return [];
    }
  }

  /** Runs `switchOver` while nobody reads or keeps a copy, and forgets all of them. */
  async without<T>(switchOver: () => Promise<T>): Promise<T> {
    this.#switching += 1;
    try {
      // Ends the epoch: as long as this instance lives and is switching, nobody begins another.
      if (await this.trustedWithinGrace()) await this.renew();
      return await switchOver();
    } finally {
      this.#switching -= 1;
      if (await this.trustedWithinGrace()) await this.renew();
    }
  }

  /**
   * Ends the lease, and with it all claims, or with `lapse` leaves both until the lease lapses. From then on this instance
   * has another name. Never rejects.
   */
  async leave({ lapse }: { lapse: boolean }): Promise<void> {
    const tells = this.#trusted && !lapse;
    // First: a beat behind what follows would find the lease gone, and make this instance a member for good.
    this.distrust();
    if (tells) await this.run(LEAVE, []).catch(() => undefined);
    this.#endWaiting();
    this.#wasTrusted = false;
    this.#waited = 0;
    this.#instance = randomId(16);
  }

  /**
   * Resolves true when the server is trusted, false when it has been away for longer than the grace. A writer waits that
   * long, because other processes may still trust it: what is written without an announcement they would not notice.
   */
  trustedWithinGrace(): Promise<boolean> {
    if (this.#trusted) return Promise.resolve(true);
    if (this.#waited >= this.#grace) return Promise.resolve(false);
    this.#countGrace();
    return new Promise((resolve) => this.#waiting.add(() => resolve(this.#trusted)));
  }

  async run(script: HotScript, args: readonly (string | number)[]): Promise<unknown> {
    const given = [this.prefix, this.#server.cluster ? 1 : 0, this.#instance, ...args];
    try {
      return await this.#server.run(script, this.epochKey, given);
    } catch (error) {
      throw this.#noted(error);
    }
  }

  async call(commands: readonly HotCommand[]): Promise<unknown[]> {
    try {
      return await this.#server.call(commands);
    } catch (error) {
      throw this.#noted(error);
    }
  }

  #noted(error: unknown): unknown {
    if (isCoded(error) && error.code !== 'storage.unreachable') this.#isRefused = true;
    return error;
  }

  get #grace(): number {
    return this.#isRefused ? REFUSED_GRACE_MS : GRACE_MS;
  }

  /** Others may be about to find the server again, and until then write without it. */
  #settle(areOthersLate: boolean): void {
    // Whoever has only just been opened takes its time to connect; for longer than the grace it has gone on without the server.
    const wasAway = this.#waited >= (this.#wasTrusted ? OUTAGE_MS : GRACE_MS);
    if (!wasAway && !areOthersLate) return;
    const until = performance.now() + (areOthersLate ? REFUSED_GRACE_MS : this.#grace);
    this.#believedFrom = Math.max(this.#believedFrom, until);
  }

  #countGrace(): void {
    if (this.#counting !== undefined || this.#waited >= REFUSED_GRACE_MS) return;
    let last = performance.now();
    this.#counting = setInterval(() => {
      const now = performance.now();
      this.#waited += Math.min(now - last, 2 * STEP_MS);
      last = now;
      if (this.#waited >= this.#grace) this.#wake();
      // That it refuses may yet come out, and then it lasts longer.
      if (this.#waited >= REFUSED_GRACE_MS) this.#endWaiting();
    }, STEP_MS).unref();
  }

  /** It is trusted again, or there is nothing to wait for any more. */
  #endWaiting(): void {
    clearInterval(this.#counting);
    this.#counting = undefined;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Reads documents, and the beginnings of logs up to an index, with what says whether they may be believed. */
  async look(
    documents: readonly string[],
    logs: readonly (readonly [key: string, last: number])[],
  ): Promise<Look> {
    if (this.#server.cluster) {
      const answer = (await this.run(LOOK, [documents.length, ...documents, ...logs.flat()])) as unknown[];
      const [epoch, lease] = answer as [string, string | null];
      return {
        epoch,
        isLeased: lease !== null,
        documents: answer.slice(2, 2 + documents.length) as (string | null)[],
        logs: answer.slice(2 + documents.length) as string[][],
      };
    }
    const [found, ...lists] = await this.#server.call([
      ['MGET', this.epochKey, this.leaseKey, ...documents],
      ...logs.map(([key, last]): HotCommand => ['LRANGE', key, '0', String(last)]),
    ]);
    const [epoch, lease, ...texts] = found as (string | null)[];
    return { epoch: epoch ?? '', isLeased: lease !== null, documents: texts, logs: lists as string[][] };
  }

  /** Whether the claims that this instance had in its epoch still stand. Never rejects. */
  async stands(): Promise<boolean> {
    if (!this.#trusted) return false;
    const before = this.#epoch;
    try {
      const { epoch, isLeased } = await this.look([], []);
      if (!isLeased) this.lapsed();
      else this.saw(epoch);
      return isLeased && epoch === before;
    } catch {
      this.distrust();
      return false;
    }
  }
}

const now = () => ({ steady: performance.now(), wall: Date.now() });
