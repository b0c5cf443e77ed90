import { performance } from 'node:perf_hooks';
import type { Cluster, Redis } from 'ioredis';
import { CodedError, isCoded } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import { DIRECT } from './direct-script.ts';
import { FIELDS } from './read-scripts.ts';
import type { RedisArgument, RedisConnection, RedisScript } from './redis-connection.ts';

interface HashField {
  /** Without what all keys of the generation begin with. */
  key: string;
  field: string;
}

interface Asker {
  wanted: HashField[];
  resolve(values: (string | null)[] | undefined): void;
  reject(error: unknown): void;
}

/** Calls of one turn whose values come in one answer. */
const ASKERS = 16;

/** How long a call goes on trying after the connection was lost, in ms. */
const RECONNECT_BUDGET_MS = 5_000;

/**
 * The scripts on the data of one namespace. Everything that is sent may be sent twice: when the connection is lost it is
 * sent again after the reconnect, until the time is up; then the call rejects with `storage.unreachable`.
 */
export class RedisServer {
  readonly #connection: RedisConnection;
  readonly #key: string;
  /** The generation that was active when last heard of: each script is told, and answers another if it is not any more. */
  #active = '';
  /** Those who ask in this turn. */
  readonly #askers: Asker[] = [];

  constructor(connection: RedisConnection, namespace: string) {
    this.#connection = connection;
    this.#key = `{${namespace}}`;
  }

  get active(): string {
    return this.#active;
  }

  set active(id: string) {
    this.#active = id;
  }

  /** Runs a script as it is. */
  async run(script: RedisScript, ...args: RedisArgument[]): Promise<unknown> {
    return this.persist(() => this.#connection.run(script, this.#key, args));
  }

  /**
   * Runs a script on the active generation, which it is told first; answers what comes after the generation. `moved` is
   * called when another one turns out to be active.
   */
  async onActive(
    script: RedisScript,
    args: readonly RedisArgument[],
    moved?: () => void,
  ): Promise<unknown[]> {
    for (;;) {
      const expected = this.#active;
      const answer = (await this.run(script, expected, ...args)) as unknown[];
      if (answer[0] === expected) return answer.slice(1);
      this.follow(answer[0]);
      moved?.();
    }
  }

  /** Runs `DIRECT` once. Answers whether it was carried out; false also when that is not known. */
  async direct(args: RedisArgument[]): Promise<boolean> {
    try {
      return (await this.#connection.run(DIRECT, this.#key, [this.#active, ...args])) === 1;
    } catch {
      // Whatever it was: it is tried again in another way, which will tell.
      return false;
    }
  }

  /**
   * Hash fields of the generation that is believed to be active, all read at one moment; undefined when another one is. All
   * that is asked for in one turn goes in one script. Not sent again: see {@link persist}.
   */
  fields(wanted: HashField[]): Promise<(string | null)[] | undefined> {
    return new Promise((resolve, reject) => {
      this.#askers.push({ wanted, resolve, reject });
      if (this.#askers.length > 1) return;
      queueMicrotask(() => {
        while (this.#askers.length > 0) void this.#ask(this.#askers.splice(0, ASKERS));
      });
    });
  }

  /** The same of whichever generation is active. */
  async values(wanted: HashField[]): Promise<(string | null)[]> {
    for (;;) {
      const values = await this.persist(() => this.fields(wanted));
      if (values !== undefined) return values;
    }
  }

  /** Runs a plain command on keys of that generation. Not sent again: see {@link persist}. */
  plain<T>(command: (client: Redis | Cluster, key: (name: string) => string) => Promise<T>): Promise<T> {
    const prefix = `${this.#key}:${this.#active}:`;
    this.#connection.hold();
    return this.#connection.call((client) => command(client, (name) => prefix + name));
  }

  /** Commands may overtake each other, where they may go to several servers. */
  get mayOvertake(): boolean {
    return this.#connection.cluster;
  }

  async #ask(askers: Asker[]): Promise<void> {
    const believed = this.#active;
    try {
      const args: RedisArgument[] = [believed];
      for (const { wanted } of askers) for (const { key, field } of wanted) args.push(key, field);
      const answer = (await this.#connection.run(FIELDS, this.#key, args)) as (string | null)[];
      if (answer[0] !== believed) this.follow(answer[0]);
      let at = 1;
      for (const { wanted, resolve } of askers) {
        resolve(answer[0] === believed ? answer.slice(at, at + wanted.length) : undefined);
        at += wanted.length;
      }
    } catch (error) {
      for (const { reject } of askers) reject(error);
    }
  }

  /** Takes over what a script answered to be active. */
  follow(active: unknown): void {
    if (typeof active !== 'string' || active === '') {
      throw fault('storage.corrupt', 'Redis does not say any more which generation of the data is active.');
    }
    this.#active = active;
  }

  /** Asks again after each loss of the connection. */
  async persist<T>(ask: () => Promise<T>): Promise<T> {
    let until: number | undefined;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!isCoded(error, 'storage.unreachable')) throw error;
        until ??= performance.now() + RECONNECT_BUDGET_MS;
        const left = until - performance.now();
        if (left <= 0 || !(await this.#connection.untilReady(left))) throw error;
      }
    }
  }
}

/** For a commit whose answer did not come: whoever has its id can send it again. */
export function unknownFate(error: unknown, commit: { writer: string; number: number }): unknown {
  if (!isCoded(error, 'storage.unreachable')) return error;
  return new CodedError(error.code, error.message, { ...error.data, commit }, { cause: error });
}
