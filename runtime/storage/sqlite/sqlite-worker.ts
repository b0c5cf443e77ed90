/**
 * The program of the SQLite worker: takes batches of calls, carries out all the commits of a batch in one transaction,
 * and answers in batches. What arrives while it is busy is the next batch: that is the group commit.
 */
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { isCoded } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import { LookOut } from './look-out.ts';
import type {
  Call,
  CallBatch,
  CallName,
  Calls,
  FaultNotice,
  Reply,
  ReplyBatch,
  WireError,
} from './protocol.ts';
import { asStorageFault } from './sqlite-errors.ts';
import { decodeCommit } from './wire-operations.ts';
import { WorkerStore } from './worker-store.ts';

interface Waiting {
  call: Call;
  now: number;
}

class SqliteWorker {
  readonly #port: MessagePort;
  readonly #lookOut = new LookOut(() => performance.now());
  #store: WorkerStore | undefined;
  #waiting: Waiting[] = [];
  #replies: Reply[] = [];
  #faults: FaultNotice[] = [];
  /** What the other side is to be told of the data file: that it is open, or (null) given up. */
  #file: string | null | undefined;
  /** True while the other side may have the data file open. */
  #shared = false;
  #running = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (batch: CallBatch) => {
      this.#take(batch);
      if (this.#running) return;
      this.#lookOut.woken();
      void this.#run();
    });
  }

  #take(batch: CallBatch): void {
    if (batch.released) this.#shared = false;
    for (const call of batch.calls) this.#waiting.push({ call, now: batch.now });
  }

  /** Takes everything that has been posted, also what the event loop has not handed over yet. True when something waits. */
  readonly #takeAll = (): boolean => {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: CallBatch } | undefined;
      if (received === undefined) return this.#waiting.length > 0;
      this.#take(received.message);
    }
  };

  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      if (!this.#lookOut.finds(this.#takeAll)) break;
      const first = this.#waiting[0] as Waiting;
      // Until the other side has let go of a file that was given up, which is the next that it says.
      if (this.#store?.usable === false && this.#shared) break;
      if (isExclusive(first.call)) {
        this.#waiting.shift();
        await this.#answer(first);
      } else {
        const end = this.#waiting.findIndex(({ call }) => isExclusive(call));
        await this.#share(this.#waiting.splice(0, end < 0 ? this.#waiting.length : end));
      }
      this.#post();
    }
    this.#running = false;
  }

  /** Reads first, and answers them, so that none waits for a sync; then the commits together. */
  async #share(calls: Waiting[]): Promise<void> {
    const store = this.#store;
    if (store === undefined) return this.#refuse(calls, fault('storage.closed', 'The storage is not open.'));
    if (!store.usable) {
      try {
        await store.recover();
      } catch (error) {
        return this.#refuse(calls, error);
      }
    }
    const commits: Waiting[] = [];
    for (const waiting of calls) {
      if (waiting.call[1] === 'commit') commits.push(waiting);
      else await this.#answer(waiting);
    }
    if (commits.length === 0) return;
    this.#post();
    this.#commit(store, commits);
  }

  #commit(store: WorkerStore, commits: Waiting[]): void {
    const now = commits[commits.length - 1]?.now ?? 0;
    const decoded = commits.map(({ call }) => decodeCommit(call[2] as Calls['commit']['input']));
    for (let done = 0; done < commits.length; ) {
      for (const answer of store.commit(decoded, done, now)) {
        const id = (commits[done] as Waiting).call[0];
        this.#replies.push(Array.isArray(answer) ? [id, answer] : [id, null, toWire(answer)]);
        done += 1;
      }
      this.#post();
    }
    try {
      store.sweep(now);
    } catch (error) {
      // Nobody waits for it, and it is tried again; but the handle may be in doubt now.
      store.faultOf(error);
    }
  }

  async #answer({ call, now }: Waiting): Promise<void> {
    try {
      this.#replies.push([call[0], await this.#carryOut(call, now)]);
    } catch (error) {
      const told = this.#store?.faultOf(error) ?? asStorageFault(error, 'storage');
      this.#replies.push([call[0], null, toWire(told)]);
    }
  }

  async #carryOut(call: Call, now: number): Promise<unknown> {
    const [, name, input] = call;
    if (name === 'open') {
      this.#store?.close();
      this.#store = undefined;
      this.#store = await WorkerStore.open(input.folder, now, {
        onFault: (notice) => this.#faults.push(notice),
        onFile: (file) => {
          this.#file = file ?? null;
        },
      });
      return null;
    }
    const store = this.#store;
    if (store === undefined) throw fault('storage.closed', 'The storage is not open.');
    switch (name) {
      case 'close':
        this.#store = undefined;
        store.close();
        return null;
      case 'commit':
        return null;
      case 'get':
        return store.reader.get(input[0], input[1], now);
      case 'list':
        return store.list(input.collection, input.query, input.start, now);
      case 'read':
        return store.reader.read(input.log, input.query);
      case 'readSingly':
        return store.reader.readSingly(input.log, input.query);
      case 'stats':
        return store.stats(now);
      case 'snapshot.open':
        return store.openSnapshot(input.generation, now);
      case 'snapshot.next':
        return store.nextOfSnapshot(input);
      case 'snapshot.end':
        store.endSnapshot(input);
        return null;
      case 'generation.list':
        return store.generations();
      case 'generation.create':
        return store.createGeneration(input.reason, now);
      case 'generation.write':
        store.writeGeneration(input.id, input.records);
        return null;
      case 'generation.seal':
        await store.sealGeneration(input);
        return null;
      case 'generation.discard':
        await store.discardGeneration(input);
        return null;
      case 'generation.activate':
        await store.activateGeneration(input, now);
        return null;
      case 'generation.drop':
        await store.dropGeneration(input);
        return null;
      case 'setAside':
        return store.setAside(input, now);
      case 'version':
        return store.version();
      case 'counts':
        return store.counts;
    }
  }

  #refuse(calls: Waiting[], error: unknown): void {
    const told = toWire(asStorageFault(error, 'storage'));
    for (const { call } of calls) this.#replies.push([call[0], null, told]);
  }

  #post(): void {
    if (this.#replies.length === 0 && this.#faults.length === 0 && this.#file === undefined) return;
    const batch: ReplyBatch = { replies: this.#replies };
    if (this.#faults.length > 0) batch.faults = this.#faults;
    if (this.#file !== undefined) {
      batch.file = this.#file;
      this.#shared = true;
      this.#file = undefined;
    }
    this.#replies = [];
    this.#faults = [];
    this.#port.postMessage(batch);
  }
}

/** Calls that must have the store to themselves, because they wait for the file system half-way. */
const EXCLUSIVE: ReadonlySet<CallName> = new Set([
  'open',
  'close',
  'generation.create',
  'generation.seal',
  'generation.discard',
  'generation.activate',
  'generation.drop',
]);

const isExclusive = ([, name]: Call): boolean => EXCLUSIVE.has(name);

function toWire(error: unknown): WireError {
  if (!isCoded(error)) return { code: 'storage.failed', message: String(error), data: {} };
  return { code: error.code, message: error.message, data: error.data };
}

if (parentPort !== null) new SqliteWorker(parentPort);
