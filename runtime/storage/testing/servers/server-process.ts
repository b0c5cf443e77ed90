import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { continueTree, killTree, stopTree } from './process-tree.ts';
import { watchServer } from './watchdog.ts';

/** A server that a test started, with data of its own. */
export interface TestServer extends AsyncDisposable {
  /** On 127.0.0.1; the same after every restart. */
  readonly port: number;
  /** Of its first process; undefined while it does not run. */
  readonly pid: number | undefined;
  /** All of its files. */
  readonly folder: string;
  /** Ends all of its processes at once (SIGKILL); its data stays. Resolves when they are gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data, after killing it if it runs. Resolves when it takes connections. */
  restart(): Promise<void>;
  /** Stops all of its processes where they are (SIGSTOP): connections stay open, and nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends it and removes its data. Idempotent. Also what happens when the test's process ends without having called it. */
  stop(): Promise<void>;
}

export interface ServerCommand {
  /** For messages. */
  name: string;
  program: string;
  args: string[];
  environment?: NodeJS.ProcessEnv;
  /** The user that it runs as; default: this process' own. */
  owner?: { uid: number; gid: number };
  /** Holds all of its files; removed at `stop`. */
  folder: string;
  port: number;
  /** A line of its output that says that it takes connections. */
  ready: RegExp;
  /** How it is told to end cleanly and soon. */
  endSignal: NodeJS.Signals;
  /** Runs after its end, before its folder is removed. */
  afterEnd?(): Promise<void>;
}

/** No server that starts at all takes longer, not even one that recovers its data on a busy machine. */
const START_MS = 60_000;
/** How long a clean end may take before it is killed. */
const END_MS = 3_000;
/** Lines of its output that are kept for the message when it does not start. */
const KEPT_LINES = 30;

/** Starts a server; rejects with the last lines of its output when it ends instead of getting ready. */
export async function startServer(command: ServerCommand): Promise<TestServer> {
  const server = new ServerProcess(command);
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

class ServerProcess implements TestServer {
  readonly port: number;
  readonly folder: string;
  readonly #command: ServerCommand;
  #child: ChildProcess | undefined;
  #callOff: () => void = () => undefined;

  constructor(command: ServerCommand) {
    this.#command = command;
    this.port = command.port;
    this.folder = command.folder;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    const { name, program, args, environment, owner, folder, ready, endSignal } = this.#command;
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C in a terminal is for the tests, which end their servers themselves.
      detached: true,
      ...owner,
    });
    await once(child, 'spawn');
    this.#child = child;
    this.#callOff = watchServer(child.pid as number, folder, endSignal);
    const callOff = this.#callOff;
    child.once('exit', () => {
      callOff();
      if (this.#child === child) this.#child = undefined;
    });
    const lines: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const fail = (what: string) => {
        clearTimeout(timer);
        reject(new Error(`${name} ${what}. It said:\n${lines.join('\n')}`));
      };
      const timer = setTimeout(() => fail(`was not ready within ${START_MS / 1000} s`), START_MS);
      for (const output of [child.stdout, child.stderr]) {
        if (output === null) continue;
        // Its output must not keep the process of the tests alive, and must be read, or the server would wait for it.
        (output as unknown as { unref(): void }).unref();
        createInterface({ input: output }).on('line', (line) => {
          lines.push(line);
          if (lines.length > KEPT_LINES) lines.shift();
          if (!ready.test(line)) return;
          clearTimeout(timer);
          resolve();
        });
      }
      child.once('close', (code, signal) => fail(`ended (${signal ?? code}) instead of starting`));
    });
    child.unref();
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const exited = once(child, 'exit');
    child.ref();
    await killTree(child.pid);
    await exited;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  pause(): void {
    if (this.#child?.pid !== undefined) stopTree(this.#child.pid);
  }

  resume(): void {
    if (this.#child?.pid !== undefined) continueTree(this.#child.pid);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child?.pid !== undefined) {
      // Cleanly where it can be had: a PostgreSQL that was killed leaves a piece of shared memory behind.
      const exited = once(child, 'exit');
      child.ref();
      this.resume();
      child.kill(this.#command.endSignal);
      const timeout = new AbortController();
      const late = wait(END_MS, 'late', { signal: timeout.signal }).catch(() => 'ended');
      if ((await Promise.race([exited, late])) === 'late') await this.kill();
      timeout.abort();
    }
    await this.#command.afterEnd?.();
    await rm(this.#command.folder, { recursive: true, force: true, maxRetries: 10 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
