import * as z from 'zod';
import type { Clock } from '../../base/clock.ts';
import { isCoded } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { PromptRequest, PromptResult } from '../agents.ts';
import type { AgentPeer } from './agent-peer.ts';
import type { AgentSessions, OpenSession } from './agent-sessions.ts';
import { AgentTurn } from './agent-turn.ts';
import { elicitationParams } from './elicitations.ts';
import type { LimitedLog } from './limited-log.ts';
import { permissionParams } from './permission-requests.ts';
import type { PromptBlock } from './prompt-blocks.ts';

export interface AgentTurnsOptions {
  peer: AgentPeer;
  sessions: AgentSessions;
  clock: Clock;
  logger: Logger;
  /** For what the agent decides how often it is to be said. */
  log: LimitedLog;
  cwd: string;
}

/** The running turns of one process of an agent, and what it asks in them. */
export class AgentTurns {
  readonly #options: AgentTurnsOptions;
  /** By ACP session. */
  readonly #running = new Map<string, AgentTurn>();
  /** The sessions that were prompted here, whatever came of it. */
  readonly #prompted = new WeakSet<OpenSession>();
  /** When the agent asked for something last, on the monotonic clock. */
  lastAskedAt: number;

  constructor(options: AgentTurnsOptions) {
    this.#options = options;
    this.lastAskedAt = options.clock.monotonic();
  }

  /** Resolves when the turns that run now have ended, however that may be. */
  async ended(): Promise<void> {
    await Promise.all([...this.#running.values()].map((turn) => turn.ended));
  }

  /** Nothing is read from the agent, because the taker of its updates is not ready for more. */
  get isHeld(): boolean {
    return [...this.#running.values()].some((turn) => turn.isHeld);
  }

  /** The process has exited: what is left of what it told is little, and nobody holds it up any more. */
  letGo(): void {
    for (const turn of this.#running.values()) turn.letGo();
  }

  /** Runs a turn in an open session; how that ends is as `AgentConnection.prompt` says. */
  async run(
    session: OpenSession,
    request: Omit<PromptRequest, 'agentId'>,
    blocks: PromptBlock[],
  ): Promise<PromptResult> {
    const { peer, sessions, clock, logger, cwd } = this.#options;
    const { agentSessionId, knownBy } = session;
    const turn = new AgentTurn({
      peer,
      clock,
      logger,
      cwd,
      request,
      agentSessionId,
      blocks: prefaced(session.preface, request.text, blocks),
    });
    this.#running.set(agentSessionId, turn);
    request.onOpened?.(this.#prompted.has(session) ? 'kept' : knownBy);
    this.#prompted.add(session);
    try {
      const { gaveUp, ...result } = await turn.run();
      // The agent may still be at it: the next prompt must not meet it in this ACP session.
      if (gaveUp) sessions.forget(request.sessionId);
      session.preface = '';
      session.knownBy = 'kept';
      return { ...result, knownBy };
    } catch (error) {
      // It has lost the session. The prompt was not taken, and is not sent again unasked; the next one finds a new session.
      if (isCoded(error) && error.data.isUnknown === true) sessions.forget(request.sessionId);
      throw error;
    } finally {
      if (this.#running.get(agentSessionId) === turn) this.#running.delete(agentSessionId);
    }
  }

  /** What comes between the turns (the list of commands, a late chunk) belongs to no entry of the transcript. */
  onUpdate(agentSessionId: string, update: unknown): void | Promise<void> {
    return this.#running.get(agentSessionId)?.onUpdate(update);
  }

  /** Takes the params of `session/request_permission` as they came; the signal takes it back. Never rejects. */
  async onPermission(params: unknown, signal: AbortSignal): Promise<Record<string, unknown>> {
    this.lastAskedAt = this.#options.clock.monotonic();
    const asked = permissionParams.safeParse(params);
    const turn = asked.success ? this.#running.get(asked.data.sessionId) : undefined;
    if (!asked.success || turn === undefined) {
      this.#options.log.warn('An agent asked for a permission that nobody can give; it was told so', {
        because: asked.success ? 'no turn of this session is running' : z.prettifyError(asked.error),
      });
      return { outcome: { outcome: 'cancelled' } };
    }
    return { outcome: await turn.askPermission(asked.data, signal) };
  }

  /** Takes the params of `elicitation/create` as they came; the signal takes it back. Never rejects. */
  async onElicitation(params: unknown, signal: AbortSignal): Promise<Record<string, unknown>> {
    this.lastAskedAt = this.#options.clock.monotonic();
    const asked = elicitationParams.safeParse(params);
    // A page to be opened was not offered in our capabilities, and what cannot be shown cannot be answered.
    if (!asked.success || asked.data.mode !== 'form') return { action: 'decline' };
    const turn = this.#running.get(asked.data.sessionId ?? '');
    if (turn === undefined) {
      this.#options.log.warn(
        'An agent asked a question outside of a turn; it was told that nobody answers',
        {},
      );
      return { action: 'cancel' };
    }
    return turn.askQuestion(asked.data, signal);
  }
}

/** The prompt with what must be said before it, in the block of its text: not every agent reads two as one. */
function prefaced(preface: string, text: string, blocks: PromptBlock[]): PromptBlock[] {
  return preface === '' ? blocks : [{ type: 'text', text: preface + text }, ...blocks.slice(1)];
}
