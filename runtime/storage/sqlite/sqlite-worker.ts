/**
 * The program of the SQLite worker: takes batches of calls, carries out all the commits of a batch in one transaction,
 * and answers in batches. What arrives while it is busy is the next batch: that is the group commit.
 */
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { isCoded } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { Call, CallBatch, Calls, FaultNotice, Reply, ReplyBatch, WireError } from './protocol.ts';
import { asStorageFault } from './sqlite-errors.ts';
import { decodeOperations } from './wire-operations.ts';
import { WorkerStore } from './worker-store.ts';

interface Waiting {
  call: Call;
  now: number;
}

class SqliteWorker {
  readonly #port: MessagePort;
  #store: WorkerStore | undefined;
  #waiting: Waiting[] = [];
  #replies: Reply[] = [];
  #faults: FaultNotice[] = [];
  #running = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (batch: CallBatch) => {
      this.#take(batch);
      if (!this.#running) void this.#run();
    });
  }

  #take(batch: CallBatch): void {
    for (const call of batch.calls) this.#waiting.push({ call, now: batch.now });
  }

  /** Everything that has been posted, also what the event loop has not handed over yet. */
  #takeAll(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: CallBatch } | undefined;
      if (received === undefined) return;
      this.#take(received.message);
    }
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      this.#takeAll();
      const first = this.#waiting[0];
      if (first === undefined) break;
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
      if (waiting.call.name === 'commit') commits.push(waiting);
      else await this.#answer(waiting);
    }
    if (commits.length === 0) return;
    this.#post();
    this.#commit(store, commits);
  }

  #commit(store: WorkerStore, commits: Waiting[]): void {
    const now = commits[commits.length - 1]?.now ?? 0;
    const operations = commits.map(({ call }) => decodeOperations(call.input as Calls['commit']['input']));
    for (let done = 0; done < commits.length; ) {
      for (const answer of store.commit(operations.slice(done), now)) {
        const id = (commits[done] as Waiting).call.id;
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
      this.#replies.push([call.id, await this.#carryOut(call, now)]);
    } catch (error) {
      const told = this.#store?.faultOf(error) ?? asStorageFault(error, 'storage');
      this.#replies.push([call.id, null, toWire(told)]);
    }
  }

  async #carryOut(call: Call, now: number): Promise<unknown> {
    if (call.name === 'open') {
      this.#store?.close();
      this.#store = undefined;
      this.#store = await WorkerStore.open(call.input.folder, now, (notice) => this.#faults.push(notice));
      return null;
    }
    const store = this.#store;
    if (store === undefined) throw fault('storage.closed', 'The storage is not open.');
    switch (call.name) {
      case 'close':
        this.#store = undefined;
        store.close();
        return null;
      case 'commit':
        return null;
      case 'get':
        return store.reader.get(call.input[0], call.input[1], now);
      case 'list':
        return store.list(call.input.collection, call.input.query, call.input.start, now);
      case 'read':
        return store.reader.read(call.input.log, call.input.query);
      case 'stats':
        return store.stats(now);
      case 'snapshot.open':
        return store.openSnapshot(call.input.generation, now);
      case 'snapshot.next':
        return store.nextOfSnapshot(call.input);
      case 'snapshot.end':
        store.endSnapshot(call.input);
        return null;
      case 'generation.list':
        return store.generations();
      case 'generation.create':
        return store.createGeneration(call.input.reason, now);
      case 'generation.write':
        store.writeGeneration(call.input.id, call.input.records);
        return null;
      case 'generation.seal':
        await store.sealGeneration(call.input);
        return null;
      case 'generation.discard':
        await store.discardGeneration(call.input);
        return null;
      case 'generation.activate':
        await store.activateGeneration(call.input, now);
        return null;
      case 'generation.drop':
        await store.dropGeneration(call.input);
        return null;
      case 'setAside':
        return store.setAside(call.input, now);
      case 'version':
        return store.version();
      case 'counts':
        return store.counts;
    }
  }

  #refuse(calls: Waiting[], error: unknown): void {
    const told = toWire(asStorageFault(error, 'storage'));
    for (const { call } of calls) this.#replies.push([call.id, null, told]);
  }

  #post(): void {
    if (this.#replies.length === 0 && this.#faults.length === 0) return;
    const batch: ReplyBatch = { replies: this.#replies, faults: this.#faults };
    this.#replies = [];
    this.#faults = [];
    this.#port.postMessage(batch);
  }
}

/** Calls that must have the store to themselves, because they wait for the file system half-way. */
function isExclusive(call: Call): boolean {
  return call.name === 'open' || call.name === 'close' || /^generation\.(?!write|list)/.test(call.name);
}

function toWire(error: unknown): WireError {
  if (!isCoded(error)) return { code: 'storage.failed', message: String(error), data: {} };
  return { code: error.code, message: error.message, data: error.data };
}

if (parentPort !== null) new SqliteWorker(parentPort);
