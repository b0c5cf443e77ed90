import { type McpServer, methods, PROTOCOL_VERSION } from '@agentclientprotocol/sdk';
import * as z from 'zod';
import type { Clock } from '../../base/clock.ts';
import { type CodedError, isCoded } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import {
  type Agent,
  type AgentCapabilities,
  type AgentDrill,
  type AuthMethod,
  fault,
} from '../../contract/index.ts';
import type { PromptRequest, PromptResult, SessionTold } from '../agents.ts';
import type { AgentProcess, ProcessEnd } from '../processes/agent-process.ts';
import { crashed, toAgentFault } from './agent-faults.ts';
import { AgentPeer } from './agent-peer.ts';
import { capabilitiesOf, initializeResponse } from './agent-responses.ts';
import type { AgentSessionStore } from './agent-session-store.ts';
import { AgentSessions } from './agent-sessions.ts';
import { AgentTurns } from './agent-turns.ts';
import { openWire } from './agent-wire.ts';
import { type AgentCommand, authMethodsOf } from './auth-methods.ts';
import { EXTENSION_METHODS, META } from './extensions.ts';
import type { FrameRecorder } from './frame-recorder.ts';
import { LimitedLog } from './limited-log.ts';
import { promptBlocks } from './prompt-blocks.ts';

/** An agent has so long to answer `initialize`. */
const INITIALIZE_TIMEOUT_MS = 15_000;
/** And so long to be logged in to: a person may have to do that on a web page. */
const AUTHENTICATE_TIMEOUT_MS = 300_000;
/** The turns have so long to be cancelled when the process is to be ended. */
const END_CANCEL_GRACE_MS = 1000;
/** A process that closed its output has so long to exit before that is taken for a broken protocol. */
const CLOSED_OUTPUT_GRACE_MS = 2000;
const LAST_WORDS_MS = 500;
/** Characters of a line that is no message which are logged. */
const MAX_NOISE = 500;

const CLIENT_CAPABILITIES = {
  // The agents work on their own: they read files and run commands without us.
  fs: { readTextFile: false, writeTextFile: false },
  terminal: false,
  session: { configOptions: { boolean: {} } },
  elicitation: { form: {} },
  // A person is told the command.
  auth: { terminal: true },
  // The same, for adapters from before ACP had a word for it.
  _meta: { 'terminal-auth': true },
};

const NO_CAPABILITIES: AgentCapabilities = {
  loadSession: false,
  resumeSession: false,
  closeSession: false,
  image: false,
  audio: false,
  embeddedContext: false,
  mcpHttp: false,
  mcpSse: false,
};

export interface AgentConnectionOptions {
  agent: { id: string; generation: number };
  process: AgentProcess;
  /** What the process was started with, for the words about a login in a terminal. */
  command?: AgentCommand;
  cwd: string;
  clock: Clock;
  logger: Logger;
  redact: (text: string) => string;
  /** Given to the agent with every session. Those that it cannot take (by HTTP, by SSE) are left out. */
  mcpServers?: readonly McpServer[];
  /** Keeps what goes over the wire for people to look at. */
  frames?: FrameRecorder;
  /** Where the ids of the sessions are kept that a later process may resume or load; without it every process begins anew. */
  sessions?: AgentSessionStore;
  /** What the agent tells of a session, in a turn or between the turns. Must neither throw nor wait. */
  onTold?: (sessionId: string, told: SessionTold) => void;
  /** How long it may take to answer `initialize`; default 15 s. */
  initializeTimeoutMs?: number;
  /** The protocol is broken for good, although the process runs: the taker is expected to end the process. */
  onBroken: (reason: CodedError) => void;
}

/**
 * The connection to one process of an agent: one generation, never used again. As soon as the process has ended,
 * everything that waits for it rejects with `agent.crashed`, or with what `end` was told.
 */
export class AgentConnection {
  readonly process: AgentProcess;
  /** Resolves when the process has ended and everything that waited was told. */
  readonly ended: Promise<ProcessEnd>;
  agentInfo: Agent['agentInfo'];
  protocolVersion: number | undefined;
  /** What it can, as it said in `initialize`; undefined before. */
  capabilities: AgentCapabilities | undefined;
  authMethods: AuthMethod[] = [];
  /** The drills that only an agent can do that knows them. */
  ownDrills: AgentDrill[] = [];
  readonly #options: AgentConnectionOptions;
  readonly #log: LimitedLog;
  readonly #peer: AgentPeer;
  readonly #sessions: AgentSessions;
  readonly #turns: AgentTurns;
  #lastToldAt: number;
  #lastNoise = '';
  #takesHistory = false;
  #endFault: CodedError | undefined;
  /** Aborted when the process is to end in order. */
  readonly #ending = new AbortController();

  constructor(options: AgentConnectionOptions) {
    this.#options = options;
    this.process = options.process;
    this.#lastToldAt = options.clock.monotonic();
    this.#log = new LimitedLog(options.logger);
    this.#peer = this.#connect();
    this.#sessions = new AgentSessions({
      peer: this.#peer,
      clock: options.clock,
      logger: options.logger,
      agentId: options.agent.id,
      cwd: options.cwd,
      mcpServers: () => this.#mcpServers(),
      capabilities: () => this.capabilities ?? NO_CAPABILITIES,
      takesHistory: () => this.#takesHistory,
      store: options.sessions,
      onTold: options.onTold ?? (() => undefined),
    });
    this.#turns = new AgentTurns({
      peer: this.#peer,
      sessions: this.#sessions,
      clock: options.clock,
      logger: options.logger,
      log: this.#log,
      cwd: options.cwd,
    });
    this.ended = this.#watch();
    // What it has left in its pipe is little, and would be lost if it were not read at once.
    void this.process.exited.then(() => this.#turns.letGo());
  }

  get pid(): number {
    return this.process.pid;
  }

  /**
   * When something came from the agent last, answers to probes left out, on the monotonic clock. It is now for as long as we
   * are the ones who do not read: what it says waits for us, and its silence must not be held against it.
   */
  get lastActivityAt(): number {
    if (this.#turns.isHeld) return this.#options.clock.monotonic();
    return Math.max(this.#lastToldAt, this.#turns.lastAskedAt, this.#peer.lastAnswerAt);
  }

  /**
   * Rejects with `agent.protocol_error` when the agent does not speak our version of ACP, or not in time: 15 s, unless the
   * command may have to fetch the program first.
   */
  async initialize(clientInfo: { name: string; version: string }): Promise<void> {
    const told = await this.#peer
      .request(
        methods.agent.initialize,
        { protocolVersion: PROTOCOL_VERSION, clientInfo, clientCapabilities: CLIENT_CAPABILITIES },
        initializeResponse,
        this.#options.initializeTimeoutMs ?? INITIALIZE_TIMEOUT_MS,
      )
      .catch((error: unknown) => {
        throw this.#notAnAgent(error);
      });
    this.protocolVersion = told.protocolVersion;
    if (told.protocolVersion !== PROTOCOL_VERSION) {
      throw fault(
        'agent.protocol_error',
        `It speaks version ${told.protocolVersion} of ACP; version ${PROTOCOL_VERSION} is needed.`,
      );
    }
    const { redact, command } = this.#options;
    const { name, title, version } = told.agentInfo ?? {};
    if (name !== undefined && version !== undefined) {
      this.agentInfo = {
        name: redact(name),
        ...(title === undefined ? {} : { title: redact(title) }),
        version: redact(version),
      };
    }
    this.capabilities = capabilitiesOf(told);
    this.authMethods = authMethodsOf(told.authMethods ?? [], command).map((method) => ({
      ...method,
      name: redact(method.name),
      ...(method.description === undefined ? {} : { description: redact(method.description) }),
      ...(method.command === undefined ? {} : { command: redact(method.command) }),
    }));
    this.#takesHistory = told.agentCapabilities?._meta?.[META.history] ?? false;
    this.ownDrills = told.agentCapabilities?._meta?.[META.drills] ?? [];
  }

  /** Resolves when the agent answered anything at all: that it does not know the method is an answer. */
  ping(): Promise<void> {
    return this.#peer.ping();
  }

  /** Asks the agent for a drill that is its own. Rejects with `agent.failed`. */
  async drill(kind: AgentDrill): Promise<void> {
    await this.#peer.request(EXTENSION_METHODS.drill, { kind }, z.unknown());
  }

  /**
   * Logs in by one of the methods that the agent told. Rejects with `agent.auth_method_unknown`, for one that is run in a
   * terminal, too; with `agent.failed` or `agent.login_needed` as the agent says, and `agent.protocol_error` after 5 minutes.
   */
  async authenticate(methodId: string): Promise<void> {
    const method = this.authMethods.find(({ id }) => id === methodId);
    if (method === undefined) {
      throw fault('agent.auth_method_unknown', `The agent offers no way to log in called “${methodId}”.`);
    }
    if (method.type === 'terminal') {
      throw fault(
        'agent.auth_method_unknown',
        `“${method.name}” is a login in a terminal: run ${method.command ?? 'the command of the agent'} there.`,
      );
    }
    await this.#peer.request(methods.agent.authenticate, { methodId }, z.unknown(), AUTHENTICATE_TIMEOUT_MS);
  }

  /** Rejects with `session.mode_unknown` when the session is not open here or offers no such mode, or `agent.failed`. */
  setMode(sessionId: string, modeId: string): Promise<void> {
    return this.#sessions.setMode(sessionId, modeId);
  }

  /** Rejects like {@link setMode}. */
  setOption(sessionId: string, optionId: string, value: string | boolean): Promise<void> {
    return this.#sessions.setOption(sessionId, optionId, value);
  }

  /**
   * One turn. Aborting the signal cancels it; it then resolves with `cancelled`, if need be without the agent. Rejects with
   * `session.attachment_unsupported`, `agent.login_needed`, `agent.protocol_error`, `agent.failed`, a `provider.*` code, or
   * what ended the connection.
   */
  async prompt(given: Omit<PromptRequest, 'agentId'>): Promise<PromptResult> {
    const takes = this.capabilities ?? NO_CAPABILITIES;
    const blocks = promptBlocks(given.text, given.attachments, takes);
    // The end of the process cancels a turn in every phase, also while its ACP session is still being made.
    const request = { ...given, signal: AbortSignal.any([given.signal, this.#ending.signal]) };
    const aborted = Promise.withResolvers<undefined>();
    const onAbort = () => aborted.resolve(undefined);
    request.signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (request.signal.aborted) return { stopReason: 'cancelled' };
      const session = await Promise.race([this.#sessions.open(request), aborted.promise]);
      if (session === undefined) return { stopReason: 'cancelled' };
      const result = await this.#turns.run(session, request, blocks);
      return { ...result, stopReason: this.#options.redact(result.stopReason) };
    } finally {
      request.signal.removeEventListener('abort', onAbort);
    }
  }

  /** The session will not be used again: if it is open here, it is closed, and its ACP session is never resumed. */
  forgetSession(sessionId: string): void {
    this.#sessions.forget(sessionId);
  }

  forgetAllSessions(): void {
    this.#sessions.forgetAll();
  }

  /**
   * Ends the process: in order, the turns being cancelled first, or at once. What still waits for it rejects with `reason`.
   * Bounded by 6 s.
   */
  async end(reason: CodedError, options: { force: boolean }): Promise<ProcessEnd> {
    if (!options.force) await this.#cancelTurns();
    this.#endFault ??= reason;
    void (options.force ? this.process.kill() : this.process.end());
    return this.ended;
  }

  async #cancelTurns(): Promise<void> {
    const ended = this.#turns.ended();
    this.#ending.abort();
    const grace = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(END_CANCEL_GRACE_MS, grace.resolve);
    await Promise.race([ended, grace.promise]);
    timer.cancel();
  }

  #connect(): AgentPeer {
    const { agent, process, redact, clock, frames } = this.#options;
    const stream = openWire({
      stdin: process.stdin,
      stdout: process.stdout,
      onFrame: (frame) => frames?.record({ ...frame, generation: agent.generation, redact }),
      onNoise: (line) => {
        this.#lastNoise = redact(line).slice(0, MAX_NOISE);
        this.#log.debug('Noise on the stdout of an agent', { line: this.#lastNoise });
      },
      onStray: (what) => this.#log.debug('An agent sent what belongs to nothing', { what: redact(what) }),
      onUpdate: (params) => this.#onUpdate(params),
      onEnd: (error) => this.#wireEnded(error),
      onWriteFailed: () => void this.#wireEnded().catch(() => undefined),
    });
    return new AgentPeer(stream, {
      clock,
      redact,
      authMethods: () => this.authMethods,
      onPermission: (params, signal) => this.#turns.onPermission(params, signal),
      onElicitation: (params, signal) => this.#turns.onElicitation(params, signal),
    });
  }

  #onUpdate(params: unknown): void | Promise<void> {
    this.#lastToldAt = this.#options.clock.monotonic();
    const { sessionId, update } = (params ?? {}) as { sessionId?: unknown; update?: unknown };
    if (typeof sessionId !== 'string') return this.#strayUpdate('', update);
    if (!this.#sessions.onUpdate(sessionId, update)) return this.#strayUpdate(sessionId, update);
    // What comes between the turns (the list of commands, a late chunk) belongs to no entry of the transcript.
    return this.#turns.onUpdate(sessionId, update);
  }

  #strayUpdate(sessionId: string, update: unknown): void {
    const kind = (update as { sessionUpdate?: unknown } | null)?.sessionUpdate;
    this.#log.debug('An agent told something of a session that is not open', {
      session: sessionId.slice(0, 100),
      kind: String(kind).slice(0, 100),
    });
  }

  /** Why `initialize` failed, in words for somebody who perhaps entered the wrong command. */
  #notAnAgent(error: unknown): CodedError {
    const reason = toAgentFault(error, methods.agent.initialize, this.#options.redact);
    if (!isCoded(reason, 'agent.protocol_error')) return reason;
    const wrote = this.#lastNoise === '' ? '' : ` It wrote: “${this.#lastNoise.slice(0, 200)}”.`;
    return fault('agent.protocol_error', `${reason.message} Is it an ACP agent?${wrote}`, reason.data);
  }

  #mcpServers(): readonly McpServer[] {
    const { mcpHttp = false, mcpSse = false } = this.capabilities ?? {};
    return (this.#options.mcpServers ?? []).filter((server) => {
      if (!('type' in server)) return true;
      const isTaken = server.type === 'http' ? mcpHttp : mcpSse;
      if (!isTaken) {
        this.#log.warn('An agent does not take an MCP server of this type, so it is not given to it', {
          server: server.name,
          type: server.type,
        });
      }
      return isTaken;
    });
  }

  async #watch(): Promise<ProcessEnd> {
    const end = await this.process.ended;
    // What the process wrote last is on its way through the wire; then the wire closes the connection. If it is stuck, we do.
    const timer = this.#options.clock.after(LAST_WORDS_MS, () => this.#peer.close(this.#endOf(end)));
    await this.#peer.closed;
    timer.cancel();
    return end;
  }

  /**
   * Nothing more can be read or written: rejects with what everything that waits for an answer gets. Usually the process
   * exits in the same moment; when it does not, or sent what cannot be taken, the protocol is broken.
   */
  async #wireEnded(error?: unknown): Promise<never> {
    const { clock, onBroken, redact } = this.#options;
    let reason = error === undefined ? undefined : toAgentFault(error, '', redact);
    if (reason === undefined) {
      const grace = Promise.withResolvers<void>();
      const timer = clock.after(CLOSED_OUTPUT_GRACE_MS, grace.resolve);
      const end = await Promise.race([this.process.ended, grace.promise]);
      timer.cancel();
      if (end !== undefined) throw this.#endOf(end);
      reason = fault('agent.protocol_error', 'The agent closed its input or output and did not exit.');
    }
    onBroken(reason);
    throw reason;
  }

  #endOf(end: ProcessEnd): CodedError {
    return this.#endFault ?? crashed(end);
  }
}
