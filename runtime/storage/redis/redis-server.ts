import { performance } from 'node:perf_hooks';
import type { Cluster, Redis } from 'ioredis';
import { CodedError, isCoded } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { DirectRequest } from './direct-script.ts';
import { ACTIVE } from './read-scripts.ts';
import type { RedisArgument, RedisConnection, RedisScript } from './redis-connection.ts';

type Client = Redis | Cluster;

/** What the names of keys begin with, with its colon. */
export interface KeyPrefixes {
  namespace: string;
  /** Of the generation that is believed to be active. */
  generation: string;
}

/** Plain reads of one turn, and the question behind them. */
interface Turn {
  /** Which generation is believed to be active. */
  readonly generation: string;
  /** Of the hash in which the generation says whether it is active, and how far its logs were trimmed. */
  readonly fields: string[];
  readonly reading: Promise<unknown>[];
  /** Undefined when another generation is active. */
  readonly answer: Promise<(string | null)[] | undefined>;
}

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
  #prefixes: KeyPrefixes;
  #turn: Turn | undefined;

  constructor(connection: RedisConnection, namespace: string) {
    this.#connection = connection;
    this.#key = `{${namespace}}`;
    this.#prefixes = { namespace: `${this.#key}:`, generation: '' };
  }

  get active(): string {
    return this.#active;
  }

  get prefixes(): KeyPrefixes {
    return this.#prefixes;
  }

  /** Runs a script as it is. */
  async run(script: RedisScript, ...args: RedisArgument[]): Promise<unknown> {
    return this.persist(() => this.#connection.run(script, this.#key, args));
  }

  /** {@link run}, but answers bytes instead of text. */
  async runForBytes(script: RedisScript, ...args: RedisArgument[]): Promise<unknown> {
    return this.persist(() => this.#connection.runForBytes(script, this.#key, args));
  }

  /**
   * Runs a script on the active generation, which it is told first; answers what comes after the generation. `moved` is
   * called when another one turns out to be active. Arguments may be made anew for each time that they are sent.
   */
  async onActive(
    script: RedisScript,
    args: readonly RedisArgument[] | (() => readonly RedisArgument[]),
    moved?: () => void,
  ): Promise<unknown[]> {
    const argsNow = typeof args === 'function' ? args : () => args;
    for (;;) {
      const expected = this.#active;
      const answer = (await this.persist(() =>
        this.#connection.run(script, this.#key, [expected, ...argsNow()]),
      )) as unknown[];
      if (answer[0] === expected) return answer.slice(1);
      this.follow(answer[0]);
      moved?.();
    }
  }

  /**
   * Carries it out if `owner` is the one, who is replaced by `next`. Is tried once; answers whether it was carried out, false
   * also when that is not known.
   */
  direct(request: DirectRequest, owner: string, next: string): Promise<boolean> {
    const { script, args } = request.toScript(owner, next);
    // Whatever went wrong: it is tried again in another way, which will tell.
    return this.#connection.runWritten(script, `${this.#key}:owner`, args).then(
      (answer) => answer === 1,
      () => false,
    );
  }

  /** What is remembered of the commits of a writer. */
  remembered(writer: string): Promise<string[]> {
    return this.persist(() => this.#connection.call((client) => client.hvals(`${this.#key}:w:${writer}`)));
  }

  /**
   * Runs a plain command on keys of whichever generation is active. Behind it goes the question whether that is the one, for
   * all who read in this turn; with it, of a log (`trimmed`), what is kept of its being trimmed.
   */
  async read<T>(
    command: (client: Client, key: (name: string) => string) => Promise<T>,
    trimmed?: string,
  ): Promise<{ found: T; trimmed: string | null }> {
    for (;;) {
      const answer = await this.persist(async () => {
        const turn = this.#thisTurn();
        const at = trimmed === undefined ? 0 : turn.fields.push(trimmed) - 1;
        const reading = this.plain(command);
        turn.reading.push(reading);
        const [found, fields] = await Promise.all([reading, turn.answer]);
        return fields && { found, trimmed: fields[at] ?? null };
      });
      if (answer !== undefined) return answer;
    }
  }

  /** Runs a plain command on keys of the generation that is believed to be active. Not sent again: see {@link persist}. */
  plain<T>(command: (client: Client, key: (name: string) => string) => Promise<T>): Promise<T> {
    const prefix = this.#prefixes.generation;
    this.#connection.hold();
    return this.#connection.call((client) => command(client, (name) => prefix + name));
  }

  #thisTurn(): Turn {
    const generation = this.#active;
    if (this.#turn?.generation === generation) return this.#turn;
    const fields = ['*'];
    const reading: Promise<unknown>[] = [];
    const ask = async () => {
      // When all of this turn have asked.
      await undefined;
      if (this.#turn === turn) this.#turn = undefined;
      // In a cluster they may go to several servers, and overtake each other.
      if (this.#connection.cluster) await Promise.allSettled(reading);
      const key = `${this.#key}:${generation}:l`;
      const answer = await this.#connection.call((client) => client.hmget(key, ...fields));
      if (answer[0] === generation) return answer;
      this.follow(await this.#connection.run(ACTIVE, this.#key, []));
      return undefined;
    };
    const turn: Turn = { generation, fields, reading, answer: ask() };
    this.#turn = turn;
    return turn;
  }

  /** Takes over what a script answered to be active. */
  follow(active: unknown): void {
    if (typeof active !== 'string' || active === '') {
      throw fault('storage.corrupt', 'Redis does not say any more which generation of the data is active.');
    }
    if (active === this.#active) return;
    this.#active = active;
    this.#prefixes = { namespace: `${this.#key}:`, generation: `${this.#key}:${active}:` };
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
