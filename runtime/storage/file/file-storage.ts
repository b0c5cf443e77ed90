import { setImmediate as nextTurn } from 'node:timers/promises';
import { fault } from '../../contract/error-codes.ts';
import {
  checkCommitId,
  checkKey,
  checkListQuery,
  checkOperations,
  checkReadQuery,
  SnapshotRecordCheck,
  UNSUMMED,
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
  StorageNotice,
  StorageOptions,
  StorageStats,
  StoredDocument,
  Supports,
} from '../storage.ts';
import { StorageGate } from '../storage-gate.ts';
import { DataIndex, type DocumentEntry } from './data-index.ts';
import { FairTurns } from './fair-turns.ts';
import { asFileFault } from './file-errors.ts';
import { FileSnapshot } from './file-snapshot.ts';
import { FileStore } from './file-store.ts';
import { HeldVersions } from './held-versions.ts';
import type { KeeperLink } from './keeper-calls.ts';
import { KeeperThread } from './keeper-thread.ts';
import { listPlaces } from './list-pages.ts';
import { type ReadValue, ValueReader } from './value-reader.ts';

export interface FileStorageOptions extends StorageOptions {
  /** Where the files lie; made with mode 0700 if it is not there. */
  folder: string;
  /**
   * Start without data when it cannot be told what the data is (the pointer file, or the folder of the active generation, is
   * damaged or gone), instead of rejecting with `storage.corrupt`: everything is moved to `damaged/store <time>`, `info` says
   * so (`storage.set_aside`), and a backup can be restored. Default: false.
   */
  setCorruptAside?: boolean;
  /** How the keeper of the files is started; default: in a thread of its own. */
  startKeeper?: (folder: string) => KeeperLink;
  /** Told each step of the journal before it is made; a test throws from it. */
  onStep?: (step: string) => void;
}

/** A page of a list gives the event loop its turn after so many ms of reading files. */
const TURN_MS = 4;

/**
 * The storage for people who like to read their data: a JSON file for each document, a line of JSON for each entry of a log.
 * Commits are made durable by a journal; see `docs/decisions/2026-11-21-file-adapter.md`.
 */
export class FileStorage implements Storage {
  readonly type = 'file';
  readonly supports: Supports = { durable: true, sharedByProcesses: false, remote: false };
  readonly generations: Generations;
  readonly #folder: string;
  readonly #now: () => number;
  readonly #gate: StorageGate;
  readonly #reader = new ValueReader();
  readonly #turns = new FairTurns();
  #opened: FileStore | undefined;

  constructor(options: FileStorageOptions) {
    const { folder, setCorruptAside = false, onFault, onStep, startKeeper = newKeeperThread } = options;
    this.#folder = folder;
    this.#now = options.now ?? Date.now;
    this.#gate = new StorageGate(
      {
        open: async () => {
          this.#opened = await FileStore.open({
            folder,
            setCorruptAside,
            now: this.#now,
            onFault,
            onStep,
            startKeeper,
          });
        },
        close: async () => {
          await this.#opened?.close();
          this.#opened = undefined;
        },
      },
      options.onOperation,
    );
    const guard = <T>(work: () => Promise<T>) => this.#gate.run(undefined, () => this.#told(work));
    this.generations = {
      list: () => guard(() => this.#store.link.call('generation.list', null)),
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
    return this.#gate.run('commit', () => {
      const ownId = checkCommitId(id);
      // The frames of the journal and the lines of the files have checksums of their own.
      return this.#store.commit(checkOperations(operations, UNSUMMED), ownId);
    });
  }

  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#gate.run('get', async () => {
      checkKey(collection, id);
      if (this.#turns.over) await this.#turns.next();
      const entry = this.#store.index.find(collection, id, this.#now());
      return entry && this.#document<T>(entry);
    });
  }

  list<T>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    return this.#gate.run('list', async () => {
      const checked = checkListQuery(collection, query);
      const start = decodeCursor(checked);
      if (this.#turns.over) await this.#turns.next();
      const now = this.#now();
      const { places, more } = listPlaces(this.#store.index.collections.get(collection), checked, start, now);
      const items = await this.#documents<T>(places.map(({ entry }) => entry));
      const last = places.at(-1);
      return last === undefined || !more ? { items } : { items, nextCursor: encodeCursor(checked, last) };
    });
  }

  read<T>(log: string, query: ReadQuery = {}): Promise<LogEntry<T>[]> {
    return this.#gate.run('read', async () => {
      const { after, before, limit, reverse } = checkReadQuery(log, query);
      if (this.#turns.over) await this.#turns.next();
      const { index } = this.#store;
      const state = index.logs.get(log);
      if (state === undefined) return [];
      const damaged = (sequences: number[]) => this.#store.entriesDamaged(log, sequences);
      const found = this.#files(() =>
        reverse
          ? this.#reader.entriesBackward(index.folder, state, after, before, limit, damaged)
          : this.#reader.entries(index.folder, state, after, before, limit, damaged),
      );
      return found as LogEntry<T>[];
    });
  }

  stats(): Promise<StorageStats> {
    return this.#gate.run('stats', async () => ({
      documents: Object.fromEntries(this.#store.index.counts(this.#now())),
      sizeBytes: this.#store.sizeBytes,
    }));
  }

  info(): Promise<StorageInfo> {
    return this.#gate.run(undefined, async () => {
      const asked = performance.now();
      await this.#told(() => this.#store.link.call('generation.list', null));
      return {
        product: 'Files',
        location: this.#folder,
        latencyMs: performance.now() - asked,
        notices: noticesOf(this.#store),
      };
    });
  }

  async *snapshot(
    options: { generation?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<SnapshotRecord[], void, void> {
    const { generation, signal } = options;
    const { held, snapshot } = await this.#gate.run('snapshot', async () => {
      signal?.throwIfAborted();
      if (this.#turns.over) await this.#turns.next();
      return this.#told(() => this.#openSnapshot(generation));
    });
    try {
      for await (const batch of snapshot.batches()) {
        signal?.throwIfAborted();
        this.#gate.check();
        yield batch;
        signal?.throwIfAborted();
        this.#gate.check();
      }
    } catch (error) {
      throw signal?.aborted === true ? error : asFileFault(error, this.#folder);
    } finally {
      held.end();
    }
  }

  /** Groups of commits that were made durable, each with one sync; for tests and benchmarks. */
  get groups(): number {
    return this.#store.groups;
  }

  get #store(): FileStore {
    if (this.#opened === undefined) throw fault('storage.closed', 'The storage is not open.');
    return this.#opened;
  }

  #document<T>(entry: DocumentEntry): StoredDocument<T> | undefined {
    const { folder } = this.#store.index;
    const read = () => this.#reader.document(folder, entry);
    // Once more, because the fault may have been on the way.
    const found = this.#files(() => read() ?? read());
    if (found !== undefined) return toDocument<T>(entry, found);
    this.#store.documentDamaged(entry);
    return undefined;
  }

  /** All as they are at the call. The event loop gets its turn while they are read. */
  async #documents<T>(entries: DocumentEntry[]): Promise<StoredDocument<T>[]> {
    const documents: StoredDocument<T>[] = [];
    const begun = performance.now();
    let i = 0;
    for (; i < entries.length && performance.now() - begun < TURN_MS; i++) {
      const document = this.#document<T>(entries[i] as DocumentEntry);
      if (document !== undefined) documents.push(document);
    }
    if (i < entries.length) {
      for (const document of await this.#documentsLater<T>(entries.slice(i))) documents.push(document);
    }
    return documents;
  }

  async #documentsLater<T>(entries: DocumentEntry[]): Promise<StoredDocument<T>[]> {
    const documents: StoredDocument<T>[] = [];
    const store = this.#store;
    const held = new HeldVersions(store, store.index);
    try {
      let turn = Number.NEGATIVE_INFINITY;
      for (const entry of entries) {
        if (performance.now() - turn >= TURN_MS) {
          await nextTurn();
          turn = performance.now();
        }
        const found = await held.valueOf(entry);
        if (found === undefined) store.documentDamaged(entry);
        else documents.push(toDocument<T>(entry, found));
      }
    } finally {
      held.end();
    }
    return documents;
  }

  async #openSnapshot(generation: string | undefined) {
    const store = this.#store;
    const index =
      generation === undefined || (await this.#isActive(generation))
        ? store.index
        : new DataIndex(await store.link.call('generation.scan', { id: generation }));
    const held = new HeldVersions(store, index);
    const snapshot = new FileSnapshot(held, index, this.#now(), {
      document: (entry) => store.documentDamaged(entry),
      entries: (log, sequences) => {
        // Another one may have become the active one meanwhile.
        if (index === store.index) store.entriesDamaged(log, sequences);
        else for (const sequence of sequences) store.reportDamaged(`entry ${log}#${sequence}`, index.folder);
      },
    });
    return { held, snapshot };
  }

  async #isActive(generation: string): Promise<boolean> {
    const found = (await this.#store.link.call('generation.list', null)).find(({ id }) => id === generation);
    if (found === undefined) throw fault('storage.invalid', `There is no sealed generation ${generation}.`);
    return found.active;
  }

  async #createGeneration(reason: string): Promise<GenerationWriter> {
    const store = this.#store;
    const id = await store.link.call('generation.create', { reason, now: this.#now() });
    const check = new SnapshotRecordCheck();
    const guard = (work: () => Promise<unknown>) =>
      this.#gate.run(undefined, () => this.#told(() => work().then(() => undefined)));
    return {
      id,
      write: (records) =>
        guard(async () => {
          for (const record of records) check.check(record);
          await store.link.call('generation.write', { id, records });
        }),
      seal: () => guard(() => store.link.call('generation.seal', { id })),
      discard: () => guard(() => store.link.call('generation.discard', { id })),
    };
  }

  /** Runs something that reads files; what the system says of them is told in the words of the port. */
  #files<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw asFileFault(error, this.#folder);
    }
  }

  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asFileFault(error, this.#folder);
    }
  }
}

function toDocument<T>(entry: DocumentEntry, read: ReadValue): StoredDocument<T> {
  const { collection, id, version, expiresAt } = entry;
  const value = read.value as T;
  return expiresAt === null
    ? { collection, id, version, value }
    : { collection, id, version, value, expiresAt };
}

const newKeeperThread = (folder: string): KeeperLink => new KeeperThread(folder);

function noticesOf({ tornBytes, setAside }: FileStore): StorageNotice[] {
  const notices: StorageNotice[] = [];
  if (setAside !== undefined) notices.push({ code: 'storage.set_aside', message: setAside });
  if (tornBytes > 0) {
    notices.push({
      code: 'file.unfinished_commit',
      message: `The last start found ${tornBytes} bytes of a commit in the journal whose writing was cut short. It had not been confirmed, and was removed.`,
    });
  }
  return notices;
}
