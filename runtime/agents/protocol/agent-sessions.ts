import { type McpServer, methods } from '@agentclientprotocol/sdk';
import * as z from 'zod';
import { type Clock, delay } from '../../base/clock.ts';
import { type CodedError, isCoded, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { type AgentCapabilities, fault, type Turn } from '../../contract/index.ts';
import type { SessionTold } from '../agents.ts';
import type { AgentPeer } from './agent-peer.ts';
import { type HistoryEntry, preface } from './agent-priming.ts';
import {
  configOptionsResponse,
  newSessionResponse,
  type OpenedResponse,
  openedResponse,
} from './agent-responses.ts';
import type { AgentSessionStore } from './agent-session-store.ts';
import { META } from './extensions.ts';
import { boundedValue } from './json-bounds.ts';
import { compareReplay, ReplayCollector, type ReplayComparison } from './replay.ts';
import { SessionTelling } from './session-telling.ts';

/** An agent may start MCP servers, which may be downloaded first, before it answers. */
const OPEN_TIMEOUT_MS = 120_000;
const SETTING_TIMEOUT_MS = 30_000;
/**
 * Some agents (Gemini CLI 0.61.0) answer `session/load` first and play back then. A replay that lacks something is at its end
 * when nothing has come for so long; and in all so long is waited for it.
 */
const REPLAY_QUIET_MS = 250;
const REPLAY_LIMIT_MS = 10_000;
/**
 * Updates that came for sessions whose id we do not know yet; an agent need not wait for its answer to be read. Characters
 * of JSON that one of them may have: a list of commands is long.
 */
const MAX_EARLY = 100;
const MAX_EARLY_CHARACTERS = 256 * 1024;

export interface OpenSession {
  sessionId: string;
  /** The id that the agent gave it. */
  agentSessionId: string;
  /** How the process came to know it: that is told of the first turn, the others find it `kept`. */
  knownBy: NonNullable<Turn['knownBy']>;
  /** What the agent must be told before the first prompt; empty once it was. */
  preface: string;
  telling: SessionTelling;
}

export interface OpenRequest {
  sessionId: string;
  correlationId: string;
  history: () => Promise<HistoryEntry[]>;
}

export interface AgentSessionsOptions {
  peer: AgentPeer;
  clock: Clock;
  logger: Logger;
  agentId: string;
  cwd: string;
  mcpServers: () => readonly McpServer[];
  /** What the agent can, once it has answered `initialize`. */
  capabilities: () => AgentCapabilities;
  /** It takes the kept turns with `session/new`. */
  takesHistory: () => boolean;
  /** Where the ids of the sessions are kept that a later process may resume or load. */
  store: AgentSessionStore | undefined;
  onTold: (sessionId: string, told: SessionTold) => void;
}

/** What comes of a session while it is being loaded. */
interface Replay {
  collector: ReplayCollector;
  telling: SessionTelling;
  told: SessionTold;
  /** How many updates have come. */
  updates: number;
}

/** The ACP sessions of one process of an agent, by the sessions of the product that they belong to. */
export class AgentSessions {
  readonly #options: AgentSessionsOptions;
  /** By session. A promise, so that two prompts at once open one ACP session. */
  readonly #sessions = new Map<string, Promise<OpenSession>>();
  readonly #byAgentId = new Map<string, OpenSession>();
  /** The sessions that are being loaded, by the agent's id. */
  readonly #replays = new Map<string, Replay>();
  /** What was forgotten: the store may still name it for a moment, and it must not come back. */
  readonly #left = new Set<string>();
  #opening = 0;
  #early: { agentSessionId: string; update: unknown }[] = [];

  constructor(options: AgentSessionsOptions) {
    this.#options = options;
  }

  /**
   * The session, opened if need be: resumed, loaded, or made anew and primed. Rejects with `agent.login_needed`,
   * `agent.protocol_error`, `agent.failed` or what ended the connection.
   */
  open(request: OpenRequest): Promise<OpenSession> {
    const known = this.#sessions.get(request.sessionId);
    if (known !== undefined) return known;
    this.#opening += 1;
    const opened = this.#open(request).finally(() => {
      this.#opening -= 1;
      if (this.#opening === 0) this.#early = [];
    });
    this.#sessions.set(request.sessionId, opened);
    opened.then(
      (session) => {
        if (this.#sessions.get(request.sessionId) === opened) return;
        // Forgotten while it was being opened, perhaps before it was written down.
        this.#leave(session.agentSessionId);
        void this.#options.store?.delete(request.sessionId);
      },
      () => {
        if (this.#sessions.get(request.sessionId) === opened) this.#sessions.delete(request.sessionId);
      },
    );
    return opened;
  }

  /** Takes an update that belongs to no turn, or tells of a session. False when nobody knows the session. */
  onUpdate(agentSessionId: string, update: unknown): boolean {
    const replay = this.#replays.get(agentSessionId);
    if (replay !== undefined) {
      replay.updates += 1;
      replay.collector.add(update);
      Object.assign(replay.told, replay.telling.update(update));
      return true;
    }
    const session = this.#byAgentId.get(agentSessionId);
    if (session !== undefined) {
      this.#tell(session.sessionId, session.telling.update(update));
      return true;
    }
    if (this.#opening === 0) return false;
    this.#early.push({ agentSessionId, update: boundedValue(update, MAX_EARLY_CHARACTERS) });
    if (this.#early.length > MAX_EARLY) this.#early.shift();
    return true;
  }

  /** The ACP session of this session is not used again, if one is open here: a later prompt gets another one. */
  forget(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    this.#sessions.delete(sessionId);
    void this.#options.store?.delete(sessionId);
    session.then(({ agentSessionId }) => this.#leave(agentSessionId)).catch(() => undefined);
  }

  forgetAll(): void {
    for (const sessionId of [...this.#sessions.keys()]) this.forget(sessionId);
  }

  /** Rejects with `session.mode_unknown` when the session is not open here or offers no such mode, or `agent.failed`. */
  async setMode(sessionId: string, modeId: string): Promise<void> {
    const session = await this.#opened(sessionId);
    if (session.telling.modes?.availableModes.some(({ id }) => id === modeId) !== true) {
      throw fault('session.mode_unknown', `The agent offers no mode “${modeId}” in this session.`, {
        modeId,
      });
    }
    await this.#options.peer.request(
      methods.agent.session.setMode,
      { sessionId: session.agentSessionId, modeId },
      z.unknown(),
      SETTING_TIMEOUT_MS,
    );
    this.#tell(sessionId, session.telling.modeIs(modeId));
  }

  /** Rejects like {@link setMode}. */
  async setOption(sessionId: string, optionId: string, value: string | boolean): Promise<void> {
    const session = await this.#opened(sessionId);
    const offered = session.telling.options?.find(({ id }) => id === optionId);
    const isOffered =
      typeof value === 'boolean'
        ? offered !== undefined && offered.choices === undefined
        : offered?.choices?.some((choice) => choice.value === value) === true;
    if (!isOffered) {
      throw fault('session.mode_unknown', `The agent offers no option “${optionId}” with this value.`, {
        optionId,
      });
    }
    const { configOptions } = await this.#options.peer.request(
      methods.agent.session.setConfigOption,
      {
        sessionId: session.agentSessionId,
        configId: optionId,
        ...(typeof value === 'boolean' ? { type: 'boolean' } : {}),
        value,
      },
      configOptionsResponse,
      SETTING_TIMEOUT_MS,
    );
    this.#tell(sessionId, session.telling.optionsAre(configOptions));
  }

  async #opened(sessionId: string): Promise<OpenSession> {
    const session = await this.#sessions.get(sessionId)?.catch(() => undefined);
    if (session !== undefined) return session;
    throw fault('session.mode_unknown', 'The agent has not opened this session yet. Send a prompt first.');
  }

  async #open(request: OpenRequest): Promise<OpenSession> {
    const kept = await this.#keptByTheAgent(request.sessionId);
    if (kept !== undefined) {
      const { capabilities } = this.#options;
      if (capabilities().resumeSession) {
        const resumed = await this.#tried('resume', () => this.#resume(request, kept));
        if (resumed !== undefined) return resumed;
      }
      if (capabilities().loadSession) {
        const loaded = await this.#tried('load', () => this.#load(request, kept));
        if (loaded !== undefined) return loaded;
      }
    }
    return this.#new(request);
  }

  /** The id under which the agent keeps the session on its own, if a process of it can be expected to find it there. */
  async #keptByTheAgent(sessionId: string): Promise<string | undefined> {
    const { store, capabilities, agentId, cwd } = this.#options;
    if (!capabilities().resumeSession && !capabilities().loadSession) return undefined;
    const found = await store?.get(sessionId);
    // Agents keep sessions by folder; in another one it would not be the same session.
    return found?.agentId === agentId && found.cwd === cwd && !this.#left.has(found.agentSessionId)
      ? found.agentSessionId
      : undefined;
  }

  /** What went well; a way that does not work is left for the next one, unless no way can work. */
  async #tried(way: string, open: () => Promise<OpenSession | undefined>): Promise<OpenSession | undefined> {
    try {
      return await open();
    } catch (error) {
      if (this.#options.peer.isClosed || isCoded(error, 'agent.login_needed')) throw error;
      this.#options.logger.info(`An agent could not ${way} a session`, { error: messageOf(error) });
      return undefined;
    }
  }

  async #resume(request: OpenRequest, agentSessionId: string): Promise<OpenSession> {
    const response = await this.#options.peer.request(
      methods.agent.session.resume,
      { sessionId: agentSessionId, ...this.#where(request) },
      openedResponse,
      OPEN_TIMEOUT_MS,
    );
    return this.#isOpen(request, { agentSessionId, response, knownBy: 'resumed', preface: '' });
  }

  /** Undefined when what the agent played back is not the session that we know: then that ACP session is left. */
  async #load(request: OpenRequest, agentSessionId: string): Promise<OpenSession | undefined> {
    const { peer, logger, store } = this.#options;
    const replay: Replay = {
      collector: new ReplayCollector(),
      telling: new SessionTelling(),
      told: {},
      updates: 0,
    };
    this.#replays.set(agentSessionId, replay);
    let response: OpenedResponse;
    let compared: ReplayComparison;
    try {
      response = await peer.request(
        methods.agent.session.load,
        { sessionId: agentSessionId, ...this.#where(request) },
        openedResponse,
        OPEN_TIMEOUT_MS,
      );
      const history = await request.history();
      compared = compareReplay(replay.collector.turns, history);
      if (!compared.agrees || compared.missing.length > 0) {
        await this.#untilQuiet(replay);
        compared = compareReplay(replay.collector.turns, history);
      }
    } finally {
      this.#replays.delete(agentSessionId);
    }
    if (!compared.agrees) {
      logger.warn('An agent loaded another session than the one that is known here; it is primed anew', {
        sessionId: request.sessionId,
      });
      await store?.delete(request.sessionId);
      this.#leave(agentSessionId);
      return undefined;
    }
    // What was told on the way is older than the answer.
    this.#tell(request.sessionId, replay.told);
    return this.#isOpen(request, {
      agentSessionId,
      response,
      knownBy: 'loaded',
      preface: preface(compared.missing),
      telling: replay.telling,
    });
  }

  async #untilQuiet(replay: Replay): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + REPLAY_LIMIT_MS;
    let seen: number;
    do {
      seen = replay.updates;
      await delay(clock, REPLAY_QUIET_MS);
    } while (replay.updates > seen && clock.monotonic() < deadline);
  }

  async #new(request: OpenRequest): Promise<OpenSession> {
    const { peer, takesHistory, capabilities, store, agentId, cwd } = this.#options;
    const history = await request.history();
    const response = await peer.request(
      methods.agent.session.new,
      this.#where(request, takesHistory() ? { [META.history]: history } : {}),
      newSessionResponse,
      OPEN_TIMEOUT_MS,
    );
    const agentSessionId = response.sessionId;
    if (capabilities().resumeSession || capabilities().loadSession) {
      await store?.put(request.sessionId, { agentId, agentSessionId, cwd });
    }
    return this.#isOpen(request, {
      agentSessionId,
      response,
      knownBy: history.length === 0 ? 'new' : 'primed',
      preface: takesHistory() ? '' : preface(history),
    });
  }

  #where(request: OpenRequest, meta: Record<string, unknown> = {}): Record<string, unknown> {
    const { cwd, mcpServers } = this.#options;
    return { cwd, mcpServers: mcpServers(), _meta: { [META.correlationId]: request.correlationId, ...meta } };
  }

  #isOpen(
    request: OpenRequest,
    opened: Pick<OpenSession, 'agentSessionId' | 'knownBy' | 'preface'> & {
      response: OpenedResponse;
      telling?: SessionTelling;
    },
  ): OpenSession {
    const { response, telling = new SessionTelling(), ...rest } = opened;
    const session: OpenSession = { sessionId: request.sessionId, telling, ...rest };
    this.#byAgentId.set(session.agentSessionId, session);
    this.#tell(request.sessionId, telling.opened(response));
    const early = this.#early.filter(({ agentSessionId }) => agentSessionId === session.agentSessionId);
    for (const { update } of early) this.#tell(request.sessionId, telling.update(update));
    return session;
  }

  #tell(sessionId: string, told: SessionTold | undefined): void {
    if (told !== undefined && Object.keys(told).length > 0) this.#options.onTold(sessionId, told);
  }

  #leave(agentSessionId: string): void {
    const { peer, capabilities, logger } = this.#options;
    this.#byAgentId.delete(agentSessionId);
    this.#left.add(agentSessionId);
    if (peer.isClosed || !capabilities().closeSession) return;
    peer
      .request(methods.agent.session.close, { sessionId: agentSessionId }, z.unknown())
      .catch((error: CodedError) =>
        logger.debug('An agent did not close a session', { error: error.message }),
      );
  }
}
