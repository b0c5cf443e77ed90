/**
 * Starts the product as a user does headless: its own process, its own data folder, and nothing known of it but the
 * address that it prints. Imports nothing of Playwright, because the benchmarks start the product this way too.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/** The line that `runtime/headless.ts` prints when the console can be used. */
const READY = /^SmallTalk Console is ready at (http:\/\/\S+)$/m;

/** A start that takes longer than this has failed; it takes well under 2 s. */
const START_MS = 30_000;
/** A graceful stop that takes longer than this has failed. */
const STOP_MS = 20_000;

/** What the product's process gets of ours; no setting of the person who runs the tests may change a result. */
const PASSED_ON = ['PATH', 'HOME', 'USERPROFILE', 'TMPDIR', 'TEMP', 'TMP', 'LANG', 'TZ', 'SystemRoot'];

export interface StartOptions {
  /** An existing data folder to go on with; by default a new one. */
  dataDir?: string;
  /** Settings beside `DATA_DIR` and the ports. */
  env?: Record<string, string>;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running product. After `restart` all of it says what holds for the new process. */
export interface Product {
  /** The address as printed, with the token in it. */
  readonly url: string;
  readonly origin: string;
  readonly token: string;
  readonly pid: number;
  readonly dataDir: string;
  /** Everything that all processes so far have printed, on both streams. */
  readonly logs: string;
  /** Sends the signal (SIGKILL by default) and waits until the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<Exit>;
  /** Stops gracefully. Throws when that takes longer than 20 s. */
  stop(): Promise<Exit>;
  /** Starts again on the same data and, so that open pages find it, the same port; stops it first if it runs. */
  restart(env?: Record<string, string>): Promise<void>;
  /** Ends what still runs and, when the test succeeded, removes the data folder; otherwise it is there to be looked at. */
  dispose(succeeded: boolean): Promise<void>;
}

/** The product ended before it was ready. */
export class StartFailed extends Error {
  readonly exit: Exit;
  readonly logs: string;

  constructor(exit: Exit, logs: string) {
    super(`The product ended with ${exit.signal ?? exit.code} before it was ready:\n${logs}`);
    this.name = 'StartFailed';
    this.exit = exit;
    this.logs = logs;
  }
}

/** Resolves when the console can be used. Rejects with {@link StartFailed} when the process ends before that. */
export async function startHeadless(options: StartOptions = {}): Promise<Product> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'smalltalk-e2e-')));
  let env = options.env ?? {};
  let logs = '';
  let child: ChildProcess;
  let exited: Promise<Exit>;
  let url: URL;

  const start = async (port: string) => {
    const started = spawn(process.execPath, [join(ROOT, 'runtime', 'headless.ts')], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment(), APP_PORT: port, HEALTH_PORT: '0', ...env, DATA_DIR: dataDir },
    });
    child = started;
    exited = once(started, 'exit').then(([code, signal]) => ({ code, signal }));
    url = await new Promise<URL>((resolve, reject) => {
      let output = '';
      const timer = setTimeout(() => {
        started.kill('SIGKILL');
        reject(new Error(`The product was not ready after ${START_MS} ms:\n${output}`));
      }, START_MS);
      const onText = (text: string) => {
        output += text;
        logs += text;
        const ready = READY.exec(output)?.[1];
        if (ready === undefined) return;
        clearTimeout(timer);
        resolve(new URL(ready));
      };
      started.stdout.setEncoding('utf8').on('data', onText);
      started.stderr.setEncoding('utf8').on('data', onText);
      // `close`, not `exit`: what it said last is the reason.
      started.once('close', (code, signal) => {
        clearTimeout(timer);
        reject(new StartFailed({ code, signal }, output));
      });
    });
  };

  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    if (isRunning(child)) child.kill(signal);
    return exited;
  };

  const stop = async () => {
    const stuck = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    try {
      const exit = await kill('SIGTERM');
      if (exit.signal === 'SIGKILL')
        throw new Error(`The product did not stop within ${STOP_MS} ms:\n${logs}`);
      return exit;
    } finally {
      clearTimeout(stuck);
    }
  };

  await start('0');
  return {
    get url() {
      return url.href;
    },
    get origin() {
      return url.origin;
    },
    get token() {
      return url.searchParams.get('token') ?? '';
    },
    get pid() {
      return child.pid ?? 0;
    },
    get logs() {
      return logs;
    },
    dataDir,
    kill,
    stop,
    async restart(changed = env) {
      if (isRunning(child)) await stop();
      env = changed;
      await start(url.port);
    },
    async dispose(succeeded) {
      if (isRunning(child)) await stop();
      if (succeeded) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function environment(): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) passed[name] = value;
  }
  return passed;
}
