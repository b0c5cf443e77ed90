import { createHash } from 'node:crypto';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { systemClock } from '../../base/clock.ts';
import { fault } from '../../contract/error-codes.ts';
import type { RedisSettings } from '../../settings/settings.ts';
import { CallDeadline } from '../call-deadline.ts';
import { probeRedis } from './probe-redis.ts';
import { connectorFor, type RecycledReads } from './recycled-reads.ts';
import { type Address, addressesOf } from './redis-address.ts';
import { toFault } from './redis-errors.ts';
import { WrittenCommand, type WrittenWords } from './written-words.ts';

export interface RedisConnectionOptions {
  /** Time in which each command must be answered, in ms; the client's default is to wait for ever. */
  commandTimeoutMs: number;
  /** What it reads into, on a single server without TLS; default: new buffers each time. */
  reads?: RecycledReads;
  /** The server is there, for the first time or again. */
  onReady?: () => void;
  /** It is away, or hung: commands are refused until `onReady`. */
  onLost?: () => void;
}

/** A Lua script, sent by its hash once the server has it. */
export interface RedisScript {
  readonly lua: string;
}

export type RedisArgument = string | number | Buffer;

const CONNECT_TIMEOUT_MS = 3_000;
/** Longest wait between two attempts to connect. */
const RECONNECT_MS = 500;
/**
 * How often a server that reads its data after a start is asked whether it is done. The client would wait for as long as the server
 * guesses, at least 1 s and up to 10 s: whoever asked a moment later would have it long before.
 */
const LOADING_MS = 100;

/**
 * What a script is told of its keys: how many they are, then each; all that it touches lie in the slot of `key`. In a cluster there
 * is one more that never exists. While a slot is moved its keys are on two nodes: a script with one key would be carried out by the
 * node that has this one, and would break off in its middle at a key that is on the other, or take that for one that does not
 * exist. With a second key that is not there, both nodes refuse it (TRYAGAIN) until the whole slot has been moved.
 */
export function declaredKeys(key: string, cluster: boolean): string[] {
  return cluster ? ['2', key, `${key}!`] : ['1', key];
}

/**
 * The client, with a time-out on every command and with errors in words. It reconnects by itself, for as long as it is
 * open; a command that is asked for meanwhile is refused at once with `storage.unreachable`. A server that leaves a command
 * unanswered counts as lost: the connection is given up, so that no late answer of it can be taken for another one.
 */
export class RedisConnection {
  readonly cluster: boolean;
  /** Address without its secrets. */
  readonly location: string;
  readonly #settings: RedisSettings;
  readonly #options: RedisConnectionOptions;
  readonly #addresses: Address[];
  readonly #hashes = new Map<string, string>();
  readonly #deadline: CallDeadline;
  #client: Redis | Cluster | undefined;
  #ready = false;
  #held = false;
  /** Who waits for the server to come back. */
  #waiting = new Set<() => void>();

  constructor(settings: RedisSettings, options: RedisConnectionOptions) {
    this.#settings = settings;
    this.#options = options;
    this.cluster = settings.clusterNodes.length > 0;
    this.#addresses = addressesOf(settings);
    this.#deadline = new CallDeadline(systemClock, options.commandTimeoutMs);
    this.location = this.#addresses.map(({ location }) => location).join(', ');
  }

  get ready(): boolean {
    return this.#ready;
  }

  /**
   * Connects. Rejects with `storage.unreachable`, `storage.access_denied`, `storage.tls_failed` or
   * `storage.unsupported_server`; with `patient` an unreachable server is waited for in the background instead.
   */
  async open({ patient = false } = {}): Promise<void> {
    let away: unknown;
    try {
      await probeRedis(this.#settings);
    } catch (error) {
      if (!patient || (error as { code?: unknown }).code !== 'storage.unreachable') throw error;
      away = error;
    }
    const client = this.#connect();
    this.#client = client;
    // Told by the events of the connection, and tried again.
    client.connect().catch(() => undefined);
    if (away === undefined && !(await this.untilReady(CONNECT_TIMEOUT_MS))) {
      await this.close();
      throw fault('storage.unreachable', `Redis at ${this.location} did not answer in time.`, {
        location: this.location,
      });
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#ready = false;
    for (const wake of this.#waiting) wake();
    client?.disconnect();
    this.#deadline.close();
  }

  /** Resolves true when the server is there, false when it is not within the time (ms) or the connection is closed. */
  untilReady(ms: number): Promise<boolean> {
    if (this.#ready) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve(this.#ready);
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
    });
  }

  /**
   * Whatever is asked for from now to the end of this turn goes out together: a server that is woken by the first of several
   * commands takes turns with us for each of the others.
   */
  hold(): void {
    const client = this.#client;
    if (this.#held || !(client instanceof Redis) || !this.#ready) return;
    const { stream } = client;
    this.#held = true;
    stream.cork();
    // Behind what others have put off in this turn, to ask for it together.
    queueMicrotask(() =>
      queueMicrotask(() => {
        this.#held = false;
        stream.uncork();
      }),
    );
  }

  /** Runs a script whose keys all share one hash tag; answers text. */
  run(script: RedisScript, key: string, args: readonly RedisArgument[]): Promise<unknown> {
    // As one list: a large commit has more arguments than a call can have.
    return this.call((client) =>
      this.#evaluate(script, (name, program) =>
        client.call(name, [program, ...declaredKeys(key, this.cluster), ...args]),
      ),
    );
  }

  /** {@link run}, but answers bytes instead of text. */
  runForBytes(script: RedisScript, key: string, args: readonly RedisArgument[]): Promise<unknown> {
    return this.call((client) =>
      this.#evaluate(script, (name, program) =>
        client.callBuffer(name, [program, ...declaredKeys(key, this.cluster), ...args]),
      ),
    );
  }

  /** {@link run} with arguments that are written already. */
  runWritten(script: RedisScript, key: string, args: WrittenWords): Promise<unknown> {
    return this.call((client) =>
      this.#evaluate(script, (name, program) => {
        const command = new WrittenCommand(name, program, declaredKeys(key, this.cluster), args);
        client.sendCommand(command);
        return command.promise;
      }),
    );
  }

  /** Any other command on keys of that hash tag. */
  async call<T>(command: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    const client = this.#client;
    if (client === undefined || !this.#ready) {
      throw fault('storage.unreachable', `Redis at ${this.location} is away just now.`, {
        location: this.location,
      });
    }
    try {
      return await (this.cluster ? command(client) : this.#deadline.run(() => command(client)));
    } catch (error) {
      const told = toFault(error, this.location);
      if (told.code === 'storage.unreachable' && client === this.#client && this.#ready) this.#giveUp(client);
      throw told;
    }
  }

  #evaluate(
    { lua }: RedisScript,
    send: (name: 'evalsha' | 'eval', program: string) => Promise<unknown>,
  ): Promise<unknown> {
    let hash = this.#hashes.get(lua);
    if (hash === undefined) {
      hash = createHash('sha1').update(lua).digest('hex');
      this.#hashes.set(lua, hash);
    }
    return send('evalsha', hash).catch((error: unknown) => {
      if (!String(error).includes('NOSCRIPT')) throw error;
      return send('eval', lua);
    });
  }

  /** A server that does not answer is left, and a new connection tried: the answers of the old one would come too late. */
  #giveUp(client: Redis | Cluster): void {
    this.#lost();
    client.disconnect();
    const next = this.#connect();
    this.#client = next;
    next.connect().catch(() => undefined);
  }

  #connect(): Redis | Cluster {
    const client = this.cluster ? this.#clusterClient() : this.#singleClient();
    client.on('ready', () => {
      if (client !== this.#client || this.#ready) return;
      this.#ready = true;
      for (const wake of this.#waiting) wake();
      this.#options.onReady?.();
    });
    for (const event of ['close', 'end', 'reconnecting'] as const) {
      client.on(event, () => {
        if (client === this.#client) this.#lost();
      });
    }
    // Each failed attempt is one; callers are told by their own commands.
    client.on('error', () => undefined);
    return client;
  }

  #lost(): void {
    if (!this.#ready) return;
    this.#ready = false;
    this.#options.onLost?.();
  }

  /** Its commands have our deadline: the timers of the client, one for each of them, cost as much as a small command. */
  #singleClient(): Redis {
    const { reads } = this.#options;
    const { options } = this.#addresses[0] ?? {};
    const sockets = reads === undefined || options?.tls ? {} : { Connector: connectorFor(reads) };
    const client = new Redis({ ...this.#shared(), ...options, ...sockets, retryStrategy });
    const { commandTimeout } = client.options;
    // What the client itself asks until it is ready it has to give up by itself.
    client.on('ready', () => Object.assign(client.options, { commandTimeout: undefined }));
    client.on('close', () => Object.assign(client.options, { commandTimeout }));
    return client;
  }

  #clusterClient(): Cluster {
    const { host: _host, port: _port, ...credentials } = this.#addresses[0]?.options ?? {};
    const options: ClusterOptions = {
      redisOptions: { ...this.#shared(), ...credentials },
      clusterRetryStrategy: retryStrategy,
      lazyConnect: true,
      enableOfflineQueue: false,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      // A slot that moves is followed; a node that is away is told at once.
      retryDelayOnFailover: 50,
      maxRedirections: 8,
    };
    return new Cluster(
      this.#addresses.map(({ options: { host = '127.0.0.1', port = 6379 } }) => ({ host, port })),
      options,
    );
  }

  #shared(): RedisOptions {
    return {
      lazyConnect: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
      maxLoadingRetryTime: LOADING_MS,
      commandTimeout: this.#options.commandTimeoutMs,
      // A command is never sent twice by the client: whether the first was carried out is known only to who asked.
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      noDelay: true,
    };
  }
}

const retryStrategy = (attempt: number): number => Math.min(20 * 2 ** Math.min(attempt, 10), RECONNECT_MS);
