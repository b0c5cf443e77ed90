import { lifecycle } from '../base/lifecycle.ts';
import { fault } from '../contract/error-codes.ts';
import type { StorageOperationName, StorageOptions } from './storage.ts';

/** What all adapters do alike: open and close once, refuse calls in between, and time the operations. */
export class StorageGate {
  #service: ReturnType<typeof lifecycle>;
  #open = false;
  /** True from the call of `close` on, which may come while the storage is still opening. */
  #closing = false;
  #onOperation: StorageOptions['onOperation'];

  constructor(
    steps: { open(): Promise<void>; close(): Promise<void> },
    onOperation: StorageOptions['onOperation'],
  ) {
    this.#onOperation = onOperation;
    this.#service = lifecycle({
      start: async () => {
        await steps.open();
        this.#open = true;
      },
      stop: async () => {
        this.#open = false;
        await steps.close();
      },
    });
  }

  open(): Promise<void> {
    this.#closing = false;
    return this.#service.start();
  }

  close(): Promise<void> {
    this.#closing = true;
    return this.#service.stop();
  }

  /** Throws `storage.closed` unless open. */
  check(): void {
    if (!this.#open || this.#closing) throw fault('storage.closed', 'The storage is not open.');
  }

  /** Runs an operation of the port if the storage is open, and tells how long it took. */
  run<T>(operation: StorageOperationName | undefined, work: () => Promise<T>): Promise<T> {
    const tell = this.#onOperation;
    if (tell === undefined || operation === undefined) return this.#run(work);
    const begun = performance.now();
    return this.#run(work).then(
      (result) => {
        tell(operation, 'ok', (performance.now() - begun) / 1000);
        return result;
      },
      (error: unknown) => {
        tell(operation, 'error', (performance.now() - begun) / 1000);
        throw error;
      },
    );
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      this.check();
      return work();
    } catch (error) {
      return Promise.reject(error);
    }
  }
}
