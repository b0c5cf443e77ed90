/** The runtime's end of one launcher process, from its start to its end: never used again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { type Clock, delay } from '../../base/clock.ts';
import { messageOf, systemCodeOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { programCommand } from '../../base/program.ts';
import { fault } from '../../contract/index.ts';
import type { LaunchCommand } from '../setup/agent-launch.ts';
import { LastLines } from './last-lines.ts';
import {
  CHANNELS,
  type FromLauncher,
  formatChannel,
  type GroupMeasure,
  type LauncherArguments,
  type ToLauncher,
} from './launcher-messages.ts';
import { readProcess } from './process-table.ts';
import type { Reaped } from './reaper.ts';
import { signalGroup } from './signal-group.ts';
import { type ExitStatus, type StartedProcess, startRefusal } from './started-process.ts';

/** It loads nothing but a few files, and holds next to nothing. */
const NODE_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=64'];
/** Reaping included, which waits for as long as 10 s for what does not want to end. */
const READY_TIMEOUT_MS = 15_000;
/** It ends by itself when it is told to. */
const END_TIMEOUT_MS = 3000;
/** What is killed is usually gone at the first look. */
const KILL_TIMEOUT_MS = 1000;
const KILL_CHECK_MS = 5;
const STDERR_LINES = 10;
const STDERR_LINE_LENGTH = 500;

interface Launch {
  sockets: Socket[];
  started: PromiseWithResolvers<number>;
  exited: PromiseWithResolvers<ExitStatus>;
  pid?: number;
}

/** What a refusal of the launcher says of the system's error. */
class Refusal extends Error {
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

/** The launcher ended before it could say what became of a launch. */
export class LauncherLost extends Error {}

/** What the system says of a socket at whose other end nobody is. */
const NOBODY_THERE: readonly unknown[] = ['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE'];

export interface LauncherProcessOptions extends LauncherArguments {
  clock: Clock;
  logger: Logger;
}

export class LauncherProcess {
  /** Settles once it takes launches; rejects with `agent.start_refused` when it does not come to that. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended, and every process that it had started, too. */
  readonly ended: Promise<void>;
  /** What it ended before it was ready. */
  reaped: readonly Reaped[] = [];
  readonly #child: ChildProcess;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #stderr = new LastLines(STDERR_LINES, STDERR_LINE_LENGTH);
  readonly #ready = Promise.withResolvers<void>();
  readonly #launches = new Map<number, Launch>();
  readonly #measures = new Map<number, PromiseWithResolvers<Record<number, GroupMeasure> | undefined>>();
  #socketPath = '';
  #lastNumber = 0;
  #isGone = false;

  constructor({ clock, logger, ...args }: LauncherProcessOptions) {
    this.#clock = clock;
    this.#logger = logger;
    this.ready = this.#ready.promise;
    // Whoever launches hears of it; nobody may have asked yet.
    this.ready.catch(() => undefined);
    const program = programCommand('agent-launcher', [JSON.stringify(args satisfies LauncherArguments)]);
    this.#child = spawn(program.command, [...NODE_FLAGS, ...program.args], {
      env: {
        ...environment(),
        ...program.env,
        NODE_COMPILE_CACHE: join(args.dataDir, 'cache', 'programs'),
      },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // What is sent to the group of the runtime, by a terminal for one, must not reach it.
      detached: true,
      windowsHide: true,
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#stderr.add(text));
    this.#child.on('message', (message) => this.#onMessage(message as FromLauncher));
    const timer = clock.after(READY_TIMEOUT_MS, () => this.#child.kill('SIGKILL'));
    void this.ready.then(
      () => timer.cancel(),
      () => timer.cancel(),
    );
    this.ended = this.#watch();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Rejects like `AgentProcesses.launch`, or with {@link LauncherLost}. */
  async launch(
    command: Pick<LaunchCommand, 'command' | 'args' | 'cwd' | 'env'>,
    { agentId, generation }: { agentId: string; generation: number },
  ): Promise<StartedProcess & { launch: number }> {
    await this.ready;
    if (this.#isGone) {
      await this.ended;
      throw new LauncherLost();
    }
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const launch: Launch = {
      sockets: CHANNELS.map((_, channel) => this.#connect(number, channel)),
      started: Promise.withResolvers(),
      exited: Promise.withResolvers(),
    };
    // A socket that fails before the process is told to run.
    for (const socket of launch.sockets) {
      socket.on('error', (error) =>
        launch.started.reject(NOBODY_THERE.includes(systemCodeOf(error)) ? new LauncherLost() : error),
      );
    }
    this.#launches.set(number, launch);
    const { command: file, args, cwd, env } = command;
    this.#send({ kind: 'launch', launch: number, agentId, generation, command: file, args, cwd, env });
    try {
      const pid = await launch.started.promise;
      const [stdin, stdout, stderr] = launch.sockets as [Socket, Socket, Socket];
      return {
        launch: number,
        pid,
        stdin,
        stdout,
        stderr,
        exited: launch.exited.promise,
        resources: async () => undefined,
      };
    } catch (error) {
      this.#launches.delete(number);
      for (const socket of launch.sockets) socket.destroy();
      if (error instanceof LauncherLost) {
        // Without a listener it is of no use, even if it still runs.
        await this.end();
        throw new LauncherLost();
      }
      throw await startRefusal(command, systemCodeOf(error), messageOf(error));
    }
  }

  /** A process that was started for nobody in particular is this agent's from now on. */
  assign(launch: number, { agentId, generation }: { agentId: string; generation: number }): void {
    this.#send({ kind: 'assign', launch, agentId, generation });
  }

  /** Of all that run, by launch. Undefined when the launcher has ended. */
  measure(): Promise<Record<number, GroupMeasure> | undefined> {
    const measured = Promise.withResolvers<Record<number, GroupMeasure> | undefined>();
    if (this.#isGone) return Promise.resolve(undefined);
    this.#lastNumber += 1;
    this.#measures.set(this.#lastNumber, measured);
    this.#send({ kind: 'measure', number: this.#lastNumber });
    return measured.promise;
  }

  /** Ends it, and whatever it has started. Bounded by 3 s. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const timer = this.#clock.after(END_TIMEOUT_MS, () => this.#child.kill('SIGKILL'));
    await this.ended;
    timer.cancel();
  }

  #connect(launch: number, channel: number): Socket {
    // On its input an agent may have closed nothing but its own end; on its outputs there is nothing left when it ends them.
    const socket = connect({ path: this.#socketPath, allowHalfOpen: CHANNELS[channel] === 'stdin' });
    socket.write(formatChannel(launch, channel));
    return socket;
  }

  #send(message: ToLauncher): void {
    // Without a channel the end of the launcher is about to be noticed, and told to whoever waits.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #onMessage(message: FromLauncher): void {
    switch (message.kind) {
      case 'ready':
        this.#socketPath = message.socketPath;
        this.reaped = message.reaped;
        this.#ready.resolve();
        return;
      case 'failed':
        this.#ready.reject(refused(message.message));
        return;
      case 'started': {
        const launch = this.#launches.get(message.launch);
        if (launch === undefined) return;
        launch.pid = message.pid;
        launch.started.resolve(message.pid);
        return;
      }
      case 'refused':
        this.#launches.get(message.launch)?.started.reject(new Refusal(message.message, message.code));
        return;
      case 'exited': {
        const { code, signal } = message;
        this.#launches.get(message.launch)?.exited.resolve({ code, signal });
        this.#launches.delete(message.launch);
        return;
      }
      case 'measured':
        this.#measures.get(message.number)?.resolve(message.groups);
        this.#measures.delete(message.number);
        return;
      case 'warning':
        this.#logger.warn(message.message);
    }
  }

  async #watch(): Promise<void> {
    const how = await new Promise<string>((resolve) => {
      this.#child.once('error', (error) => {
        if (this.#child.pid === undefined) resolve(messageOf(error));
      });
      this.#child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`));
    });
    this.#isGone = true;
    const said = this.#stderr.toString();
    const reason = said === '' ? how : `${how}: ${said}`;
    this.#ready.reject(refused(reason));
    for (const measured of this.#measures.values()) measured.resolve(undefined);
    const left = [...this.#launches.values()];
    this.#launches.clear();
    await Promise.all(
      left.map(async ({ started, pid, exited }) => {
        started.reject(new LauncherLost());
        // Nobody is told any more how it ends, so that it must not run on.
        if (pid !== undefined) await this.#killGroup(pid);
        exited.resolve({ code: null, signal: 'SIGKILL' });
      }),
    );
    if (this.#socketPath !== '') await rm(dirname(this.#socketPath), { recursive: true, force: true });
  }

  /** Resolves when its leader is gone, or does not go for too long. */
  async #killGroup(pid: number): Promise<void> {
    const deadline = this.#clock.monotonic() + KILL_TIMEOUT_MS;
    signalGroup(pid, 'SIGKILL');
    while (readProcess(pid) !== undefined && this.#clock.monotonic() < deadline) {
      await delay(this.#clock, KILL_CHECK_MS);
    }
  }
}

function refused(reason: string) {
  return fault('agent.start_refused', `The program that starts the agents does not run: ${reason}`);
}

/** No option that is meant for the runtime's own Node.js (a debugger's port, a module to load first) is handed down. */
function environment(): Record<string, string | undefined> {
  const { NODE_OPTIONS: _, SMALLTALK_AGENT: __, ...rest } = process.env;
  return rest;
}
