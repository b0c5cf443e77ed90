import type { Connections } from './connections.ts';

/**
 * Says where to read from: from the replica, when it has replayed all that this process was told is committed; otherwise,
 * and whenever anything is the matter with it, from the primary.
 */
export class ReadReplica {
  readonly #primary: Connections;
  readonly #replica: Connections | undefined;
  /** The end of the primary's log when this process last wrote; undefined when it has written since. */
  #written: string | undefined;
  /** True while the last look at the replica was of use. */
  usable = true;

  constructor(primary: Connections, replica: Connections | undefined) {
    this.#primary = primary;
    this.#replica = replica;
  }

  /** From now on a reader must see what was just committed. */
  wrote(): void {
    this.#written = undefined;
  }

  /** `long` is for a transaction that takes its time: a replica may end those, unless the primary knows of them. */
  async source(long = false): Promise<Connections> {
    if (this.#replica === undefined) return this.#primary;
    try {
      this.#written ??= await this.#endOfLog();
      const rows = await this.#replica.query(
        {
          name: 'smalltalk_replayed',
          text: `SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= $1::pg_lsn,
            current_setting('hot_standby_feedback')`,
        },
        [this.#written],
      );
      this.usable = true;
      const [replayed, feedback] = rows[0] ?? [];
      return replayed === 't' && (!long || feedback === 'on') ? this.#replica : this.#primary;
    } catch {
      this.usable = false;
      return this.#primary;
    }
  }

  async #endOfLog(): Promise<string> {
    const rows = await this.#primary.query(
      { name: 'smalltalk_end_of_log', text: 'SELECT pg_current_wal_flush_lsn()::text' },
      [],
    );
    return rows[0]?.[0] as string;
  }
}
