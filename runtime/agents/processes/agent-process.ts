/** One operating-system process that runs an agent, with the group of processes that it starts. */
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import type { AgentResources } from '../../contract/index.ts';
import type { LaunchCommand } from '../setup/agent-launch.ts';
import { LastLines } from './last-lines.ts';
import { signalGroup } from './signal-group.ts';
import { type ExitStatus, type SpawnProcess, type StartedProcess, spawnDirectly } from './started-process.ts';

export type { SpawnProcess };

/** How a process ended: exactly one of `code` and `signal` is not null. */
export interface ProcessEnd extends ExitStatus {
  /** The last lines, secrets redacted. */
  stderr: string;
}

const STDERR_LINES = 50;
const STDERR_LINE_LENGTH = 2000;
/** After the exit, time for what is still in the pipes; a grandchild that holds them open costs no more than this … */
const DRAIN_MS = 250;
/** … or so many times this, while something was read of them that nobody has taken yet. */
const MAX_DRAINS = 8;
/** Each step of an orderly end: the agent may finish by itself, then on SIGTERM, then it is killed. */
const CLOSE_GRACE_MS = 1000;
const TERMINATE_GRACE_MS = 1500;

/** Starts the process as a child of this one, in a group of its own. Rejects like `AgentProcesses.launch`. */
export async function startAgentProcess(options: {
  command: LaunchCommand;
  spawn: SpawnProcess;
  clock: Clock;
  redact: (text: string) => string;
}): Promise<AgentProcess> {
  return new AgentProcess(await spawnDirectly(options.spawn, options.command), options);
}

export class AgentProcess {
  /** Also the id of its group. */
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when the process has exited; what it wrote may still be on its way. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  /** Resolves when the process has exited and what it wrote has been read. Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  readonly #started: StartedProcess;
  readonly #clock: Clock;
  readonly #stderr = new LastLines(STDERR_LINES, STDERR_LINE_LENGTH, (text) => this.#redact(text));
  readonly #redact: (text: string) => string;
  #exited = false;

  constructor(started: StartedProcess, options: { clock: Clock; redact: (text: string) => string }) {
    this.#started = started;
    this.#clock = options.clock;
    this.#redact = options.redact;
    this.pid = started.pid;
    this.stdin = started.stdin;
    this.stdout = started.stdout;
    this.exited = started.exited;
    // A pipe that breaks shows as the exit of the process, or as a protocol that is silent; unheard it would end us.
    for (const stream of [started.stdin, started.stdout, started.stderr]) {
      stream.on('error', () => undefined);
    }
    started.stderr.setEncoding('utf8').on('data', (text: string) => this.#stderr.add(text));
    this.ended = this.#watch();
  }

  /** What it wrote to stderr last, secrets redacted. */
  get stderr(): string {
    return this.#redact(this.#stderr.toString());
  }

  /** What the process and its group take of the machine; undefined where the system cannot say. */
  resources(): Promise<AgentResources | undefined> {
    return this.#exited ? Promise.resolve(undefined) : this.#started.resources();
  }

  /** Sends a signal to the whole group; nothing happens when it is gone, or when nothing of it is ours to signal. */
  signal(name: NodeJS.Signals): void {
    if (!this.#exited) signalGroup(this.pid, name);
  }

  /**
   * Ends the process: asks by closing stdin, then by SIGTERM, then kills the group. Bounded by 3 s, and by 2 s more while
   * what it wrote waits to be read.
   */
  async end(): Promise<ProcessEnd> {
    this.stdin.end();
    // One that is stopped cannot see that before it goes on.
    this.signal('SIGCONT');
    if (!(await this.#exitsWithin(CLOSE_GRACE_MS))) {
      this.signal('SIGTERM');
      this.signal('SIGCONT');
      if (!(await this.#exitsWithin(TERMINATE_GRACE_MS))) return this.kill();
    }
    return this.ended;
  }

  /** Ends the process and its group at once. */
  kill(): Promise<ProcessEnd> {
    this.signal('SIGKILL');
    return this.ended;
  }

  async #exitsWithin(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#clock.after(ms, () => resolve(false));
    void this.ended.then(() => resolve(true));
    try {
      return await promise;
    } finally {
      timer.cancel();
    }
  }

  async #watch(): Promise<ProcessEnd> {
    const { stdin, stdout, stderr, exited } = this.#started;
    const readToTheEnd = Promise.allSettled([finished(stdout), finished(stderr)]);
    const status = await exited;
    this.#exited = true;
    // The leader is gone; what it started in its group must not outlive it. The group keeps its id while it has members.
    signalGroup(this.pid, 'SIGKILL');
    for (let drain = 1; drain <= MAX_DRAINS; drain++) {
      const late = Promise.withResolvers<'late'>();
      const timer = this.#clock.after(DRAIN_MS, () => late.resolve('late'));
      const isLate = (await Promise.race([readToTheEnd, late.promise])) === 'late';
      timer.cancel();
      if (!isLate) break;
      // When this process has stood still, the timer is over before anything was read.
      await setImmediate();
      if (stdout.readableLength === 0) break;
    }
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
    return { ...status, stderr: this.stderr };
  }
}
