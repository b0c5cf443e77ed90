import { performance } from 'node:perf_hooks';
import type { ChainableCommander } from 'ioredis';
import { CodedError, isCoded } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { RedisArgument, RedisConnection, RedisScript } from './redis-connection.ts';

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

  /**
   * Plain commands in one round trip, on keys of the generation that is believed to be active; answers theirs, and at the end
   * the one that is active.
   */
  async pipeline(
    add: (pipeline: ChainableCommander, key: (name: string) => string) => void,
  ): Promise<unknown[]> {
    const prefix = `${this.#key}:${this.#active}:`;
    return this.persist(() =>
      this.#connection.call(async (client) => {
        const pipeline = client.pipeline();
        add(pipeline, (name) => prefix + name);
        pipeline.hget(`${this.#key}:meta`, 'active');
        const answers = (await pipeline.exec()) ?? [];
        return answers.map(([error, answer]) => {
          if (error !== null) throw error;
          return answer;
        });
      }),
    );
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
