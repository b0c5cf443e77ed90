import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { MakeId } from '../../base/ids.ts';
import type { Logger } from '../../base/logger.ts';
import { type Agent, type AgentConfig, type AgentDrill, fault } from '../../contract/index.ts';
import type { EventDraft } from '../../events/event-bus.ts';
import type { Settings } from '../../settings/settings.ts';
import type { PromptRequest, PromptResult } from '../agents.ts';
import type { AgentConnection } from '../protocol/agent-connection.ts';
import type { FrameRecorder } from '../protocol/frame-recorder.ts';
import type { StoredAgent } from '../setup/agent-registry.ts';
import { AgentDrills } from './agent-drills.ts';
import { AgentEvents } from './agent-events.ts';
import { AgentHistory } from './agent-history.ts';
import type { AgentRecord, AgentRecords } from './agent-record.ts';
import { type AgentSignal, firstState } from './agent-states.ts';
import { AgentStatus } from './agent-status.ts';
import { AgentTurns } from './agent-turns.ts';
import { viewOf } from './agent-view.ts';
import type { OpenConnection } from './open-connection.ts';
import { ProcessKeeper } from './process-keeper.ts';
import { Recovery } from './recovery.ts';
import { rehearsable } from './rehearsals.ts';
import type { BackOff } from './restart-policy.ts';
import { Serial } from './serial.ts';
import { servingConnection } from './serving.ts';

export type SupervisionSettings = Pick<
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
  settings: SupervisionSettings;
  random: () => number;
  backOff?: BackOff;
  makeId: MakeId;
  clientInfo: { name: string; version: string };
  open: OpenConnection;
  records: Pick<AgentRecords, 'writer'>;
  /** Makes a fact known. Must neither throw nor wait. */
  publish: (draft: EventDraft) => void;
  tell: (draft: EventDraft) => void;
}

/** One agent as it is asked for: what the user wants of it runs one after the other, and its state is known at any time. */
export class SupervisedAgent {
  readonly #dependencies: SupervisedAgentDependencies;
  readonly #status: AgentStatus;
  readonly #events: AgentEvents;
  readonly #history: AgentHistory;
  readonly #recovery: Recovery;
  readonly #drills: AgentDrills;
  readonly #turns: AgentTurns;
  readonly #keeper: ProcessKeeper;
  readonly #work = new Serial();
  #stored: StoredAgent;

  constructor(stored: StoredAgent, record: AgentRecord, dependencies: SupervisedAgentDependencies) {
    const { clock, settings, makeId, records } = dependencies;
    const signal = (what: AgentSignal, reason: string, correlationId?: string) =>
      this.#signal(what, reason, correlationId);
    this.#stored = stored;
    this.#dependencies = dependencies;
    this.#events = new AgentEvents(stored.config.id, dependencies);
    this.#recovery = new Recovery({ ...dependencies, onDue: (kind, reason) => this.#onDue(kind, reason) });
    this.#drills = new AgentDrills({
      clock,
      makeId,
      onChange: (change, drill) => {
        this.#events.publish(`agent.drill.${change}`, { drill });
        this.#history.save();
      },
    });
    this.#turns = new AgentTurns({
      clock,
      settings,
      signal,
      unproven: () => this.#keeper.unproven,
      onQuiet: (since) => this.#events.publish('agent.quiet.changed', since === undefined ? {} : { since }),
      onInterrupted: () => this.#drills.turnInterrupted(),
      onWorking: () => {
        if (!this.config.autostart) this.#history.save();
      },
    });
    this.#drills.restore(record.drillResults);
    const isBreakerOpen = this.#recovery.restore(record);
    this.#history = new AgentHistory(record, {
      agentId: stored.config.id,
      clock,
      records,
      read: () => ({
        name: this.config.name,
        ...this.#recovery.history,
        drillResults: this.#drills.results,
        isWorking: this.#turns.count > 0 && !this.config.autostart,
      }),
    });
    this.#keeper = new ProcessKeeper({
      ...dependencies,
      signal,
      config: () => this.config,
      history: this.#history,
      recovery: this.#recovery,
      drills: this.#drills,
      events: this.#events,
      touch: () => this.#status.touch(),
      onAnswered: () => this.#turns.answered(),
    });
    this.#status = new AgentStatus(clock, firstState({ ...stored.config, ...record, isBreakerOpen }));
    if (this.state !== 'crash-loop') this.#recovery.cancel();
  }

  get config(): AgentConfig {
    return this.#stored.config;
  }

  get state(): Agent['state'] {
    return this.#status.state;
  }

  get runningTurns(): number {
    return this.#turns.count;
  }

  /** Recoveries since the app started. */
  get restarts(): number {
    return this.#keeper.restarts;
  }

  /** What went over the wires of all its processes last. */
  get frames(): FrameRecorder {
    return this.#keeper.frames;
  }

  view(): Agent {
    return viewOf({
      stored: this.#stored,
      status: this.#status,
      history: this.#history,
      recovery: this.#recovery,
      drills: this.#drills,
      turns: this.#turns,
      keeper: this.#keeper,
    });
  }

  /** The app has started: starts it when that is what its configuration, its user and its breaker say. */
  async begin(): Promise<void> {
    const exit = this.#history.addUnseenExit();
    if (exit !== undefined) this.#events.publish('agent.process.exited', { exit });
    this.#drills.closeUnseen();
    if (this.state === 'unknown') await this.#work.run(() => this.#keeper.launch('Starting'));
  }

  /** Resolves when a process has been started; whether it serves shows in the state. Nothing happens when one runs. */
  start(): Promise<void> {
    this.#history.desired = 'running';
    return this.#work.run(async () => {
      if (this.#keeper.generation !== undefined) return;
      this.#recovery.reset();
      await this.#keeper.launch('Starting');
    });
  }

  /** Resolves when all of its processes are gone. It stays stopped until it is started, over restarts of the app, too. */
  stop(reason: string): Promise<void> {
    this.#history.desired = 'stopped';
    return this.#work.run(async () => {
      await this.#stop(reason);
      this.#history.wasInTurn = false;
      this.#history.save();
    });
  }

  /**
   * The same because the app ends (the next one starts it again), or because the agent is gone: nothing is started any more,
   * also not what was asked for before. Bounded by a second more than the end of a process, and the launch that is under way.
   */
  shutDown(reason: string): Promise<void> {
    this.#keeper.close();
    return this.#work.run(async () => {
      this.#history.wasInTurn ||= this.#turns.count > 0 && !this.config.autostart;
      await this.#stop(reason);
      await this.#history.close();
    });
  }

  /** Ends the process, whatever its state, and starts the next at once. */
  async restart(reason: string): Promise<void> {
    this.#keeper.throwIfClosed();
    this.#history.desired = 'running';
    // Said at once, so that a prompt that comes now waits for the next process.
    this.#signal('restart-asked', reason);
    await this.#work.run(() => this.#replace(reason));
  }

  /** Makes the next try now; in a crash loop it is a half-open one. Nothing happens when a process runs. */
  retry(reason: string): Promise<void> {
    this.#history.desired = 'running';
    return this.#work.run(async () => {
      if (this.#keeper.generation === undefined) {
        await this.#keeper.tryAgain(reason, this.state === 'crash-loop');
      }
    });
  }

  /** The stored configuration has changed: what runs, or is tried, on the old one is replaced. */
  async reconfigure(stored: StoredAgent): Promise<void> {
    const launchOf = ({ launch, model, mcpServers }: AgentConfig) =>
      JSON.stringify([launch, model, mcpServers]);
    const isSame = launchOf(this.config) === launchOf(stored.config);
    this.#stored = stored;
    this.#history.save();
    if (isSame) return;
    this.#keeper.forgetManners();
    const reason = 'Its configuration has changed';
    if (this.#isToRun) this.#signal('restart-asked', reason);
    // Looked at once more then: a start that is under way has perhaps taken the old one, and a stop is not to be undone.
    await this.#work.run(async () => {
      if (this.#isToRun) await this.#replace(reason);
    });
  }

  /** Throws `agent.not_ready`, `agent.drill_unsupported` or `agent.drill_running`. */
  drill(kind: AgentDrill): void {
    const generation = this.#keeper.ready('a drill');
    if (!rehearsable(generation).includes(kind)) {
      throw fault('agent.drill_unsupported', `${this.config.name} does not offer the drill ${kind}.`, {
        kind,
      });
    }
    this.#drills.start(kind, generation);
    if (kind === 'crash') this.#keeper.expectFailure('Crash drill');
  }

  /** Rejects with `agent.not_ready`, `agent.auth_method_unknown` or `agent.failed`. */
  async authenticate(methodId: string): Promise<void> {
    await this.#keeper.ready('a login').connection.authenticate(methodId);
  }

  /** The connection that may have sessions open. Throws `session.mode_unknown` when there is none. */
  connectionOfSessions(): AgentConnection {
    const { connection } = this.#keeper;
    if (connection !== undefined) return connection;
    throw fault('session.mode_unknown', `${this.config.name} has no process that has opened this session.`);
  }

  forgetSession(sessionId: string): void {
    this.#keeper.generation?.connection.forgetSession(sessionId);
  }

  forgetAllSessions(): void {
    this.#keeper.generation?.connection.forgetAllSessions();
  }

  /** So many items of it wait for the user. */
  setWaiting(count: number): void {
    this.#turns.setWaiting(count);
  }

  /** Looks at what its processes take of the machine. Never rejects. */
  sampleResources(): Promise<void> {
    return this.#keeper.sampleResources();
  }

  async prompt(request: PromptRequest): Promise<PromptResult> {
    let connection: AgentConnection;
    try {
      connection = await servingConnection(
        {
          clock: this.#dependencies.clock,
          name: this.config.name,
          status: this.#status,
          keeper: this.#keeper,
        },
        request.signal,
      );
    } catch (error) {
      if (request.signal.aborted) return { stopReason: 'cancelled' };
      throw error;
    }
    return this.#turns.run(connection, request);
  }

  /** A process runs or is tried, and the user has not asked for its end. */
  get #isToRun(): boolean {
    return this.#history.desired === 'running' && this.state !== 'stopped' && this.state !== 'interrupted';
  }

  /** Ends the process if there is one, and starts the next. */
  async #replace(reason: string): Promise<void> {
    this.#keeper.throwIfClosed();
    // Said also when it was said before, because a process that was starting may have become ready meanwhile.
    this.#signal('restart-asked', reason);
    await this.#keeper.end('restart', reason);
    this.#recovery.reset();
    await this.#keeper.launch(reason);
  }

  async #stop(reason: string): Promise<void> {
    await this.#keeper.end('stop', reason);
    this.#recovery.end();
    this.#signal('stopped', reason);
  }

  /** Carries out what was planned, unless the user has stopped or started it meanwhile. */
  #onDue(kind: 'restart' | 'half-open', reason: string): void {
    const expected = kind === 'restart' ? 'restarting' : 'crash-loop';
    const carriedOut = this.#work.run(async () => {
      if (this.#keeper.generation !== undefined || this.state !== expected) return;
      if (kind === 'restart') await this.#keeper.launch(reason);
      else await this.#keeper.tryAgain(reason, true);
    });
    carriedOut.catch((error: unknown) =>
      this.#dependencies.logger.error('An agent could not be restarted', {
        agentId: this.config.id,
        error: messageOf(error),
      }),
    );
  }

  #signal(signal: AgentSignal, reason: string, correlationId?: string): void {
    const change = this.#status.signal(signal, reason);
    if (change === undefined) return;
    const { generation } = this.#history;
    this.#events.publish('agent.state.changed', { ...change, generation }, correlationId);
  }
}
