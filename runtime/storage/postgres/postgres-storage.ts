import { randomId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import type { PostgresSettings } from '../../settings/settings.ts';
import { CallsUnderWay } from '../calls-under-way.ts';
import {
  type CheckedOperation,
  checkCommitId,
  checkKey,
  checkListQuery,
  checkOperations,
  checkReadQuery,
  SnapshotRecordCheck,
  toResults,
} from '../checked-input.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type {
  CommitId,
  Generations,
  GenerationWriter,
  ListPage,
  ListQuery,
  LogEntry,
  Operation,
  OperationResult,
  ReadQuery,
  SnapshotRecord,
  Storage,
  StorageInfo,
  StorageOperationName,
  StorageOptions,
  StorageStats,
  StoredDocument,
  Supports,
} from '../storage.ts';
import { StorageGate } from '../storage-gate.ts';
import { CommitQueue } from './commit-queue.ts';
import { Connections } from './connections.ts';
import { ACTIVE_BYTES, GenerationStore } from './generation-store.ts';
import { ListReader } from './list-reader.ts';
import { OneBufferSocket } from './one-buffer-socket.ts';
import { openServer, serverInfo } from './open-server.ts';
import { ReadReplica } from './read-replica.ts';
import { FOUND_COLUMNS, foundRow, RecordVerifier } from './record-verifier.ts';
import type { Statement } from './row-query.ts';
import { RowReceiver } from './row-receiver.ts';
import { SnapshotReader } from './snapshot-reader.ts';

export interface PostgresStorageOptions extends StorageOptions {
  postgres: PostgresSettings;
  /** Where the tables are; default: the first schema of the user's search path. It must be there. */
  schema?: string;
}

/** A commit with what only the side that carried it out knows. */
export interface StampedResults {
  results: OperationResult[];
  /** The time that its entries were given: milliseconds since the epoch. */
  at: number;
  /** The id of the generation that it was carried out in. */
  generation: string;
  /** True when it had been carried out before, and this is what it answered then. */
  again: boolean;
}

const ACTIVE = '(SELECT active FROM smalltalk_state)';

const GET: Statement = {
  name: 'smalltalk_get',
  text: `SELECT ${FOUND_COLUMNS} FROM smalltalk_documents d
    WHERE d.generation = ${ACTIVE} AND d.collection = $1 AND d.id = $2`,
};

const readStatement = (name: string, direction: 'ASC' | 'DESC'): Statement => ({
  name,
  text: `SELECT e.sequence, e.at, e.crc, e.json FROM smalltalk_entries e
    WHERE e.generation = ${ACTIVE} AND e.log = $1 AND e.sequence > $2 AND e.sequence < $3
    ORDER BY e.sequence ${direction} LIMIT $4`,
});
const READ = readStatement('smalltalk_read', 'ASC');
const READ_REVERSE = readStatement('smalltalk_read_reverse', 'DESC');

const STATS: Statement = {
  name: 'smalltalk_stats',
  // All of them by the primary key alone; the expired ones by an index that holds only those that can expire.
  text: `SELECT a.collection, a.number - coalesce(e.number, 0) FROM
      (SELECT collection, count(*) AS number FROM smalltalk_documents WHERE generation = ${ACTIVE} GROUP BY collection) a
      LEFT JOIN LATERAL (SELECT count(*) AS number FROM smalltalk_documents d WHERE d.generation = ${ACTIVE}
        AND d.collection = a.collection AND d.expires_at <= $1) e ON true
    UNION ALL SELECT NULL, ${ACTIVE_BYTES}`,
};

/** What there is while it is open. */
interface Parts {
  primary: Connections;
  replica: Connections | undefined;
  source: ReadReplica;
  queue: CommitQueue;
  verifier: RecordVerifier;
  lists: ListReader;
  generations: GenerationStore;
  /** The connections of the snapshots that are being read. */
  snapshots: Set<Connections>;
  removal: Promise<void>;
}

/**
 * The storage in a PostgreSQL database, which several processes may share. All state is in the server; see
 * `docs/decisions/2026-11-21-postgres-adapter.md`.
 */
export class PostgresStorage implements Storage {
  readonly type = 'postgres';
  readonly supports: Supports = { durable: true, sharedByProcesses: true, remote: true };
  readonly generations: Generations;
  readonly #options: PostgresStorageOptions;
  readonly #now: () => number;
  readonly #gate: StorageGate;
  /** Names the commits that their callers did not name. */
  readonly #writer = randomId(20);
  #commits = 0;
  #parts: Parts | undefined;
  /** The calls that have not been answered yet. */
  readonly #underWay = new CallsUnderWay();

  constructor(options: PostgresStorageOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#gate = new StorageGate(
      { open: () => this.#openParts(), close: () => this.#closeParts() },
      options.onOperation,
    );
    const guard = <T>(work: (parts: Parts) => Promise<T>) => this.#run(undefined, work);
    this.generations = {
      list: () => guard(({ generations }) => generations.list()),
      create: (reason) => guard((parts) => this.#createGeneration(parts, reason)),
      activate: (id) =>
        guard(async ({ generations, source }) => {
          await generations.activate(checkGenerationId(id));
          source.wrote();
        }),
      drop: (id) => guard(({ generations }) => generations.drop(checkGenerationId(id))),
    };
  }

  open(): Promise<void> {
    return this.#gate.open();
  }

  close(): Promise<void> {
    return this.#gate.close();
  }

  commit(operations: Operation[], id?: CommitId): Promise<OperationResult[]> {
    return this.#run('commit', async (parts) => {
      const { results } = await this.#commit(parts, checkOperations(operations), id);
      return results;
    });
  }

  /** {@link commit} of operations that are checked already, with what only this side knows of it. */
  commitChecked(operations: readonly CheckedOperation[], id?: CommitId): Promise<StampedResults> {
    return this.#run('commit', (parts) => this.#commit(parts, operations, id));
  }

  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#run('get', async ({ primary, verifier }) => {
      checkKey(collection, id);
      const rows = await primary.query(GET, [collection, id]);
      if (rows[0] === undefined) return undefined;
      // The checksum first: whether it has expired is a question to what was written.
      const document = verifier.document<T>(foundRow(collection, id, rows[0]));
      return document?.expiresAt !== undefined && document.expiresAt <= this.#now() ? undefined : document;
    });
  }

  list<T>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    return this.#run('list', async ({ primary, source, lists, verifier }) => {
      const checked = checkListQuery(collection, query);
      const start = decodeCursor(checked);
      const now = this.#now();
      const from = await source.source();
      const page = (connections: Connections) => lists.list(connections, collection, checked, start, now);
      const { rows, next } = await page(from).catch((error: unknown) => {
        if (from === primary) throw error;
        return page(primary);
      });
      const items = rows
        .map((row) => verifier.document<T>(row))
        .filter((document) => document !== undefined)
        .filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now);
      return next === undefined ? { items } : { items, nextCursor: encodeCursor(checked, next) };
    });
  }

  read<T>(log: string, query: ReadQuery = {}): Promise<LogEntry<T>[]> {
    return this.#run('read', async ({ primary, verifier }) => {
      const { after, before, limit, reverse } = checkReadQuery(log, query);
      const rows = await primary.query(reverse ? READ_REVERSE : READ, [log, after, before, limit]);
      return verifier.entries<T>(log, rows);
    });
  }

  stats(): Promise<StorageStats> {
    return this.#run('stats', async ({ primary }) => {
      const rows = await primary.query(STATS, [this.#now()]);
      const documents: [string, number][] = [];
      let sizeBytes = 0;
      for (const [collection, number] of rows) {
        if (collection === null) sizeBytes = Number(number);
        else if (Number(number) > 0) documents.push([collection as string, Number(number)]);
      }
      return { documents: Object.fromEntries(documents), sizeBytes };
    });
  }

  info(): Promise<StorageInfo> {
    return this.#run(undefined, ({ primary, source }) => serverInfo(primary, source.usable));
  }

  async *snapshot(
    options: { generation?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<SnapshotRecord[], void, void> {
    const { generation, signal } = options;
    const { batches, end, words } = await this.#run('snapshot', async (parts) => {
      signal?.throwIfAborted();
      return this.#beginSnapshot(parts, generation).catch((error: unknown) => {
        // A connection that was cut because the storage is being closed.
        this.#gate.check();
        throw error;
      });
    });
    try {
      for (;;) {
        signal?.throwIfAborted();
        const step = await this.#run(undefined, () => batches.next()).catch((error: unknown) => {
          this.#gate.check();
          throw words(error);
        });
        if (step.done === true) return;
        yield step.value;
      }
    } finally {
      await end();
    }
  }

  /** Runs a call of the port, if the storage is open; `close` waits for it. */
  #run<T>(operation: StorageOperationName | undefined, work: (parts: Parts) => Promise<T>): Promise<T> {
    return this.#gate.run(operation, () => {
      if (this.#parts === undefined) throw fault('storage.closed', 'The storage is not open.');
      return this.#underWay.track(work(this.#parts));
    });
  }

  async #commit(
    { queue, source }: Parts,
    operations: readonly CheckedOperation[],
    id?: CommitId,
  ): Promise<StampedResults> {
    const name = checkCommitId(id) ?? { writer: this.#writer, number: ++this.#commits };
    const { numbers, ...stamp } = await queue.commit(operations, name, id === undefined);
    source.wrote();
    return { ...stamp, results: toResults(operations, numbers) };
  }

  async #createGeneration({ generations, source }: Parts, reason: string): Promise<GenerationWriter> {
    const { key, id } = await generations.create(reason);
    const check = new SnapshotRecordCheck();
    const guard = (work: () => Promise<void>) => this.#run(undefined, work);
    return {
      id,
      write: (records) => guard(() => generations.write(key, check, records)),
      seal: () =>
        guard(async () => {
          await generations.seal(key);
          source.wrote();
        }),
      discard: () => guard(() => generations.discard(key)),
    };
  }

  /** On a connection of its own, so that it takes none from the others, however long it is read. */
  async #beginSnapshot({ source, snapshots, primary, verifier }: Parts, generation: string | undefined) {
    const replica = (await source.source(true)) !== primary;
    const { readUrl, queryTimeoutMs } = this.#options.postgres;
    const connections = this.#connect(replica ? readUrl : undefined, 1, () => new OneBufferSocket());
    snapshots.add(connections);
    const lent = await connections.lend().catch(async (error: unknown) => {
      snapshots.delete(connections);
      await connections.close();
      throw error;
    });
    const end = async (receiver?: RowReceiver) => {
      receiver?.close();
      snapshots.delete(connections);
      lent.giveBack(new Error('Connection ended.'));
      await connections.close();
    };
    const { client } = lent;
    try {
      // Its transaction waits for whoever reads the snapshot, for as long as that takes.
      await client.query("SELECT set_config('idle_in_transaction_session_timeout', '0', false)");
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const { rows } = await client.query<{ key: string }>(
        generation === undefined
          ? 'SELECT active AS key FROM smalltalk_state'
          : {
              text: 'SELECT key FROM smalltalk_generations WHERE id = $1 AND sealed AND NOT dropped',
              values: [generation],
            },
      );
      if (rows[0] === undefined) {
        throw fault('storage.invalid', `There is no sealed generation ${generation}.`);
      }
      const receiver = new RowReceiver(client, queryTimeoutMs);
      const reader = new SnapshotReader(receiver, verifier, Number(rows[0].key), this.#now());
      const words = (error: unknown) => connections.words(error);
      return { batches: reader.batches(), end: () => end(receiver), words };
    } catch (error) {
      await end();
      throw connections.words(error);
    }
  }

  #connect(url: string | undefined, size: number, newSocket?: () => OneBufferSocket): Connections {
    const { postgres, schema } = this.#options;
    return new Connections({
      settings: { ...postgres, poolMax: size, poolMin: Math.min(postgres.poolMin, size) },
      url,
      schema,
      newSocket,
      onDamaged: (record) => {
        const { verifier } = this.#parts ?? {};
        // It was dealt with in the same breath; damaged once more, it is a new fault.
        if (verifier?.report(record) === true && !record.startsWith('log ')) verifier.forget(record);
      },
    });
  }

  async #openParts(): Promise<void> {
    const { postgres, onFault } = this.#options;
    const primary = this.#connect(undefined, postgres.poolMax);
    const generations = new GenerationStore(primary, this.#now);
    try {
      await openServer(primary, generations, this.#now());
    } catch (error) {
      await primary.close();
      throw error;
    }
    const replica =
      postgres.readUrl === undefined ? undefined : this.#connect(postgres.readUrl, postgres.poolMax);
    const verifier = new RecordVerifier(onFault, primary);
    this.#parts = {
      primary,
      replica,
      source: new ReadReplica(primary, replica),
      queue: new CommitQueue(primary, this.#now),
      verifier,
      lists: new ListReader(primary, verifier),
      generations,
      snapshots: new Set(),
      // Behind the opening, for it may take long; what is left of it is done by the next one.
      removal: generations.removeLapsed().catch(() => undefined),
    };
  }

  async #closeParts(): Promise<void> {
    const parts = this.#parts;
    if (parts === undefined) return;
    for (const connections of parts.snapshots) connections.cut();
    await this.#underWay.settled();
    parts.queue.close();
    await parts.generations.close();
    await parts.removal;
    await parts.verifier.settled();
    await Promise.all([parts.primary.close(), parts.replica?.close()]);
    this.#parts = undefined;
  }
}

function checkGenerationId(id: string): string {
  if (typeof id !== 'string') throw fault('storage.invalid', 'A generation is named by text.');
  return id;
}
