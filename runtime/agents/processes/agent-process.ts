/** One operating-system process that runs an agent, with the group of processes that it starts. */
import type { ChildProcessByStdio, SpawnOptionsWithStdioTuple, StdioPipe } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import { messageOf, systemCodeOf } from '../../base/errors.ts';
import { fault } from '../../contract/index.ts';
import type { LaunchCommand } from '../setup/agent-launch.ts';
import { LastLines } from './last-lines.ts';

export type SpawnProcess = (
  command: string,
  args: readonly string[],
  options: SpawnOptionsWithStdioTuple<StdioPipe, StdioPipe, StdioPipe>,
) => ChildProcessByStdio<Writable, Readable, Readable>;

/** How a process ended: exactly one of `code` and `signal` is not null. */
export interface ProcessEnd {
  code: number | null;
  signal: string | null;
  /** The last lines, secrets redacted. */
  stderr: string;
}

const STDERR_LINES = 50;
const STDERR_LINE_LENGTH = 2000;
/** After the exit, time for what is still in the pipes; a grandchild that holds them open costs no more than this. */
const DRAIN_MS = 250;
/** Each step of an orderly end: the agent may finish by itself, then on SIGTERM, then it is killed. */
const CLOSE_GRACE_MS = 1000;
const TERMINATE_GRACE_MS = 1500;

export interface AgentProcessOptions {
  command: LaunchCommand;
  spawn: SpawnProcess;
  clock: Clock;
  redact: (text: string) => string;
}

/**
 * Starts the process in a group of its own, so that whatever it starts can be ended with it. Rejects with
 * `agent.command_not_found`, `agent.command_not_executable` or `agent.failed` when the system refuses.
 */
export async function startAgentProcess(options: AgentProcessOptions): Promise<AgentProcess> {
  const { command, args, cwd, env } = options.command;
  try {
    const child = options.spawn(command, args, {
      cwd,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    const started = new AgentProcess(child, options);
    await once(child, 'spawn');
    return started;
  } catch (error) {
    throw refused(command, error);
  }
}

function refused(command: string, error: unknown) {
  switch (systemCodeOf(error)) {
    case 'ENOENT':
      return fault('agent.command_not_found', `The command ${command} does not exist.`, { command });
    case 'EACCES':
    case 'EPERM':
    case 'ENOEXEC':
      return fault('agent.command_not_executable', `The command ${command} cannot be executed.`, { command });
    default:
      return fault('agent.failed', `The command ${command} could not be started: ${messageOf(error)}`, {
        command,
      });
  }
}

export class AgentProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when the process has exited and what it wrote has been read. Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #clock: Clock;
  readonly #stderr = new LastLines(STDERR_LINES, STDERR_LINE_LENGTH);
  readonly #redact: (text: string) => string;
  #exited = false;

  constructor(
    child: ChildProcessByStdio<Writable, Readable, Readable>,
    { clock, redact }: Pick<AgentProcessOptions, 'clock' | 'redact'>,
  ) {
    this.#child = child;
    this.#clock = clock;
    this.#redact = redact;
    this.stdin = child.stdin;
    this.stdout = child.stdout;
    // A pipe that breaks shows as the exit of the process, or as a protocol that is silent; unheard it would end us.
    child.stdin.on('error', () => undefined);
    child.stdout.on('error', () => undefined);
    child.stderr.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#stderr.add(text));
    this.ended = this.#watch();
  }

  /** 0 when the process could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it wrote to stderr last, secrets redacted. */
  get stderr(): string {
    return this.#redact(this.#stderr.toString());
  }

  /** Sends a signal to the whole group; nothing happens when it is gone, or when nothing of it is ours to signal. */
  signal(name: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return;
    try {
      if (process.platform === 'win32') this.#child.kill(name);
      else process.kill(-this.#child.pid, name);
    } catch (error) {
      // EPERM: only members of another user are left, or (macOS) members that have ended already.
      const code = systemCodeOf(error);
      if (code !== 'ESRCH' && code !== 'EPERM') throw error;
    }
  }

  /** Ends the process: asks by closing stdin, then by SIGTERM, then kills the group. Bounded by 3 s. */
  async end(): Promise<ProcessEnd> {
    this.stdin.end();
    if (!(await this.#exitsWithin(CLOSE_GRACE_MS))) {
      this.signal('SIGTERM');
      // A stopped process takes no SIGTERM before it goes on.
      this.signal('SIGCONT');
      if (!(await this.#exitsWithin(TERMINATE_GRACE_MS))) return this.kill();
    }
    return this.ended;
  }

  /** Ends the process and its group at once. */
  kill(): Promise<ProcessEnd> {
    if (!this.#exited) this.signal('SIGKILL');
    return this.ended;
  }

  async #exitsWithin(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#clock.after(ms, () => resolve(false));
    this.ended.then(() => resolve(true));
    try {
      return await promise;
    } finally {
      timer.cancel();
    }
  }

  #watch(): Promise<ProcessEnd> {
    const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
    const child = this.#child;
    child.once('exit', (code, signal) => {
      this.#exited = true;
      // The leader is gone; what it started in its group must not outlive it. The group keeps its id while it has members.
      this.signal('SIGKILL');
      const finish = () => {
        timer.cancel();
        child.off('close', finish);
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
        resolve({ code, signal, stderr: this.stderr });
      };
      const timer = this.#clock.after(DRAIN_MS, finish);
      child.once('close', finish);
    });
    return promise;
  }
}
