import { getCompileCacheDir } from 'node:module';
import { Worker } from 'node:worker_threads';
import { CodedError, messageOf } from '../../base/errors.ts';
import { programPath } from '../../base/program.ts';
import { fault } from '../../contract/error-codes.ts';
import type { KeeperCall, KeeperCalls, KeeperLink } from './keeper-calls.ts';

export interface KeeperRequest<Name extends KeeperCall = KeeperCall> {
  id: number;
  name: Name;
  input: KeeperCalls[Name]['input'];
}

interface KeeperReply {
  id: number;
  output?: unknown;
  error?: { code: string; message: string; data: Record<string, unknown> };
}

interface Pending {
  resolve(output: unknown): void;
  reject(error: unknown): void;
}

/** A keeper in a thread of its own, which keeps the process alive only while it owes an answer. */
export class KeeperThread implements KeeperLink {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended: CodedError | undefined;

  constructor(folder: string) {
    const cache = getCompileCacheDir();
    this.#worker = new Worker(programPath('file-worker'), {
      name: 'file',
      execArgv: [],
      workerData: folder,
      // The thread uses the cache of compiled code only when its environment names it.
      env: cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: cache },
    });
    this.#worker.unref();
    this.#worker.on('message', (reply: KeeperReply) => this.#settle(reply));
    let reason: string | undefined;
    this.#worker.on('error', (error) => {
      reason ??= messageOf(error);
    });
    // Not before: until its thread has ended it holds the lock of the folder, and no other could take its place.
    this.#worker.on('exit', (code) => {
      const why = reason ?? `exit code ${code}`;
      this.#end(fault('storage.failed', `The thread that keeps the files ended unexpectedly: ${why}.`));
    });
  }

  call<Name extends KeeperCall>(
    name: Name,
    input: KeeperCalls[Name]['input'],
  ): Promise<KeeperCalls[Name]['output']> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#lastId += 1;
      const request: KeeperRequest<Name> = { id: this.#lastId, name, input };
      try {
        this.#worker.postMessage(request);
      } catch (error) {
        return reject(fault('storage.invalid', `A call cannot be passed on: ${messageOf(error)}`));
      }
      if (this.#pending.size === 0) this.#worker.ref();
      this.#pending.set(request.id, { resolve: resolve as Pending['resolve'], reject });
    });
  }

  async end(): Promise<void> {
    this.#end(fault('storage.closed', 'The storage was closed.'));
    await this.#worker.terminate();
  }

  #settle({ id, output, error }: KeeperReply): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker.unref();
    if (error === undefined) pending.resolve(output);
    else pending.reject(new CodedError(error.code, error.message, error.data));
  }

  #end(error: CodedError): void {
    this.#ended ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }
}
