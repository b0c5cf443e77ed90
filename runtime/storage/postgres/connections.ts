import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { type CodedError, messageOf } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { PostgresSettings } from '../../settings/settings.ts';
import { DAMAGED_STATE } from './commit-function.ts';
import { isAway, isPassing, toFault } from './postgres-errors.ts';
import { queryRows, type Row, type Statement } from './row-query.ts';

export interface ConnectionOptions {
  settings: PostgresSettings;
  /** Instead of the address in the settings. */
  url?: string | undefined;
  /** Where the tables are, instead of the first schema of the user's search path. */
  schema?: string | undefined;
  /** What the connections are made of, instead of plain sockets. */
  newSocket?: (() => Socket) | undefined;
  /** The name of a damaged record that a function of the server met. */
  onDamaged: (record: string) => void;
}

/** A connection for whoever asked for one. */
export interface Lent {
  client: PoolClient;
  /** With the error if there was one: what broke, or may still be busy, is not used again. Once. */
  giveBack: (error?: unknown) => void;
}

/** For so long a commit is tried to be brought to a server that has gone away. */
const RETRY_BUDGET_MS = 5_000;
const RETRY_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 500;
/** For so long the server is given to end its connections in good order. */
const END_GRACE_MS = 2_000;

/**
 * How a session is set up. Its isolation is what the commit function is written for; a commit that is answered is on the
 * disk. The tables are read by their indexes and in their order, whatever the planner knows of them: a plan must not turn
 * with the statistics. Statements are planned once.
 */
export const SESSION = `SELECT set_config('default_transaction_isolation', 'read committed', false),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, false),
  set_config('client_min_messages', 'warning', false), set_config('jit', 'off', false),
  set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_seqscan', 'off', false),
  set_config('enable_bitmapscan', 'off', false), set_config('enable_hashjoin', 'off', false),
  set_config('enable_mergejoin', 'off', false), set_config('enable_sort', 'off', false),
  set_config('enable_material', 'off', false)`;

/** The connections to one server: a pool, in front of which calls wait for their turn as long as it takes. */
export class Connections {
  readonly #options: ConnectionOptions;
  readonly #pool: Pool;
  readonly #prepared = new WeakSet<PoolClient>();
  readonly #clients = new Set<PoolClient>();
  /** Connections that were lost. */
  readonly #broken = new WeakSet<PoolClient>();
  readonly #waiting: (() => void)[] = [];
  readonly #idle: (() => void)[] = [];
  /** Told when a connection is wanted and none is left: somebody may keep one that he does not use. */
  keeper: (() => void) | undefined;
  readonly #size: number;
  #free: number;
  #cut = false;
  /** Without its secrets. */
  readonly location: string;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const config = poolConfig(options);
    this.#size = config.max ?? 1;
    this.#free = this.#size;
    this.#pool = new Pool(config);
    this.location = locationOf(options);
    // Of a connection that broke while nobody used it: the pool has removed it, and the next call makes a new one.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => {
      this.#clients.add(client as PoolClient);
      if (this.#cut) destroy(client as PoolClient);
      client.on('error', () => this.#broken.add(client as PoolClient));
      client.on('end', () => this.#broken.add(client as PoolClient));
      client.on('notice', ({ code, message }) => {
        if (code === DAMAGED_STATE && message !== undefined) options.onDamaged(message);
      });
    });
    this.#pool.on('remove', (client) => this.#clients.delete(client as PoolClient));
  }

  /** Rows of one statement. One round trip; one more try, over a new connection, when the connection was lost. */
  async query(statement: Statement, values: unknown[]): Promise<Row[]> {
    const ask = () => this.use((client) => queryRows(client, statement, values));
    try {
      return await ask();
    } catch (error) {
      if (isAway(error) || isPassing(error)) return ask();
      throw error;
    }
  }

  /** In one transaction; rejects with the error in the words of the port. */
  transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.use(async (client) => {
      await client.query('BEGIN');
      try {
        const result = await work(client);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined);
        throw error;
      }
    });
  }

  /**
   * Does it again, while the server is away, until it is back or the budget is used up. Only for what may be done twice.
   * Rejects with `storage.unreachable` then, with anything else at once.
   */
  async persist<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    for (let wait = RETRY_PAUSE_MS; ; wait = Math.min(2 * wait, LONGEST_PAUSE_MS)) {
      try {
        return await work();
      } catch (error) {
        const left = RETRY_BUDGET_MS - (performance.now() - began);
        if (!(isAway(error) || isPassing(error)) || left <= wait) throw error;
        await pause(wait);
      }
    }
  }

  /** Lends a connection for the time of the work. */
  async use<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const { client, giveBack } = await this.lend();
    try {
      const result = await work(client);
      giveBack();
      return result;
    } catch (error) {
      giveBack(error);
      throw this.words(error);
    }
  }

  /** Whoever gets one gives it back, with the error if there was one: what broke, or may still be busy, is not used again. */
  async lend(): Promise<Lent> {
    if (this.#free > 0) this.#free -= 1;
    else {
      const freed = new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.keeper?.();
      await freed;
    }
    let client: PoolClient | undefined;
    const giveBack = (error?: unknown) => {
      const broken =
        (error !== undefined && isAway(error)) || (client !== undefined && this.#broken.has(client));
      if (client !== undefined && broken) destroy(client);
      client?.release(broken);
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else {
        this.#free += 1;
        if (this.#free === this.#size) for (const tell of this.#idle.splice(0)) tell();
      }
    };
    try {
      client = await this.#pool.connect();
      if (!this.#prepared.has(client)) await this.#prepare(client);
      return { client, giveBack };
    } catch (error) {
      giveBack(error);
      throw this.words(error);
    }
  }

  /** True when somebody waits for a connection to be given back. */
  get areWaitedFor(): boolean {
    return this.#waiting.length > 0;
  }

  /** True when it is of no use any more to whoever has borrowed it. */
  isBroken(client: PoolClient): boolean {
    return this.#broken.has(client);
  }

  words(error: unknown): CodedError {
    return toFault(error, this.location);
  }

  /** Waits until all connections are given back, and then not long for the goodbye of the server. */
  async close(): Promise<void> {
    if (this.#free < this.#size) await new Promise<void>((resolve) => this.#idle.push(resolve));
    const grace = setTimeout(() => this.cut(), END_GRACE_MS);
    try {
      await this.#pool.end();
    } finally {
      clearTimeout(grace);
    }
  }

  /** Ends the connections at once, whoever uses them. */
  cut(): void {
    this.#cut = true;
    for (const client of this.#clients) destroy(client);
  }

  async #prepare(client: PoolClient): Promise<void> {
    const { schema } = this.#options;
    await client.query(SESSION);
    if (schema !== undefined) {
      await client.query("SELECT set_config('search_path', quote_ident($1), false)", [schema]);
    }
    this.#prepared.add(client);
  }
}

/** Ends a connection at once: a polite end would wait for a server that may never answer. */
function destroy(client: PoolClient): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}

function poolConfig({ settings, url, newSocket }: ConnectionOptions): PoolConfig {
  const address = url ?? settings.url;
  try {
    if (address !== undefined) new URL(address);
  } catch (error) {
    throw fault('storage.failed', `The address of PostgreSQL is not a URL: ${messageOf(error)}.`);
  }
  const given = Object.fromEntries(
    Object.entries({
      host: settings.host,
      port: settings.port,
      database: settings.database,
      user: settings.user,
      password: settings.password,
    }).filter(([, value]) => value !== undefined),
  );
  return {
    ...(address === undefined ? given : { connectionString: address }),
    application_name: 'smalltalk-console',
    keepAlive: true,
    // A statement need not wait for the answer to the one before it.
    pipeline: true,
    ...(newSocket === undefined ? {} : { stream: newSocket }),
    max: Math.max(1, settings.poolMax),
    min: settings.poolMin,
    idleTimeoutMillis: settings.idleTimeoutMs,
    connectionTimeoutMillis: settings.connectionTimeoutMs,
    maxLifetimeSeconds: settings.maxLifetimeMs / 1000,
    ...(settings.statementTimeoutMs > 0 ? { statement_timeout: settings.statementTimeoutMs } : {}),
    ...(settings.queryTimeoutMs > 0 ? { query_timeout: settings.queryTimeoutMs } : {}),
    types: { getTypeParser: () => parseText } as NonNullable<PoolConfig['types']>,
  };
}

/** Every column as the text that the server sends; who asks knows what it is. */
function parseText(value: string): string {
  return value;
}

function locationOf({ settings, url }: ConnectionOptions): string {
  const address = url ?? settings.url;
  if (address === undefined) {
    const { user, host = 'localhost', port = 5432, database } = settings;
    return `postgres://${user === undefined ? '' : `${user}@`}${host}:${port}/${database ?? ''}`;
  }
  const { protocol, username, host, pathname } = new URL(address);
  return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`;
}
