import { getCompileCacheDir } from 'node:module';
import { Worker } from 'node:worker_threads';
import { CodedError, messageOf } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { Call, CallBatch, CallName, Calls, FaultNotice, Reply, ReplyBatch } from './protocol.ts';

/**
 * What the worker reads is garbage as soon as it was posted. With the room that V8 gives it by default, a snapshot that is
 * streamed leaves tens of MiB of it lying around before it is swept up; with this it is as fast.
 */
const YOUNG_GENERATION_MIB = 8;

interface Pending {
  resolve(output: unknown): void;
  reject(error: unknown): void;
}

/**
 * One worker, from its start to its end; a new one is a new link. Calls of the same tick travel in one message, and the
 * worker keeps the process alive only while it owes an answer.
 */
export class WorkerLink {
  readonly #worker: Worker;
  readonly #now: () => number;
  readonly #pending = new Map<number, Pending>();
  #calls: Call[] = [];
  #lastId = 0;
  /** True while the worker keeps the process alive, … */
  #holds = false;
  /** … and when it is looked soon whether it must. */
  #letsGo = false;
  #ended = false;

  constructor(options: {
    /** The file of the program. */
    program: string;
    now: () => number;
    onFaults: (faults: FaultNotice[]) => void;
    /** Called with the data file of the active generation before the answers that presume it; undefined: let go of it. */
    onFile: (file: string | undefined) => void;
    /** Called once when the worker ended by itself; what it owed was rejected with `storage.failed`. */
    onEnd: (error: CodedError) => void;
  }) {
    this.#now = options.now;
    this.#worker = new Worker(options.program, {
      name: 'sqlite',
      execArgv: [],
      env: workerEnvironment(),
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    this.#worker.unref();
    this.#worker.on('message', (batch: ReplyBatch) => {
      if (batch.faults !== undefined) options.onFaults(batch.faults);
      if (batch.file !== undefined && !this.#ended) {
        options.onFile(batch.file ?? undefined);
        if (batch.file === null) this.#worker.postMessage({ now: this.#now(), calls: [], released: true });
      }
      this.#settle(batch.replies);
    });
    let reason: string | undefined;
    this.#worker.on('error', (error) => {
      reason ??= messageOf(error);
    });
    this.#worker.on('messageerror', (error) => {
      reason ??= messageOf(error);
      void this.#worker.terminate();
    });
    // Not before: until its thread has ended it holds the lock of the data folder, and no other could take its place.
    this.#worker.on('exit', (code) => {
      if (this.#ended) return;
      const error = fault(
        'storage.failed',
        `The storage worker ended unexpectedly: ${reason ?? `exit code ${code}`}.`,
      );
      this.#end(error);
      options.onEnd(error);
    });
  }

  /** True from the moment on at which it takes no more calls. */
  get ended(): boolean {
    return this.#ended;
  }

  call<Name extends CallName>(name: Name, input: Calls[Name]['input']): Promise<Calls[Name]['output']> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(fault('storage.failed', 'The storage worker has ended.'));
      this.#lastId += 1;
      if (!this.#holds) {
        this.#holds = true;
        this.#worker.ref();
      }
      this.#pending.set(this.#lastId, { resolve: resolve as Pending['resolve'], reject });
      // The end of the tick: after the promise callbacks that one batch of answers set off, so that all they call for
      // travels together again.
      if (this.#calls.length === 0) process.nextTick(this.#flush);
      this.#calls.push([this.#lastId, name, input] as Call);
    });
  }

  /** Ends the worker; what it still owes is rejected with `storage.closed`. */
  async terminate(): Promise<void> {
    this.#end(fault('storage.closed', 'The storage was closed.'));
    await this.#worker.terminate();
  }

  readonly #flush = (): void => {
    if (this.#ended) return;
    const batch: CallBatch = { now: this.#now(), calls: this.#calls };
    this.#calls = [];
    try {
      this.#worker.postMessage(batch);
    } catch (error) {
      // Something that cannot be copied; whose it was is not known.
      const { code, message, data } = fault(
        'storage.invalid',
        `A call cannot be passed on: ${messageOf(error)}`,
      );
      this.#settle(batch.calls.map(([id]) => [id, null, { code, message, data }]));
    }
  };

  #settle(replies: Reply[]): void {
    for (const [id, output, error] of replies) {
      const pending = this.#pending.get(id);
      if (pending === undefined) continue;
      this.#pending.delete(id);
      if (error === undefined) pending.resolve(output);
      else pending.reject(new CodedError(error.code, error.message, error.data));
    }
    if (this.#pending.size === 0 && !this.#letsGo) {
      this.#letsGo = true;
      setImmediate(this.#letGo);
    }
  }

  /** A turn later, because whoever was answered mostly has the next call ready at once. */
  readonly #letGo = (): void => {
    this.#letsGo = false;
    // One that is being ended keeps the process alive until it has, or nobody would be told.
    if (this.#pending.size > 0 || this.#ended) return;
    this.#holds = false;
    this.#worker.unref();
  };

  #end(error: CodedError): void {
    this.#ended = true;
    this.#calls = [];
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

/** The worker's own thread uses the cache of compiled code only when its environment names it. */
function workerEnvironment(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  return cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: cache };
}
