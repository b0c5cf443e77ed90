import type { RedisSettings } from '../../settings/settings.ts';
import { RecycledReads } from './recycled-reads.ts';
import { RedisConnection, type RedisScript } from './redis-connection.ts';
import { RedisServer } from './redis-server.ts';

/** Asks for the values of one snapshot, over a connection of its own that leaves no buffers behind. */
export class SnapshotValues {
  readonly #reads = new RecycledReads();
  readonly #connection: RedisConnection;
  readonly #server: RedisServer;

  constructor(settings: RedisSettings, namespace: string, commandTimeoutMs: number) {
    this.#connection = new RedisConnection(settings, { commandTimeoutMs, reads: this.#reads });
    this.#server = new RedisServer(this.#connection, namespace);
  }

  /** A server that is away just now is waited for by {@link ask}. */
  open(): Promise<void> {
    return this.#connection.open({ patient: true });
  }

  /** Runs a script; one at a time. The bytes of the answer may be read until the next one. */
  ask(script: RedisScript, ...args: (string | number)[]): Promise<unknown> {
    this.#reads.recycle();
    return this.#server.runForBytes(script, ...args);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
