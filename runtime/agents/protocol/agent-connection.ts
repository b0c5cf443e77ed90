import { type ClientConnection, client, methods, PROTOCOL_VERSION } from '@agentclientprotocol/sdk';
import * as z from 'zod';
import type { Clock } from '../../base/clock.ts';
import type { CodedError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { type Agent, type AgentDrill, fault } from '../../contract/index.ts';
import type { PromptRequest, PromptResult } from '../agents.ts';
import type { AgentProcess, ProcessEnd } from '../processes/agent-process.ts';
import { crashed, toAgentFault } from './agent-faults.ts';
import { type HistoryEntry, preface } from './agent-priming.ts';
import { initializeResponse, newSessionResponse, promptResponse } from './agent-responses.ts';
import { UpdateMapper } from './agent-updates.ts';
import { openWire } from './agent-wire.ts';
import { EXTENSION_METHODS, META } from './extensions.ts';

/** An agent has so long to answer `initialize`. */
const INITIALIZE_TIMEOUT_MS = 15_000;
/** And so long to confirm a cancel, before the turn is ended without it. */
const CANCEL_GRACE_MS = 5000;
/** The same when the process is to be ended. */
const END_CANCEL_GRACE_MS = 1000;
/** A process that closed its output has so long to exit before that is taken for a broken protocol. */
const CLOSED_OUTPUT_GRACE_MS = 2000;
const LAST_WORDS_MS = 500;

interface AcpSession {
  /** The id that the agent gave it. */
  id: string;
  /** What the agent must be told before the first prompt; empty once it was. */
  preface: string;
}

interface RunningTurn {
  mapper: UpdateMapper;
  onUpdate: PromptRequest['onUpdate'];
  ended: Promise<unknown>;
}

export interface AgentConnectionOptions {
  process: AgentProcess;
  cwd: string;
  clock: Clock;
  logger: Logger;
  redact: (text: string) => string;
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
  /** The drills that only an agent can do that knows them. */
  ownDrills: AgentDrill[] = [];
  /** When something came from the agent last, on the monotonic clock. */
  lastActivityAt: number;
  readonly #options: AgentConnectionOptions;
  readonly #connection: ClientConnection;
  /** By product session. A promise, so that two prompts at once open one ACP session. */
  readonly #sessions = new Map<string, Promise<AcpSession>>();
  /** By ACP session. */
  readonly #turns = new Map<string, RunningTurn>();
  #takesHistory = false;
  #closesSessions = false;
  #endFault: CodedError | undefined;
  /** Aborted when the process is to end in order. */
  readonly #ending = new AbortController();

  constructor(options: AgentConnectionOptions) {
    this.#options = options;
    this.process = options.process;
    this.lastActivityAt = options.clock.monotonic();
    this.#connection = this.#connect();
    this.ended = this.#watch();
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Rejects with `agent.protocol_error` when the agent does not speak our version of ACP, or not in time. */
  async initialize(clientInfo: { name: string; version: string }): Promise<void> {
    const { clock } = this.#options;
    const tooSlow = Promise.withResolvers<never>();
    const timer = clock.after(INITIALIZE_TIMEOUT_MS, () =>
      tooSlow.reject(
        fault(
          'agent.protocol_error',
          `It did not answer initialize within ${INITIALIZE_TIMEOUT_MS / 1000} s. Is it an ACP agent?`,
        ),
      ),
    );
    try {
      const told = await Promise.race([
        tooSlow.promise,
        this.#request(
          methods.agent.initialize,
          {
            protocolVersion: PROTOCOL_VERSION,
            clientInfo,
            clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
          },
          initializeResponse,
        ),
      ]);
      if (told.protocolVersion !== PROTOCOL_VERSION) {
        throw fault(
          'agent.protocol_error',
          `It speaks version ${told.protocolVersion} of ACP; version ${PROTOCOL_VERSION} is needed.`,
        );
      }
      this.agentInfo = told.agentInfo ?? undefined;
      this.#closesSessions = told.agentCapabilities?.sessionCapabilities?.close != null;
      this.#takesHistory = told.agentCapabilities?._meta?.[META.history] ?? false;
      this.ownDrills = told.agentCapabilities?._meta?.[META.drills] ?? [];
    } finally {
      timer.cancel();
    }
  }

  /** Resolves when the agent answered anything at all: that it does not know the method is an answer. */
  async ping(): Promise<void> {
    await this.#connection.agent.request(EXTENSION_METHODS.ping, {}).catch((error: unknown) => {
      if (this.#connection.signal.aborted) throw error;
    });
  }

  /** Asks the agent for a drill that is its own. Rejects with `agent.failed`. */
  async drill(kind: AgentDrill): Promise<void> {
    await this.#request(EXTENSION_METHODS.drill, { kind }, z.unknown());
  }

  /** One turn. Aborting the signal cancels it; it then resolves with `cancelled`, if need be without the agent. */
  async prompt(
    given: Pick<PromptRequest, 'sessionId' | 'turnId' | 'correlationId' | 'text' | 'signal' | 'onUpdate'> & {
      history: () => Promise<HistoryEntry[]>;
    },
  ): Promise<PromptResult> {
    // The end of the process cancels a turn in every phase, also while its ACP session is still being made.
    const request = { ...given, signal: AbortSignal.any([given.signal, this.#ending.signal]) };
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    request.signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (request.signal.aborted) return { stopReason: 'cancelled' };
      const session = await Promise.race([this.#session(request), aborted.promise]);
      if (session === undefined) return { stopReason: 'cancelled' };
      return await this.#turn(session, request);
    } finally {
      request.signal.removeEventListener('abort', onAbort);
    }
  }

  /** The session will not be used again. */
  forgetSession(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    this.#sessions.delete(sessionId);
    if (session === undefined || !this.#closesSessions) return;
    session
      .then(({ id }) => this.#connection.agent.request(methods.agent.session.close, { sessionId: id }))
      .catch((error: unknown) =>
        this.#options.logger.debug('An agent did not close a session', {
          error: this.#fault(error, methods.agent.session.close).message,
        }),
      );
  }

  forgetAllSessions(): void {
    for (const sessionId of [...this.#sessions.keys()]) this.forgetSession(sessionId);
  }

  /**
   * Ends the process: in order, the turns being cancelled first, or at once. What still waits for it rejects with `reason`.
   * Bounded by 4 s.
   */
  async end(reason: CodedError, options: { force: boolean }): Promise<ProcessEnd> {
    if (!options.force) await this.#cancelTurns();
    this.#endFault ??= reason;
    void (options.force ? this.process.kill() : this.process.end());
    return this.ended;
  }

  async #cancelTurns(): Promise<void> {
    const turns = [...this.#turns.values()];
    this.#ending.abort();
    const grace = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(END_CANCEL_GRACE_MS, grace.resolve);
    await Promise.race([Promise.allSettled(turns.map(({ ended }) => ended)), grace.promise]);
    timer.cancel();
  }

  #connect(): ClientConnection {
    const { process, logger, redact, clock } = this.#options;
    return client({ name: 'smalltalk-console' })
      .onRequest(methods.client.session.requestPermission, ({ params }) => {
        // Nobody can be asked in this version, so the only safe answer is no: reject this once, or else cancel.
        const no = params.options.find((option) => option.kind === 'reject_once');
        logger.warn('An agent asked for a permission, which was refused', { pid: process.pid });
        return {
          outcome:
            no === undefined ? { outcome: 'cancelled' } : { outcome: 'selected', optionId: no.optionId },
        };
      })
      .connect(
        openWire({
          stdin: process.stdin,
          stdout: process.stdout,
          onNoise: (line) => logger.debug('Noise on the stdout of an agent', { line: redact(line) }),
          onUpdate: (params) => {
            this.lastActivityAt = clock.monotonic();
            this.#onUpdate(params);
          },
          onEnd: (error) => this.#wireEnded(error),
          onWriteFailed: () => void this.#wireEnded().catch(() => undefined),
        }),
      );
  }

  #onUpdate(params: unknown): void {
    const { sessionId, update } = (params ?? {}) as { sessionId?: unknown; update?: unknown };
    const turn = typeof sessionId === 'string' ? this.#turns.get(sessionId) : undefined;
    // What comes between the turns (the list of commands, a late chunk) belongs to no entry of the transcript.
    if (turn === undefined) return;
    const mapped = turn.mapper.map(update);
    if (mapped !== undefined) turn.onUpdate(mapped);
  }

  #session(request: Parameters<AgentConnection['prompt']>[0]): Promise<AcpSession> {
    const known = this.#sessions.get(request.sessionId);
    if (known !== undefined) return known;
    const opened = this.#openSession(request);
    this.#sessions.set(request.sessionId, opened);
    opened.catch(() => {
      if (this.#sessions.get(request.sessionId) === opened) this.#sessions.delete(request.sessionId);
    });
    return opened;
  }

  async #openSession(request: Parameters<AgentConnection['prompt']>[0]): Promise<AcpSession> {
    const history = await request.history();
    const { sessionId } = await this.#request(
      methods.agent.session.new,
      {
        cwd: this.#options.cwd,
        mcpServers: [],
        _meta: {
          [META.correlationId]: request.correlationId,
          ...(this.#takesHistory ? { [META.history]: history } : {}),
        },
      },
      newSessionResponse,
    );
    return { id: sessionId, preface: this.#takesHistory ? '' : preface(history) };
  }

  async #turn(session: AcpSession, request: Parameters<AgentConnection['prompt']>[0]): Promise<PromptResult> {
    const text = session.preface + request.text;
    session.preface = '';
    const answered = this.#request(
      methods.agent.session.prompt,
      {
        sessionId: session.id,
        prompt: [{ type: 'text', text }],
        _meta: { [META.correlationId]: request.correlationId, [META.turnId]: request.turnId },
      },
      promptResponse,
    );
    const gaveUp = Promise.withResolvers<'gave up'>();
    let cancelled = false;
    let grace: { cancel(): void } | undefined;
    const cancel = () => {
      if (cancelled) return;
      cancelled = true;
      this.#connection.agent
        .notify(methods.agent.session.cancel, { sessionId: session.id })
        .catch(() => undefined);
      grace = this.#options.clock.after(CANCEL_GRACE_MS, () => gaveUp.resolve('gave up'));
    };
    const outcome = Promise.race([answered, gaveUp.promise]);
    const turn: RunningTurn = {
      mapper: new UpdateMapper(),
      onUpdate: request.onUpdate,
      ended: outcome,
    };
    this.#turns.set(session.id, turn);
    request.signal.addEventListener('abort', cancel, { once: true });
    if (request.signal.aborted) cancel();
    try {
      const response = await outcome;
      if (response === 'gave up') {
        // The agent may still be at it: the next prompt must not meet it in this ACP session.
        this.forgetSession(request.sessionId);
        return { stopReason: 'cancelled' };
      }
      const told = response._meta?.[META.usage] ?? response.usage ?? undefined;
      return { stopReason: response.stopReason, ...(told === undefined ? {} : { usage: told }) };
    } catch (error) {
      // An agent that answers a cancel with an error has still cancelled.
      if (cancelled && !this.#connection.signal.aborted) return { stopReason: 'cancelled' };
      throw error;
    } finally {
      grace?.cancel();
      request.signal.removeEventListener('abort', cancel);
      if (this.#turns.get(session.id) === turn) this.#turns.delete(session.id);
    }
  }

  async #request<T>(method: string, params: Record<string, unknown>, response: z.ZodType<T>): Promise<T> {
    let told: unknown;
    try {
      told = await this.#connection.agent.request<unknown>(method, params);
    } catch (error) {
      throw this.#fault(error, method);
    }
    this.lastActivityAt = this.#options.clock.monotonic();
    const parsed = response.safeParse(told);
    if (parsed.success) return parsed.data;
    throw fault(
      'agent.protocol_error',
      `The agent answered ${method} with something else than ACP says: ${z.prettifyError(parsed.error)}`,
      { method },
    );
  }

  #fault(error: unknown, method: string): CodedError {
    return toAgentFault(error, method, this.#options.redact);
  }

  async #watch(): Promise<ProcessEnd> {
    const end = await this.process.ended;
    // What the process wrote last is on its way through the wire; then the wire closes the connection. If it is stuck, we do.
    const timer = this.#options.clock.after(LAST_WORDS_MS, () => this.#connection.close(this.#endOf(end)));
    await this.#connection.closed;
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
