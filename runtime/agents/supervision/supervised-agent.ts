import type { Clock } from '../../base/clock.ts';
import { type CodedError, isCoded, messageOf } from '../../base/errors.ts';
import { type MakeId, timeOrderedId } from '../../base/ids.ts';
import type { Logger } from '../../base/logger.ts';
import {
  type Agent,
  type AgentConfig,
  type AgentDrill,
  type AgentExit,
  fault,
} from '../../contract/index.ts';
import type { EventDraft } from '../../events/event-bus.ts';
import type { Settings } from '../../settings/settings.ts';
import type { PromptRequest, PromptResult } from '../agents.ts';
import type { ProcessEnd, SpawnProcess } from '../processes/agent-process.ts';
import type { AgentConnection } from '../protocol/agent-connection.ts';
import { endInWords } from '../protocol/agent-faults.ts';
import { keptTurns } from '../protocol/agent-priming.ts';
import type { LaunchSettings } from '../setup/agent-launch.ts';
import type { StoredAgent } from '../setup/agent-registry.ts';
import { AgentGeneration, type ProbeResult } from './agent-generation.ts';
import type { AgentSignal } from './agent-states.ts';
import { AgentStatus } from './agent-status.ts';
import { openConnection } from './open-connection.ts';
import { PlannedRestart } from './planned-restart.ts';
import { RestartPolicy } from './restart-policy.ts';

/** A prompt waits so long for an agent that is starting, restarting or silent. */
const PROMPT_WAIT_MS = 10_000;
/** An answer to a probe that is later than this makes an agent *degraded*. */
const SLOW_ANSWER_MS = 1000;
const KEPT_EXITS = 20;
const KEPT_HEARTBEATS = 60;
const MEGABYTE = 1024 * 1024;
const GENERAL_DRILLS: readonly AgentDrill[] = ['crash', 'hang'];

export type AgentSettings = LaunchSettings &
  Pick<
    Settings,
    | 'heartbeatIntervalMs'
    | 'livenessProbeTimeoutMs'
    | 'agentHeartbeatTimeoutSeconds'
    | 'agentStateMessageHistory'
    | 'agentStateMaxSizeMb'
  >;

export interface SupervisedAgentDependencies {
  clock: Clock;
  logger: Logger;
  settings: AgentSettings;
  spawn: SpawnProcess;
  random: () => number;
  makeId: MakeId;
  environment: Readonly<Record<string, string | undefined>>;
  clientInfo: { name: string; version: string };
  /** Makes a fact known. Must neither throw nor wait. */
  publish: (draft: EventDraft) => void;
  tell: (draft: EventDraft) => void;
}

/** Why a process is being ended by us. */
type Ending =
  /** The user or the runtime wants it gone, or replaced: no failure. */
  | { kind: 'stop' | 'restart'; reason: string }
  /** A rehearsed failure: it is recovered like a real one, but not held against the agent. */
  | { kind: 'drill'; reason: string }
  /** It had to be given up: a failure. */
  | { kind: 'given-up'; reason: string };

/**
 * One agent and its processes, one after the other: starts, watches, restarts and ends them, and knows the state. What the
 * user asks for runs one after the other; what happens to a process is taken at once.
 */
export class SupervisedAgent {
  readonly #dependencies: SupervisedAgentDependencies;
  readonly #policy: RestartPolicy;
  #stored: StoredAgent;
  readonly #status: AgentStatus;
  #generation = 0;
  #running: AgentGeneration | undefined;
  /** Set while the process that runs is being ended by us. */
  #ending: Ending | undefined;
  #launchFailure: CodedError | undefined;
  #runningTurns = 0;
  #restarts = 0;
  #attempt = 0;
  readonly #nextRestart: PlannedRestart;
  /** When the failure was seen that has not been recovered from yet, on the monotonic clock. */
  #downSince: number | undefined;
  readonly #exits: AgentExit[] = [];
  readonly #heartbeats: Agent['heartbeats'] = [];
  #correlationId: string;
  #work: Promise<unknown> = Promise.resolve();

  constructor(stored: StoredAgent, dependencies: SupervisedAgentDependencies) {
    this.#stored = stored;
    this.#dependencies = dependencies;
    this.#policy = new RestartPolicy(dependencies.random);
    this.#nextRestart = new PlannedRestart(dependencies.clock);
    this.#status = new AgentStatus(
      dependencies.clock,
      stored.config.autostart
        ? { state: 'unknown', reason: 'Not started yet' }
        : { state: 'stopped', reason: 'It does not start by itself' },
    );
    this.#correlationId = this.#makeCorrelationId();
  }

  get config(): AgentConfig {
    return this.#stored.config;
  }

  get state(): Agent['state'] {
    return this.#status.state;
  }

  get runningTurns(): number {
    return this.#runningTurns;
  }

  /** Recoveries since the app started. */
  get restarts(): number {
    return this.#restarts;
  }

  view(): Agent {
    const { connection, startedAt } = this.#running ?? {};
    return {
      ...this.#stored.config,
      version: this.#stored.version,
      state: this.#status.state,
      reason: this.#status.reason,
      since: this.#status.since,
      generation: this.#generation,
      ...(connection === undefined ? {} : { pid: connection.pid }),
      ...(startedAt === undefined ? {} : { startedAt }),
      runningTurns: this.#runningTurns,
      restarts: this.#restarts,
      attempt: this.#attempt,
      ...(this.#nextRestart.at === undefined ? {} : { nextRestartAt: this.#nextRestart.at }),
      ...(connection?.agentInfo === undefined ? {} : { agentInfo: connection.agentInfo }),
      drills: [...GENERAL_DRILLS, ...(connection?.ownDrills ?? [])],
      exits: [...this.#exits],
      heartbeats: [...this.#heartbeats],
    };
  }

  /** Resolves when a process has been started; whether it serves shows in the state. Nothing happens when one runs. */
  start(): Promise<void> {
    return this.#serially(async () => {
      if (this.#running !== undefined) return;
      this.#policy.reset();
      await this.#launch('Starting');
    });
  }

  /** Resolves when the process and all that it had started are gone. */
  stop(reason: string): Promise<void> {
    return this.#serially(async () => {
      await this.#end({ kind: 'stop', reason });
      this.#downSince = undefined;
      this.#attempt = 0;
      this.#signal('stopped', reason);
    });
  }

  /** Ends the process, whatever its state, and starts the next at once. */
  restart(reason: string): Promise<void> {
    // Said at once, so that a prompt that comes now waits for the next process.
    this.#signal('restart-asked', reason);
    return this.#serially(async () => {
      // And again, because a process that was starting may have become ready meanwhile.
      this.#signal('restart-asked', reason);
      await this.#end({ kind: 'restart', reason });
      this.#policy.reset();
      await this.#launch(reason);
    });
  }

  /** The stored configuration has changed: what runs on the old one is replaced. */
  async reconfigure(stored: StoredAgent): Promise<void> {
    const before = this.#stored.config;
    this.#stored = stored;
    this.#running?.connection.forgetAllSessions();
    const launchOf = ({ launch, model }: AgentConfig) => JSON.stringify([launch, model]);
    if (this.#running !== undefined && launchOf(before) !== launchOf(stored.config)) {
      await this.restart('Its configuration has changed');
    }
  }

  forgetSession(sessionId: string): void {
    this.#running?.connection.forgetSession(sessionId);
  }

  async drill(kind: AgentDrill): Promise<void> {
    const connection = this.#running?.connection;
    if (connection === undefined || this.#ending !== undefined) {
      throw fault('agent.not_ready', `${this.config.name} has no running process to drill.`);
    }
    if (!this.view().drills.includes(kind)) {
      throw fault('agent.drill_unsupported', `${this.config.name} does not offer the drill ${kind}.`, {
        kind,
      });
    }
    switch (kind) {
      case 'crash':
        this.#ending = { kind: 'drill', reason: 'Crash drill' };
        connection.process.signal('SIGKILL');
        return;
      case 'hang':
        connection.process.signal('SIGSTOP');
        return;
      default:
        await connection.drill(kind);
    }
  }

  async prompt(request: PromptRequest): Promise<PromptResult> {
    let connection: AgentConnection;
    try {
      connection = await this.#serving(request.signal);
    } catch (error) {
      if (request.signal.aborted) return { stopReason: 'cancelled' };
      throw error;
    }
    const { agentStateMessageHistory, agentStateMaxSizeMb } = this.#dependencies.settings;
    this.#runningTurns += 1;
    this.#signal('turn-began', 'Answering a prompt', request.correlationId);
    try {
      return await connection.prompt({
        ...request,
        history: async () =>
          keptTurns(await request.history(), {
            turns: agentStateMessageHistory,
            maxBytes: agentStateMaxSizeMb * MEGABYTE,
          }),
      });
    } finally {
      this.#runningTurns -= 1;
      if (this.#runningTurns === 0) this.#signal('turns-ended', 'Ready', request.correlationId);
    }
  }

  // What the user asks for, one after the other.
  #serially<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => undefined);
    return done;
  }

  /** Starts the next generation. Rejects when there is nothing that could be started; the state says so, too. */
  async #launch(reason: string): Promise<void> {
    const { logger, publish } = this.#dependencies;
    this.#nextRestart.cancel();
    this.#correlationId = this.#makeCorrelationId();
    let generation: AgentGeneration;
    let connection: AgentConnection;
    try {
      connection = await openConnection(this.config, {
        ...this.#dependencies,
        logger: logger.with({ correlationId: this.#correlationId }),
        onBroken: (broken) => this.#giveUp(generation, broken),
      });
    } catch (error) {
      this.#launchFailure = isCoded(error) ? error : fault('agent.failed', messageOf(error));
      this.#attempt = 0;
      this.#downSince = undefined;
      this.#signal('launch-failed', this.#launchFailure.message);
      throw this.#launchFailure;
    }
    this.#launchFailure = undefined;
    this.#ending = undefined;
    this.#generation += 1;
    generation = new AgentGeneration(this.#generation, connection, {
      ...this.#dependencies,
      onReady: (isProbed) => this.#ready(generation, isProbed),
      onProbe: (sign) => this.#probed(sign),
      onUseless: (useless) => this.#giveUp(generation, useless),
    });
    this.#running = generation;
    this.#signal('launched', `${reason}: process ${connection.pid} was started`);
    publish({
      topic: 'agent.process.started',
      subject: this.config.id,
      correlationId: this.#correlationId,
      data: { id: this.config.id, generation: generation.number, pid: connection.pid },
    });
    connection.ended.then((end) => this.#onExit(generation, end));
    generation.start();
  }

  #ready(generation: AgentGeneration, isProbed: boolean): void {
    if (this.#running !== generation || this.#ending !== undefined) return;
    const { clock, publish } = this.#dependencies;
    this.#attempt = 0;
    if (isProbed) this.#signal('ready', 'Ready');
    else this.#signal('ready-unprobed', 'It answers no probes, so only its process is watched');
    if (this.#downSince === undefined) return;
    const durationMs = Math.round(clock.monotonic() - this.#downSince);
    this.#downSince = undefined;
    this.#restarts += 1;
    publish({
      topic: 'agent.recovered',
      subject: this.config.id,
      correlationId: this.#correlationId,
      data: { id: this.config.id, generation: generation.number, durationMs },
    });
  }

  #probed(sign: ProbeResult): void {
    const { clock } = this.#dependencies;
    if (sign.kind === 'silent') {
      this.#beat({ at: clock.now(), ok: false });
      this.#signal('silent', `No sign of life for ${Math.round(sign.silentMs / 1000)} s`);
      return;
    }
    this.#beat({ at: clock.now(), ok: true, latencyMs: sign.latencyMs });
    if (this.#status.state !== 'unresponsive' && sign.latencyMs > SLOW_ANSWER_MS) {
      this.#signal('answered-slowly', `It took ${Math.round(sign.latencyMs)} ms to answer a probe`);
    } else if (this.#runningTurns > 0) this.#signal('answered-busy', 'Answering a prompt');
    else this.#signal('answered-idle', 'Ready');
  }

  #beat(heartbeat: Agent['heartbeats'][number]): void {
    this.#heartbeats.push(heartbeat);
    if (this.#heartbeats.length > KEPT_HEARTBEATS) this.#heartbeats.shift();
    this.#dependencies.tell({
      topic: 'agent.heartbeat',
      subject: this.config.id,
      priority: 'low',
      correlationId: this.#correlationId,
      data: { id: this.config.id, ...heartbeat },
    });
  }

  /** The process runs, but is of no use: ends it at once; its exit is a failure. */
  #giveUp(generation: AgentGeneration, reason: CodedError): void {
    if (this.#running !== generation) return;
    this.#ending ??= { kind: 'given-up', reason: reason.message };
    this.#status.touch();
    void generation.connection.end(reason, { force: true });
  }

  /** Ends the process if there is one, and any restart that is planned. */
  async #end(ending: Ending & { kind: 'stop' | 'restart' }): Promise<void> {
    this.#nextRestart.cancel();
    const connection = this.#running?.connection;
    if (connection === undefined) return;
    this.#ending = ending;
    this.#status.touch();
    const isSilent = this.#heartbeats.at(-1)?.ok === false;
    const { name } = this.config;
    const reason =
      ending.kind === 'stop'
        ? fault('agent.stopped', `${name} was stopped: ${ending.reason}.`)
        : fault('agent.crashed', `${name} was restarted in mid-turn: ${ending.reason}.`);
    await connection.end(reason, { force: isSilent });
  }

  #onExit(generation: AgentGeneration, end: ProcessEnd): void {
    const { clock, publish } = this.#dependencies;
    const ending = this.#ending;
    this.#running = undefined;
    this.#ending = undefined;
    generation.end();
    const intended = ending?.kind === 'stop' || ending?.kind === 'restart';
    const exit: AgentExit = {
      generation: generation.number,
      at: clock.now(),
      code: end.code,
      signal: end.signal,
      stderr: end.stderr,
      intended,
    };
    this.#exits.unshift(exit);
    this.#exits.length = Math.min(this.#exits.length, KEPT_EXITS);
    this.#dependencies.logger.info('An agent process ended', {
      agentId: this.config.id,
      generation: generation.number,
      pid: generation.connection.pid,
      code: end.code,
      signal: end.signal,
      intended,
    });
    publish({
      topic: 'agent.process.exited',
      subject: this.config.id,
      correlationId: this.#correlationId,
      data: { id: this.config.id, exit },
    });
    if (intended) return;
    if (ending === undefined && end.code === 0) {
      this.#downSince = undefined;
      this.#signal('exited-cleanly', 'It ended by itself with exit code 0');
      return;
    }
    this.#downSince ??= clock.monotonic();
    this.#recover(ending, ending?.reason ?? endInWords(end));
  }

  #recover(ending: Ending | undefined, reason: string): void {
    const decision =
      ending?.kind === 'drill'
        ? { kind: 'restart' as const, attempt: 1, delayMs: this.#policy.firstDelayMs }
        : this.#policy.failed(this.#dependencies.clock.monotonic());
    this.#attempt = decision.attempt;
    if (decision.kind === 'give-up') {
      this.#downSince = undefined;
      this.#signal('breaker-opened', `${reason}. It failed ${decision.attempt} times in 10 minutes`);
      return;
    }
    this.#nextRestart.plan(decision.delayMs, () => void this.#restartIfDue(reason));
    this.#signal('exited', `${reason}. Restart ${decision.attempt} is due in ${decision.delayMs} ms`);
  }

  async #restartIfDue(reason: string): Promise<void> {
    try {
      await this.#serially(async () => {
        // Meanwhile the user may have stopped or started it.
        if (this.#running === undefined && this.#status.state === 'restarting') await this.#launch(reason);
      });
    } catch (error) {
      this.#dependencies.logger.error('An agent could not be restarted', {
        agentId: this.config.id,
        error: messageOf(error),
      });
    }
  }

  /** The connection of an agent that serves; waits for one that is about to. */
  async #serving(signal: AbortSignal): Promise<AgentConnection> {
    const { clock } = this.#dependencies;
    const { name } = this.config;
    const deadline = clock.monotonic() + PROMPT_WAIT_MS;
    for (;;) {
      signal.throwIfAborted();
      switch (this.#ending?.kind === 'stop' ? 'stopped' : this.#status.state) {
        case 'healthy':
        case 'busy':
        case 'needs-you':
        case 'degraded':
          if (this.#running !== undefined && this.#ending === undefined) return this.#running.connection;
          break;
        case 'stopped':
        case 'interrupted':
          throw fault('agent.stopped', `${name} is stopped (${this.#status.reason}). Start it first.`);
        case 'crash-loop':
          throw fault('agent.crash_loop', `${name} keeps crashing. ${this.#status.reason}.`);
        case 'crashed':
          throw this.#launchFailure ?? fault('agent.crashed', `${name} has crashed. ${this.#status.reason}.`);
      }
      const remaining = deadline - clock.monotonic();
      if (remaining <= 0) {
        throw this.#status.state === 'unresponsive'
          ? fault('agent.unresponsive', `${name} does not answer. ${this.#status.reason}.`)
          : fault('agent.not_ready', `${name} is not ready. ${this.#status.reason}.`);
      }
      await this.#status.nextChange(remaining, signal);
    }
  }

  #signal(signal: AgentSignal, reason: string, correlationId = this.#correlationId): void {
    const change = this.#status.signal(signal, reason);
    if (change === undefined) return;
    this.#dependencies.publish({
      topic: 'agent.state.changed',
      subject: this.config.id,
      correlationId,
      data: { id: this.config.id, ...change, generation: this.#generation },
    });
  }

  #makeCorrelationId(): string {
    return timeOrderedId(this.#dependencies.clock.now(), this.#dependencies.makeId);
  }
}
