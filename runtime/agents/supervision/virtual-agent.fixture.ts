/** The supervision of one agent in virtual time, over processes that do exactly what they are told. */
import { VirtualClock } from '../../base/clock.ts';
import type { CodedError } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import { agentConfig, fault, type LiveEvents, type LiveTopic } from '../../contract/index.ts';
import type { EventDraft } from '../../events/event-bus.ts';
import type { PromptRequest, PromptResult } from '../agents.ts';
import type { ProcessEnd } from '../processes/agent-process.ts';
import type { AgentConnection } from '../protocol/agent-connection.ts';
import type { AgentRecord } from './agent-record.ts';
import { SupervisedAgent } from './supervised-agent.ts';

/** How the processes behave from now on. */
export interface Manner {
  /** `silent`: not before `wakeUp`; a number: after so many milliseconds. */
  probes: 'answered' | 'silent' | number;
  initialize: 'answered' | 'silent';
  /** Why none can be started. */
  launch?: CodedError;
  /** None is started before it resolves. */
  launchAfter?: Promise<void>;
  /** A signal that kills does not reach it. */
  survives?: boolean;
}

/** A process and the connection to it, in one. */
class FakeProcess {
  readonly #clock: VirtualClock;
  readonly #manner: Manner;
  readonly pid: number;
  readonly #ended = Promise.withResolvers<ProcessEnd>();
  readonly ended = this.#ended.promise;
  readonly signals: string[] = [];
  readonly process = {
    signal: (name: string) => {
      this.signals.push(name);
      if (name === 'SIGKILL' && this.#manner.survives !== true) this.exit(null, 'SIGKILL');
    },
    resources: async () => undefined,
  };
  capabilities = undefined;
  authMethods = [];
  ownDrills = [];
  lastActivityAt = 0;
  turn: { request: PromptRequest; end: (error?: CodedError) => void } | undefined;
  #waiting: (() => void)[] = [];

  constructor(pid: number, clock: VirtualClock, manner: Manner) {
    this.pid = pid;
    this.#clock = clock;
    this.#manner = manner;
  }

  initialize(): Promise<void> {
    return this.#manner.initialize === 'answered' ? Promise.resolve() : new Promise(() => undefined);
  }

  ping(): Promise<void> {
    const answered = Promise.withResolvers<void>();
    if (this.#manner.probes === 'answered') answered.resolve();
    else if (this.#manner.probes === 'silent') this.#waiting.push(answered.resolve);
    else this.#clock.after(this.#manner.probes, answered.resolve);
    return answered.promise;
  }

  /** Answers the probes that it has not answered so far. */
  wakeUp(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }

  prompt(request: PromptRequest): Promise<{ stopReason: string }> {
    const turn = Promise.withResolvers<{ stopReason: string }>();
    this.turn = {
      request,
      end: (error) => (error === undefined ? turn.resolve({ stopReason: 'end_turn' }) : turn.reject(error)),
    };
    return turn.promise;
  }

  async end(reason: CodedError, { force }: { force: boolean }): Promise<ProcessEnd> {
    this.turn?.end(reason);
    this.exit(force ? null : 0, force ? 'SIGKILL' : null);
    return this.ended;
  }

  exit(code: number | null, signal: string | null = null): void {
    this.turn?.end(fault('agent.crashed', 'gone'));
    this.#ended.resolve({ code, signal, stderr: 'last words' });
  }
}

export type VirtualAgent = ReturnType<typeof createVirtualAgent>;

/** An agent with the settings of the product that has not been started yet, and what an earlier app has kept of it. */
export function createVirtualAgent(kept: Partial<AgentRecord> = {}, now?: number) {
  const manner: Manner = { probes: 'answered', initialize: 'answered' };
  const clock = new VirtualClock(now);
  const processes: FakeProcess[] = [];
  const events: EventDraft[] = [];
  const commands: string[] = [];
  const saved: AgentRecord[] = [];
  const agent = new SupervisedAgent(
    {
      config: agentConfig.parse({
        id: 'mine',
        name: 'Mine',
        launch: { kind: 'command', command: '/bin/agent' },
        createdAt: 1,
      }),
      version: 1,
    },
    {
      name: 'Mine',
      kind: 'agent',
      generation: 0,
      exits: [],
      drillResults: [],
      failures: [],
      openings: 0,
      restarts: 0,
      desired: 'running',
      inTurn: false,
      ...kept,
    },
    {
      clock,
      logger: silentLogger,
      settings: {
        heartbeatIntervalMs: 2000,
        livenessProbeTimeoutMs: 5000,
        agentHeartbeatTimeoutSeconds: 90,
        agentStateMessageHistory: 10,
        agentStateMaxSizeMb: 10,
      },
      // The longest jitter: the delays are the documented ones.
      random: () => 1,
      makeId: (length) => 'x'.repeat(length),
      clientInfo: { name: 'test', version: '0' },
      async open(config) {
        commands.push(config.launch.kind === 'command' ? config.launch.command : '');
        await manner.launchAfter;
        if (manner.launch !== undefined) throw manner.launch;
        const started = new FakeProcess(1000 + processes.length, clock, manner);
        processes.push(started);
        return started as unknown as AgentConnection;
      },
      records: {
        writer: (_, read) => ({
          async save() {
            saved.push(read());
            return true;
          },
        }),
      },
      publish: (draft) => void events.push(draft),
      tell: () => undefined,
    },
  );

  const newest = () => processes.at(-1) as FakeProcess;
  const dataOf = <T extends LiveTopic>(topic: T) =>
    events.filter((event) => event.topic === topic).map((event) => event.data as LiveEvents[T]);

  return {
    agent,
    clock,
    manner,
    dataOf,
    /** Of the processes that were to be started, the newest last. */
    commands,
    /** What was kept for the next app last. */
    kept: () => saved.at(-1) as AgentRecord,
    /** The newest process. */
    newest,
    states: () => dataOf('agent.state.changed').map(({ to }) => to),
    async start(): Promise<void> {
      await agent.begin();
      await clock.advance(0);
    },
    /** The newest process ends with an error, and that is seen. */
    async die(): Promise<void> {
      newest().exit(1);
      await clock.advance(0);
    },
    ask(): Promise<PromptResult> {
      const result = agent.prompt({
        agentId: 'mine',
        sessionId: 'session',
        turnId: 'turn',
        correlationId: 'correlation',
        text: 'hello',
        attachments: [],
        history: async () => [],
        signal: new AbortController().signal,
        onUpdate: () => undefined,
        onUsage: () => undefined,
        onPermission: async () => undefined,
        onQuestion: async () => ({ action: 'cancel' }),
      });
      result.catch(() => undefined);
      return result;
    },
  };
}
