import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StormRig } from './storm-instances.ts';
import { type Note, notesOf } from './storm-notes.ts';

export interface StormProcessOptions {
  rig: StormRig;
  seed: number;
  /** Unlike that of every other process of the storm. */
  name: string;
  noteFile: string;
  /** Its place among those that run, from 0. */
  number: number;
}

/** A writer (`storm-writer.ts`) as a process of its own. */
export class StormProcess {
  readonly #child: ChildProcess;
  readonly #options: StormProcessOptions;
  readonly #ended: Promise<unknown>;
  #expectsEnd = false;
  #stderr = '';

  constructor(options: StormProcessOptions) {
    const { rig, seed, name, noteFile, number } = options;
    this.#options = options;
    // It may be killed before it has noted anything.
    writeFileSync(noteFile, '');
    const program = join(import.meta.dirname, 'storm-writer.ts');
    this.#child = fork(program, [JSON.stringify(rig), String(seed), name, noteFile, String(number)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#ended = once(this.#child, 'close');
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it has told this, or has ended. */
  async told(what: 'writing' | 'switched'): Promise<void> {
    const told = new Promise<void>((resolve) => {
      this.#child.on('message', (message) => {
        if (message === what) resolve();
      });
    });
    await Promise.race([told, this.#ended]);
  }

  switchGeneration(): void {
    if (this.#child.connected) this.#child.send('switch');
  }

  async kill(): Promise<void> {
    this.#expectsEnd = true;
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Stops it where it is: what it holds open stays open. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** Resolves when the fate of all that it sent is known, and it has ended. Kills it after so many milliseconds. */
  async end(patienceMs: number): Promise<void> {
    if (this.#child.connected) this.#child.send('end');
    const late = setTimeout(() => {
      this.#stderr += `It did not end within ${patienceMs} ms.`;
      this.#child.kill('SIGKILL');
    }, patienceMs);
    await this.#ended;
    clearTimeout(late);
  }

  /** After its end: what it noted, and as a problem that it ended otherwise than it was told to. */
  notes(): Note[] {
    const { name, noteFile } = this.#options;
    const notes = notesOf(noteFile);
    const { exitCode, signalCode } = this.#child;
    const isExpected = this.#expectsEnd ? signalCode === 'SIGKILL' : exitCode === 0;
    if (isExpected) return notes;
    return [...notes, ['problem', `${name} ended (${signalCode ?? exitCode}): ${this.#stderr}`]];
  }
}
