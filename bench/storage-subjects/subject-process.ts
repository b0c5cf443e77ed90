import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { CaseName, Places, RoundResult } from './work.ts';

/** One subject of the benchmark in a process of its own, so that none warms up the code, or fills the memory, of another. */
export class SubjectProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when the subject has made the sessions that will be loaded. */
  static async start(name: string, folder: string, places: Places): Promise<SubjectProcess> {
    const program = join(import.meta.dirname, 'child.ts');
    const subject = new SubjectProcess(fork(program, [name, folder, JSON.stringify(places)]));
    await subject.#answer(name);
    return subject;
  }

  measure(name: CaseName, operations: number): Promise<RoundResult> {
    this.#child.send({ case: name, operations });
    return this.#answer(name) as Promise<RoundResult>;
  }

  /** Rejects when something that was appended is not there, or is not what was appended. */
  async verify(): Promise<void> {
    this.#child.send('verify');
    await this.#answer('verify');
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.send('end');
    await ended;
  }

  /** A child that ends instead of answering had a wrong result. */
  async #answer(question: string): Promise<unknown> {
    const stop = new AbortController();
    const { signal } = stop;
    try {
      return await Promise.race([
        once(this.#child, 'message', { signal }).then(([message]) => message as unknown),
        once(this.#child, 'exit', { signal }).then(() => {
          throw new Error(
            `A subject failed (${this.#child.spawnargs.slice(2, 3).join()}: ${question}); see above.`,
          );
        }),
      ]);
    } finally {
      stop.abort();
    }
  }
}
