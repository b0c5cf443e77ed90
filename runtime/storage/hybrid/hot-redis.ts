import { createHash } from 'node:crypto';
import { isCoded, messageOf } from '../../base/errors.ts';
import type { RedisSettings } from '../../settings/settings.ts';
import { declaredKeys, type RedisArgument, RedisConnection } from '../redis/redis-connection.ts';
import { factsOf } from '../redis/redis-facts.ts';
import type { HotCommand } from './hot-link.ts';
import type { HotScript } from './hot-scripts.ts';
import type { HotConnection } from './hybrid-storage.ts';

/** A Redis that hangs costs a reader this much, once (FLOORS: failover to the cold side within 250 ms). */
const COMMAND_TIMEOUT_MS = 200;
/** When to try a server again that answers, but with an error (out of memory, made a replica …). */
const RETRY_MS = 5_000;

/** The Redis that holds the hot copies. */
export class HotRedis implements HotConnection {
  readonly cluster: boolean;
  readonly location: string;
  readonly #connection: RedisConnection;
  #told: { onReady: () => void; onLost: () => void } | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** When that is, by `performance.now`. */
  #retryAt = Number.POSITIVE_INFINITY;
  /** Scripts that went over this connection as a whole, so that their hash will do. */
  readonly #known = new Map<HotScript, string>();

  constructor(settings: RedisSettings) {
    this.#connection = new RedisConnection(settings, {
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      onReady: () => {
        this.#known.clear();
        this.#takeUp();
      },
      onLost: () => this.#told?.onLost(),
    });
    this.cluster = this.#connection.cluster;
    this.location = this.#connection.location;
  }

  async open(told: { onReady: () => void; onLost: () => void }): Promise<void> {
    this.#told = told;
    await this.#connection.open({ patient: true });
  }

  async close(): Promise<void> {
    this.#told = undefined;
    this.#planNothing();
    await this.#connection.close();
  }

  /**
   * A script whose hash the server does not know is refused, and not sent a second time: it would come behind what was sent
   * after it, and a read would be answered without what was written before it.
   */
  run(script: HotScript, key: string, args: readonly RedisArgument[]): Promise<unknown> {
    return this.#watched(
      this.#connection.call((client) => {
        const hash = this.#known.get(script);
        const words = [...declaredKeys(key, this.cluster), ...args];
        if (hash !== undefined) return client.call('evalsha', [hash, ...words]);
        this.#known.set(script, createHash('sha1').update(script.lua).digest('hex'));
        return client.call('eval', [script.lua, ...words]);
      }),
    );
  }

  call(commands: readonly HotCommand[]): Promise<unknown[]> {
    this.#connection.hold();
    return this.#watched(
      this.#connection.call((client) =>
        Promise.all(commands.map(([name, ...args]) => client.call(name, args))),
      ),
    );
  }

  async product(): Promise<string | undefined> {
    try {
      const { redis_version: version } = factsOf(
        await this.#connection.call((client) => client.info('server')),
      );
      return version === undefined ? 'Redis' : `Redis ${version}`;
    } catch {
      return undefined;
    }
  }

  async #watched<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (messageOf(error).includes('NOSCRIPT')) {
        this.#known.clear();
        this.#tryLater(0);
      } else if (!isCoded(error, 'storage.unreachable')) this.#tryLater(RETRY_MS);
      // A connection that was lost tells by itself when it is back. If it has, the call was one of the connection before: whoever
      // made it is about to trust the server no more, and would hear no more of it.
      else if (this.#connection.ready) this.#tryLater(0);
      throw error;
    }
  }

  /** What was planned before stays if it is sooner. */
  #tryLater(ms: number): void {
    const at = performance.now() + ms;
    if (this.#told === undefined || at >= this.#retryAt) return;
    clearTimeout(this.#retry);
    this.#retryAt = at;
    this.#retry = setTimeout(() => this.#takeUp(), ms).unref();
  }

  #takeUp(): void {
    this.#planNothing();
    this.#told?.onReady();
  }

  #planNothing(): void {
    clearTimeout(this.#retry);
    this.#retryAt = Number.POSITIVE_INFINITY;
  }
}
