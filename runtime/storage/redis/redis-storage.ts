import { randomId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import type { RedisSettings } from '../../settings/settings.ts';
import { CallsUnderWay } from '../calls-under-way.ts';
import type { TakesChecked } from '../checked-commits.ts';
import {
  type CheckedOperation,
  checkCommitId,
  checkKey,
  checkListQuery,
  checkOperations,
  checkReadQuery,
  toResults,
} from '../checked-input.ts';
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
  StorageInfo,
  StorageOptions,
  StorageStats,
  StoredDocument,
  Supports,
} from '../storage.ts';
import { StorageGate } from '../storage-gate.ts';
import { CommitQueue } from './commit-queue.ts';
import { DamagedRecords, soundHead, toDocument } from './damaged-records.ts';
import { GenerationStore } from './generation-store.ts';
import { ListReader } from './list-reader.ts';
import { LogReader } from './log-reader.ts';
import { STATS } from './read-scripts.ts';
import { RedisConnection } from './redis-connection.ts';
import { infoOf } from './redis-info.ts';
import { RedisServer } from './redis-server.ts';
import { SnapshotReader } from './snapshot-reader.ts';
import { SnapshotValues } from './snapshot-values.ts';
import { dropOldWriters, sweepExpired } from './upkeep.ts';

export interface RedisStorageOptions extends StorageOptions {
  redis: RedisSettings;
  /** All keys lie under `{namespace}`; default `smalltalk`. Letters, digits, `_`, `-`, `.` and `:`. */
  namespace?: string;
  /** Time in which each command must be answered, in ms; default 5,000. */
  commandTimeoutMs?: number;
}

const NAMESPACE = /^[A-Za-z0-9_.:-]{1,100}$/;
const COMMAND_TIMEOUT_MS = 5_000;
/** A string in Redis holds 512 MB, and beside the value there is a little more in it. */
const MAXIMUM_BYTES = 511 * 1024 * 1024;
/** How often leases are renewed, expired documents removed, and what others left behind. */
const UPKEEP_MS = 20_000;

/**
 * Redis, on a single server or a cluster. Each commit is one script, and so are reads; all state is in the server, so any
 * number of processes may share it. See `docs/decisions/2026-11-21-redis-adapter.md`.
 */
export class RedisStorage implements TakesChecked {
  readonly type = 'redis';
  readonly supports: Supports = { durable: true, sharedByProcesses: true, remote: true };
  readonly generations: Generations;
  readonly #connection: RedisConnection;
  readonly #server: RedisServer;
  readonly #settings: RedisSettings;
  readonly #now: () => number;
  readonly #gate: StorageGate;
  readonly #damaged: DamagedRecords;
  readonly #commits: CommitQueue;
  readonly #lists: ListReader;
  readonly #logs: LogReader;
  readonly #store: GenerationStore;
  readonly #newValues: () => SnapshotValues;
  /** Of the snapshots that are being read. */
  readonly #snapshots = new Set<SnapshotValues>();
  /** Names the commits that their callers do not name; anew for each `open`. */
  #writer = '';
  #numbered = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #underWay = new CallsUnderWay();

  constructor(options: RedisStorageOptions) {
    const { namespace = 'smalltalk', commandTimeoutMs = COMMAND_TIMEOUT_MS } = options;
    if (!NAMESPACE.test(namespace)) {
      throw fault('storage.invalid', `${JSON.stringify(namespace)} cannot name a part of Redis.`);
    }
    this.#settings = options.redis;
    this.#now = options.now ?? Date.now;
    this.#connection = new RedisConnection(options.redis, { commandTimeoutMs });
    this.#newValues = () => new SnapshotValues(options.redis, namespace, commandTimeoutMs);
    this.#server = new RedisServer(this.#connection, namespace);
    this.#damaged = new DamagedRecords(this.#server, options.onFault);
    this.#commits = new CommitQueue(this.#server, this.#now, (records) => this.#damaged.found(records));
    this.#lists = new ListReader(this.#server, this.#damaged, this.#now);
    this.#logs = new LogReader(this.#server, this.#damaged);
    this.#store = new GenerationStore(this.#server, this.#damaged, this.#now);
    this.#gate = new StorageGate(
      { open: () => this.#open(), close: () => this.#close() },
      options.onOperation,
    );
    const guard = <T>(work: () => Promise<T>) =>
      this.#gate.run(undefined, () => this.#underWay.track(work()));
    this.generations = {
      list: () => guard(() => this.#store.list()),
      create: (reason) => guard(() => this.#createGeneration(reason)),
      activate: (id) => guard(() => this.#store.activate(id)),
      drop: (id) => guard(() => this.#store.drop(id)),
    };
  }

  open(): Promise<void> {
    return this.#gate.open();
  }

  close(): Promise<void> {
    return this.#gate.close();
  }

  commit(operations: Operation[], id?: CommitId): Promise<OperationResult[]> {
    return this.#gate.run('commit', () => this.#commit(checkOperations(operations), id));
  }

  /** {@link commit} of operations that are checked already. */
  commitChecked(
    operations: readonly CheckedOperation[],
    id?: CommitId,
  ): Promise<{ results: OperationResult[] }> {
    return this.#gate.run('commit', () => this.#commit(operations, id).then((results) => ({ results })));
  }

  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#gate.run('get', async () => {
      checkKey(collection, id);
      const { found } = await this.#underWay.track(
        this.#server.read((client, key) => client.hmget(key(`d:${collection}`), `h:${id}`, `v:${id}`)),
      );
      const [head = null, json = null] = found;
      if (head === null && json === null) return undefined;
      const sound = soundHead(collection, id, head, json);
      if (sound === undefined) {
        this.#damaged.document(collection, id);
        return undefined;
      }
      if (sound.expiresAt !== null && sound.expiresAt <= this.#now()) return undefined;
      return toDocument<T>(collection, id, sound, json as string);
    });
  }

  list<T>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    return this.#gate.run('list', async () =>
      this.#underWay.track(this.#lists.list<T>(collection, checkListQuery(collection, query))),
    );
  }

  read<T>(log: string, query: ReadQuery = {}): Promise<LogEntry<T>[]> {
    return this.#gate.run('read', async () =>
      this.#underWay.track(this.#logs.read<T>(log, checkReadQuery(log, query))),
    );
  }

  stats(): Promise<StorageStats> {
    return this.#gate.run('stats', async () => {
      const [size, ...counts] = await this.#underWay.track(this.#server.onActive(STATS, [this.#now()]));
      const documents: [string, number][] = [];
      for (let i = 0; i < counts.length; i += 2) {
        const [name, count] = counts.slice(i, i + 2) as [string, number];
        if (count > 0) documents.push([name, count]);
      }
      const sizeBytes = Math.max(0, Number(size) + this.#commits.uncounted);
      return { documents: Object.fromEntries(documents), sizeBytes };
    });
  }

  info(): Promise<StorageInfo> {
    return this.#gate.run(undefined, () =>
      this.#underWay.track(this.#server.persist(() => infoOf(this.#connection, this.#settings))),
    );
  }

  async *snapshot(
    options: { generation?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<SnapshotRecord[], void, void> {
    const { generation, signal } = options;
    const now = this.#now();
    const snapshot = await this.#gate.run('snapshot', async () => {
      signal?.throwIfAborted();
      return this.#underWay.track(this.#store.beginSnapshot(generation));
    });
    const values = this.#newValues();
    this.#snapshots.add(values);
    const batches = new SnapshotReader(this.#server, values, this.#damaged, snapshot, now).batches();
    try {
      await this.#gate.run(undefined, () => this.#underWay.track(values.open()));
      for (;;) {
        signal?.throwIfAborted();
        const batch = await this.#gate.run(undefined, () => this.#underWay.track(batches.next()));
        if (batch.done === true) return;
        signal?.throwIfAborted();
        yield batch.value;
      }
    } finally {
      this.#snapshots.delete(values);
      await values.close();
      // Closed meanwhile, or the server is away: its lease ends by itself.
      await this.#gate
        .run(undefined, () => this.#underWay.track(this.#store.endSnapshot(snapshot.id)))
        .catch(() => undefined);
    }
  }

  #commit(operations: readonly CheckedOperation[], id?: CommitId): Promise<OperationResult[]> {
    const own = checkCommitId(id);
    for (const operation of operations) if ('json' in operation) checkSize(operation.json);
    this.#numbered += id === undefined ? 1 : 0;
    const named = own ?? { writer: this.#writer, number: this.#numbered };
    const commit = this.#underWay.track(this.#commits.commit(operations, named));
    return commit.then((numbers) => toResults(operations, numbers));
  }

  async #open(): Promise<void> {
    await this.#connection.open();
    try {
      await this.#store.open();
      await dropOldWriters(this.#server, this.#now());
    } catch (error) {
      await this.#connection.close();
      throw error;
    }
    this.#writer = `r-${randomId(24)}`;
    this.#numbered = 0;
    this.#timer = setInterval(() => this.#keepUp(), UPKEEP_MS).unref();
    this.#keepUp();
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#underWay.settled();
    // Of those that are not read to their end.
    for (const values of this.#snapshots) await values.close();
    // While the server is away neither can be done: the leases end by themselves, and damaged records are met again.
    if (this.#connection.ready) {
      await this.#damaged.settled();
      await this.#commits.count().catch(() => undefined);
      await this.#store.close().catch(() => undefined);
    }
    await this.#connection.close();
  }

  /** A failure is that of the server, which the callers are told; the next turn tries again. */
  #keepUp(): void {
    const work = async () => {
      await this.#store.renew();
      await this.#store.giveUpLapsed();
      this.#damaged.found(await sweepExpired(this.#server, this.#now()));
    };
    this.#underWay.track(work()).catch(() => undefined);
  }

  async #createGeneration(reason: string): Promise<GenerationWriter> {
    const { id, write, seal, discard } = await this.#store.create(reason);
    const guard = (work: () => Promise<void>) =>
      this.#gate.run(undefined, () => this.#underWay.track(work()));
    return {
      id,
      write: (records) => guard(() => write(records)),
      seal: () => guard(seal),
      discard: () => guard(discard),
    };
  }
}

/** Redis would cut the connection; throws `storage.invalid`. */
function checkSize(json: string): void {
  if (json.length > MAXIMUM_BYTES / 3 && Buffer.byteLength(json) > MAXIMUM_BYTES) {
    throw fault('storage.invalid', 'A value in Redis takes at most 511 MB.');
  }
}
