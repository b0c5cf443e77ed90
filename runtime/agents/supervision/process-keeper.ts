import type { Clock } from '../../base/clock.ts';
import { type CodedError, isCoded, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { type Agent, type AgentConfig, type AgentExit, fault } from '../../contract/index.ts';
import type { ProcessEnd } from '../processes/agent-process.ts';
import type { AgentConnection } from '../protocol/agent-connection.ts';
import { endInWords } from '../protocol/agent-faults.ts';
import { FrameRecorder } from '../protocol/frame-recorder.ts';
import type { AgentDrills } from './agent-drills.ts';
import type { AgentEvents } from './agent-events.ts';
import { AgentGeneration, type AgentGenerationOptions, type ProbeResult } from './agent-generation.ts';
import type { AgentHistory } from './agent-history.ts';
import type { AgentSignal } from './agent-states.ts';
import { type Heartbeat, Heartbeats, SLOW_ANSWER_MS } from './heartbeats.ts';
import type { OpenConnection } from './open-connection.ts';
import type { Recovery } from './recovery.ts';

/** An exit is kept twenty times an agent, is in every view of it, and goes out as an event: characters of stderr in it. */
const STDERR_LIMIT = 8000;

const UNPROBED = 'It answers no probes, so only its process, its connection and its turns are watched';

export interface ProcessKeeperOptions {
  clock: Clock;
  logger: Logger;
  settings: AgentGenerationOptions['settings'];
  clientInfo: { name: string; version: string };
  open: OpenConnection;
  config: () => AgentConfig;
  history: AgentHistory;
  recovery: Recovery;
  drills: AgentDrills;
  events: AgentEvents;
  signal: (signal: AgentSignal, reason: string) => void;
  /** Something has changed that those who wait for the agent want to know, although its state has not. */
  touch: () => void;
  /** A probe was answered in time. */
  onAnswered: () => void;
}

/** Why a process is being ended by us. */
interface Ending {
  /** `stop`, `restart`: the user or the runtime wants it gone, or replaced. `failure`: it is to be recovered from. */
  kind: 'stop' | 'restart' | 'failure';
  reason: string;
}

/**
 * The processes of one agent, one after the other: starts, watches and ends them, and sees to it that one that failed is
 * followed by the next. What happens to a process is taken at once; what is asked for must come one after the other.
 */
export class ProcessKeeper {
  /** What went over the wires of all its processes last. */
  readonly frames: FrameRecorder;
  readonly heartbeats = new Heartbeats();
  /** Why nothing could be started, when that is so. */
  launchFailure: CodedError | undefined;
  readonly #options: ProcessKeeperOptions;
  #generation: AgentGeneration | undefined;
  /** Set while the process that runs is being ended by us. */
  #ending: Ending | undefined;
  /** A process of this configuration has answered a probe. */
  #answersProbes = false;
  #restarts = 0;
  #isClosed = false;
  #resources: Agent['resources'];

  constructor(options: ProcessKeeperOptions) {
    this.#options = options;
    this.frames = new FrameRecorder(options.clock);
  }

  /** The process that runs. */
  get generation(): AgentGeneration | undefined {
    return this.#generation;
  }

  /** The connection to the process that runs, unless it is being ended. */
  get connection(): AgentConnection | undefined {
    return this.#ending === undefined ? this.#generation?.connection : undefined;
  }

  get isStopping(): boolean {
    return this.#ending?.kind === 'stop';
  }

  /** Recoveries since the app started. */
  get restarts(): number {
    return this.#restarts;
  }

  get resources(): Agent['resources'] {
    return this.#resources;
  }

  /** Why the agent cannot be called healthy at the moment; undefined when the last answer to a probe proves that it is. */
  get unproven(): string | undefined {
    if (this.#generation?.isProbed !== true) return UNPROBED;
    return this.heartbeats.isProven ? undefined : 'It was late to answer the last probe';
  }

  /** The process that is ready and not being ended. Throws `agent.not_ready`. */
  ready(purpose: string): AgentGeneration {
    if (this.#generation?.isReady === true && this.#ending === undefined) return this.#generation;
    throw fault(
      'agent.not_ready',
      `${this.#options.config().name} has no process that is ready for ${purpose}.`,
    );
  }

  /**
   * Starts the next process. When the system has no room for it at the moment, another try is planned. Rejects when there
   * is nothing that could be started; the state says so, too. Rejects with `agent.stopped` after `close`.
   */
  async launch(reason: string): Promise<void> {
    const { logger, open, config, history, recovery, events } = this.#options;
    recovery.cancel();
    this.throwIfClosed();
    events.begin();
    const number = await history.claim();
    this.throwIfClosed();
    let generation: AgentGeneration;
    let connection: AgentConnection;
    try {
      connection = await open(config(), {
        generation: number,
        frames: this.frames,
        logger: logger.with({ correlationId: events.correlationId }),
        onBroken: (broken) => this.#giveUp(generation, broken),
      });
    } catch (error) {
      this.#notLaunched(isCoded(error) ? error : fault('agent.failed', messageOf(error)));
      return;
    }
    this.launchFailure = undefined;
    this.#ending = undefined;
    history.started(number, connection.pid);
    generation = new AgentGeneration(number, connection, {
      ...this.#options,
      answersProbes: this.#answersProbes,
      onReady: (isProbed) => this.#ready(generation, isProbed),
      onProbe: (result) => this.#probed(generation, result),
      onUseless: (useless) => this.#giveUp(generation, useless),
    });
    this.#generation = generation;
    this.#options.signal('launched', `${reason}: process ${connection.pid} was started`);
    events.publish('agent.process.started', { generation: number, pid: connection.pid });
    void connection.ended.then((end) => this.#onExit(generation, end));
    generation.start();
  }

  /** Launches once more; after a crash loop that is a half-open try. */
  async tryAgain(reason: string, isCrashLoop: boolean): Promise<void> {
    this.throwIfClosed();
    if (isCrashLoop) this.#options.recovery.halfOpen();
    this.#options.signal('restart-asked', reason);
    await this.launch(reason);
  }

  /** Ends the process if there is one, and any restart that is planned. Bounded like `AgentConnection.end`. */
  async end(kind: 'stop' | 'restart', reason: string): Promise<void> {
    const { config, recovery, drills, touch } = this.#options;
    recovery.cancel();
    drills.fail(reason);
    const connection = this.#generation?.connection;
    if (connection === undefined) return;
    this.#ending = { kind, reason };
    touch();
    const { name } = config();
    await connection.end(
      kind === 'stop'
        ? fault('agent.stopped', `${name} was stopped: ${reason}.`)
        : fault('agent.crashed', `${name} was restarted in mid-turn: ${reason}.`),
      { force: this.#generation?.isProbed === true && this.heartbeats.isSilent },
    );
  }

  /** No process is started any more. The one that runs goes on until it is ended. */
  close(): void {
    this.#isClosed = true;
  }

  /** Throws `agent.stopped` after `close`. */
  throwIfClosed(): void {
    if (!this.#isClosed) return;
    throw fault(
      'agent.stopped',
      `${this.#options.config().name} is not started any more: it was removed, or the app ends.`,
    );
  }

  /** The process is about to be made to fail. */
  expectFailure(reason: string): void {
    this.#ending = { kind: 'failure', reason };
    this.#options.touch();
  }

  /** What is known of the processes so far need not be true of those of another configuration. */
  forgetManners(): void {
    this.#answersProbes = false;
  }

  /** Looks at what the processes take of the machine. Never rejects. */
  async sampleResources(): Promise<void> {
    const generation = this.#generation;
    const resources = await generation?.connection.process.resources().catch(() => undefined);
    if (this.#generation === generation) this.#resources = resources;
  }

  /** Throws what it was given, unless it is worth another try. */
  #notLaunched(failure: CodedError): void {
    const { recovery, history, drills, signal } = this.#options;
    if (failure.code === 'agent.start_refused') {
      this.#recover('start-refused', failure.message, false);
      // No exit follows with which it would be saved.
      history.save();
      return;
    }
    this.launchFailure = failure;
    recovery.end();
    drills.fail(failure.message);
    signal('launch-failed', failure.message);
    // That the user wants it to run.
    history.save();
    throw failure;
  }

  #ready(generation: AgentGeneration, isProbed: boolean): void {
    if (this.#generation !== generation || this.#ending !== undefined) return;
    const { recovery, history, drills, events, signal } = this.#options;
    if (isProbed) signal('ready', 'Ready');
    else signal('ready-unprobed', UNPROBED);
    const durationMs = recovery.served();
    if (durationMs !== undefined) {
      this.#restarts += 1;
      history.addRecovery();
      events.publish('agent.recovered', { generation: generation.number, durationMs });
    }
    drills.serves(generation.number);
  }

  #probed(generation: AgentGeneration, result: ProbeResult): void {
    // An answer proves nothing of a process that is being ended; its silence is told, because the end may fail to come.
    if (this.#generation !== generation || (this.#ending !== undefined && result.kind === 'answered')) return;
    const { clock, drills, signal, onAnswered } = this.#options;
    if (result.kind === 'silent') {
      this.#beat({ at: clock.now(), ok: false });
      signal('silent', `No sign of life for ${Math.round(result.silentMs / 1000)} s`);
      drills.detected();
      // Nothing else would end a hang that was caused on purpose.
      if (drills.kind === 'hang') {
        this.#giveUp(generation, fault('agent.unresponsive', 'Hang drill: it was found to be silent'));
      }
      return;
    }
    this.#answersProbes = true;
    const wasSilent = this.heartbeats.isSilent;
    this.#beat({ at: clock.now(), ok: true, latencyMs: result.latencyMs });
    if (result.latencyMs > SLOW_ANSWER_MS) {
      signal('answered-slowly', `It took ${Math.round(result.latencyMs)} ms to answer a probe`);
      drills.detected();
      // It is back; whether it is well must not wait for the next heartbeat.
      if (wasSilent) generation.probeNow();
      return;
    }
    onAnswered();
    drills.serves(generation.number);
  }

  #beat(heartbeat: Heartbeat): void {
    this.heartbeats.add(heartbeat);
    this.#options.events.beat(heartbeat);
  }

  /** The process runs, but is of no use: ends it at once; its exit is a failure. */
  #giveUp(generation: AgentGeneration, reason: CodedError): void {
    if (this.#generation !== generation) return;
    this.#ending ??= { kind: 'failure', reason: reason.message };
    this.#options.touch();
    void generation.connection.end(reason, { force: true });
  }

  #onExit(generation: AgentGeneration, end: ProcessEnd): void {
    const { clock, logger, config, history, events } = this.#options;
    const ending = this.#ending;
    this.#generation = undefined;
    this.#ending = undefined;
    this.#resources = undefined;
    generation.end();
    const exit: AgentExit = {
      generation: generation.number,
      at: clock.now(),
      code: end.code,
      signal: end.signal,
      stderr: end.stderr.slice(-STDERR_LIMIT).toWellFormed(),
      intended: ending?.kind === 'stop' || ending?.kind === 'restart',
      reason: ending?.reason ?? endInWords(end),
      pid: generation.connection.pid,
      uptimeMs: generation.uptimeMs,
    };
    const { stderr: _, ...logged } = exit;
    logger.info('An agent process ended', { agentId: config().id, ...logged });
    events.publish('agent.process.exited', { exit });
    if (!exit.intended) this.#failed(exit, ending !== undefined);
    history.addExit(exit);
  }

  /** A process ended that was to go on. */
  #failed({ generation, code, reason }: AgentExit, wasGivenUp: boolean): void {
    const { recovery, drills, signal } = this.#options;
    if (code === 0 && !wasGivenUp) {
      recovery.end();
      drills.fail('It ended by itself');
      signal('exited-cleanly', 'It ended by itself with exit code 0');
      return;
    }
    drills.detected();
    this.#recover('exited', reason, drills.isOf(generation));
  }

  #recover(what: 'exited' | 'start-refused', reason: string, isRehearsed: boolean): void {
    const { recovery, drills, signal } = this.#options;
    const decision = recovery.failed(reason, isRehearsed);
    if (decision.kind === 'give-up') {
      drills.fail('It kept crashing');
      signal('breaker-opened', `${reason}. It failed ${decision.attempt} times in 10 minutes`);
    } else {
      signal(what, `${reason}. Restart ${decision.attempt} is due in ${decision.delayMs} ms`);
    }
  }
}
