import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FaultRig } from './rig-storage.ts';
import type { Note } from './workload.ts';

export interface WriterOptions {
  rig: FaultRig;
  dataDir: string;
  /** Outside of the data folder: it must outlive what is done to that. */
  noteFile: string;
  /** Unlike that of every other writer of these data. */
  run: string;
  env?: Record<string, string>;
}

/** When a writer is killed: `afterMs` from its first instruction on, or from when it began to write. */
export interface KillTime {
  during: 'start' | 'writing';
  afterMs: number;
}

/** A writer (`workload-writer.ts`) as a process of its own. */
export class WriterProcess {
  readonly #process: ChildProcess;
  readonly #noteFile: string;
  readonly #ended: Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  /** Resolves when it begins to write, or has ended. */
  readonly writing: Promise<unknown>;

  static async start(options: WriterOptions): Promise<WriterProcess> {
    await writeFile(options.noteFile, '');
    return new WriterProcess(options);
  }

  private constructor({ rig, dataDir, noteFile, run, env }: WriterOptions) {
    const program = join(import.meta.dirname, 'workload-writer.ts');
    const child = spawn(process.execPath, [program, JSON.stringify(rig), dataDir, noteFile, run], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    this.#process = child;
    this.#noteFile = noteFile;
    this.#ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    this.writing = Promise.race([once(child.stdout, 'data'), this.#ended]);
  }

  /** Kills it with SIGKILL, or with SIGTERM lets it end when all that it sent is answered; answers what it noted. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<Note[]> {
    this.#process.kill(signal);
    const [code, endedBy] = await this.#ended;
    const asTold = signal === 'SIGKILL' ? endedBy === 'SIGKILL' : code === 0;
    if (!asTold) throw new Error(`The writer ended by itself (${code ?? endedBy}).`);
    return parseNotes(await readFile(this.#noteFile, 'utf8'));
  }
}

/** Starts a writer, kills it with SIGKILL when its time has come, and answers what it noted. */
export async function writeAndKill(options: WriterOptions & { kill: KillTime }): Promise<Note[]> {
  const writer = await WriterProcess.start(options);
  if (options.kill.during === 'writing') await writer.writing;
  await new Promise((resolve) => setTimeout(resolve, options.kill.afterMs));
  return writer.end('SIGKILL');
}

/** The kill may cut the last line short: then it was not noted. */
function parseNotes(text: string): Note[] {
  const lines = text.split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line) as Note);
}
