import { OUTDATED_STATE } from './commit-function.ts';
import type { Connections, Lent } from './connections.ts';
import { isAway } from './postgres-errors.ts';
import { queryRows, type Statement } from './row-query.ts';

/** For so long a connection is kept at most; then it is given back as soon as it is free, so that its pool can renew it. */
const KEPT_MS = 1_000;

interface Kept {
  lent: Promise<Lent>;
  /** What `lent` has resolved with. */
  connection: Lent | undefined;
  users: number;
  failure: unknown;
  /** It was kept long enough. */
  isDue: boolean;
}

/**
 * A connection on which statements follow each other. Between two of them it is kept for a while, because to borrow it for
 * each costs as much as to make a short statement; but not when somebody else waits for one.
 */
export class Line {
  readonly #connections: Connections;
  #current: Kept | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  /**
   * The first column of the first row; null when there is none, or when the statement was refused because of what others have
   * written. Rejects in the words of the port.
   */
  async ask(statement: Statement, values: unknown[]): Promise<string | null> {
    const kept = this.#keep();
    kept.users += 1;
    try {
      const { client } = kept.connection ?? (await kept.lent);
      const [row] = await queryRows(client, statement, values);
      return (row?.[0] as string | null | undefined) ?? null;
    } catch (error) {
      if (codeOf(error) === OUTDATED_STATE) return null;
      if (isAway(error)) {
        kept.failure = error;
        this.#leave(kept);
      }
      throw this.#connections.words(error);
    } finally {
      kept.users -= 1;
      this.#giveBackIfFree(kept);
    }
  }

  /** Gives it back, when what is under way on it is answered. */
  close(): void {
    clearTimeout(this.#timer);
    if (this.#current !== undefined) this.#leave(this.#current);
  }

  #keep(): Kept {
    const current = this.#current;
    if (current !== undefined) {
      const { connection } = current;
      const isBroken = connection !== undefined && this.#connections.isBroken(connection.client);
      if (!isBroken && !this.#connections.areWaitedFor) return current;
      this.#leave(current);
    }
    const kept: Kept = {
      lent: this.#connections.lend(),
      connection: undefined,
      users: 0,
      failure: undefined,
      isDue: false,
    };
    this.#current = kept;
    kept.lent.then(
      (connection) => {
        kept.connection = connection;
        this.#giveBackIfFree(kept);
      },
      () => this.#leave(kept),
    );
    // Whoever finds none left takes it when it is free.
    this.#connections.keeper = () => this.#leave(kept);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      kept.isDue = true;
      this.#giveBackIfFree(kept);
    }, KEPT_MS).unref();
    return kept;
  }

  /** Statements to come take another one; it is given back when those that are under way are answered. */
  #leave(kept: Kept): void {
    if (this.#current === kept) this.#current = undefined;
    this.#giveBackIfFree(kept);
  }

  #giveBackIfFree(kept: Kept): void {
    if (kept.users > 0 || (kept === this.#current && !kept.isDue)) return;
    if (kept === this.#current) this.#current = undefined;
    const { connection } = kept;
    kept.connection = undefined;
    connection?.giveBack(kept.failure);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
