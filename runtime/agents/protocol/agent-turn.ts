import { methods } from '@agentclientprotocol/sdk';
import type * as z from 'zod';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { AgentUpdate, PromptRequest, PromptResult, QuestionAnswer } from '../agents.ts';
import type { AgentPeer } from './agent-peer.ts';
import { promptResponse, usageSoFar } from './agent-responses.ts';
import { UpdateMapper } from './agent-updates.ts';
import { type ElicitationParams, elicitationResponse, formOf } from './elicitations.ts';
import { META } from './extensions.ts';
import type { PermissionOutcome, permissionParams } from './permission-requests.ts';
import type { PromptBlock } from './prompt-blocks.ts';

/** An agent has so long to confirm a cancel, before the turn is ended without it. */
const CANCEL_GRACE_MS = 5000;
/** So many questions of one turn may be open at once; more than that is no dialogue. */
const MAX_OPEN_QUESTIONS = 100;

export interface AgentTurnOptions {
  peer: AgentPeer;
  clock: Clock;
  logger: Logger;
  cwd: string;
  request: Pick<
    PromptRequest,
    'turnId' | 'correlationId' | 'signal' | 'onUpdate' | 'onUsage' | 'onPermission' | 'onQuestion'
  >;
  /** The id that the agent gave the session. */
  agentSessionId: string;
  blocks: PromptBlock[];
}

/** One turn, from the prompt to its answer, with all that the agent tells and asks meanwhile. */
export class AgentTurn {
  readonly #options: AgentTurnOptions;
  readonly #mapper = new UpdateMapper();
  /** Aborted when nobody waits for an answer of the user's any more: cancelled, over, or the process is gone. */
  readonly #over = new AbortController();
  readonly #gaveUp = Promise.withResolvers<'gave up'>();
  /** Whether the taker of the updates may hold up the agent. */
  #mayHold = true;
  /** What the agent waits for meanwhile. */
  readonly #holding = new Set<() => void>();
  #openQuestions = 0;
  #isCancelled = false;
  #grace: { cancel(): void } | undefined;
  /** Settles with the turn. */
  readonly ended: Promise<unknown>;
  readonly #end = Promise.withResolvers<void>();

  constructor(options: AgentTurnOptions) {
    this.#options = options;
    this.ended = this.#end.promise;
    this.#over.signal.addEventListener('abort', () => this.letGo(), { once: true });
  }

  /**
   * Sends the prompt and waits for the answer. `gaveUp`: the agent did not confirm that it stopped, so it may still be at
   * it, and its session must not be used again.
   */
  async run(): Promise<Omit<PromptResult, 'knownBy'> & { gaveUp: boolean }> {
    const { peer, request, agentSessionId, blocks } = this.#options;
    const answered = peer.request(
      methods.agent.session.prompt,
      {
        sessionId: agentSessionId,
        prompt: blocks,
        _meta: { [META.correlationId]: request.correlationId, [META.turnId]: request.turnId },
      },
      promptResponse,
    );
    const onAbort = () => void this.#cancel();
    request.signal.addEventListener('abort', onAbort, { once: true });
    if (request.signal.aborted) onAbort();
    try {
      const response = await Promise.race([answered, this.#gaveUp.promise]);
      if (response === 'gave up') return { stopReason: 'cancelled', gaveUp: true };
      const { usage } = response;
      // Not every agent says so (OpenCode 1.18.33 says `end_turn`), but what was asked to stop has not come to its end.
      const stopReason = this.#isCancelled ? 'cancelled' : response.stopReason;
      return { stopReason, gaveUp: false, ...(usage === undefined ? {} : { usage }) };
    } catch (error) {
      // An agent that answers a cancel with an error has still cancelled.
      if (this.#isCancelled && !peer.isClosed) return { stopReason: 'cancelled', gaveUp: false };
      throw error;
    } finally {
      this.#grace?.cancel();
      request.signal.removeEventListener('abort', onAbort);
      this.#over.abort();
      this.#end.resolve();
    }
  }

  /** Takes an update of the session; a promise that it returns is how long its taker wants to hear no more. */
  onUpdate(update: unknown): void | Promise<void> {
    const { request } = this.#options;
    try {
      if ((update as { sessionUpdate?: unknown } | null)?.sessionUpdate === 'usage_update') {
        const usage = usageSoFar.parse(update);
        if (usage !== undefined) request.onUsage(usage);
      }
      const mapped = this.#mapper.map(update);
      return mapped === undefined ? undefined : this.#tell(mapped);
    } catch (error) {
      this.#notTaken(error);
    }
  }

  /** The taker of the updates holds up the agent. */
  get isHeld(): boolean {
    return this.#holding.size > 0;
  }

  /** Nobody may hold up the agent any more: the turn is over, or the process has exited. */
  letGo(): void {
    this.#mayHold = false;
    for (const release of this.#holding) release();
    this.#holding.clear();
  }

  /** Tells the taker; a promise that it returns settles with the taker's, or when nobody may hold up the agent any more. */
  #tell(update: AgentUpdate): void | Promise<void> {
    const held = this.#options.request.onUpdate(update);
    if (!(held instanceof Promise)) return;
    const taken = held.then(
      () => undefined,
      (error: unknown) => this.#notTaken(error),
    );
    if (!this.#mayHold) return;
    return new Promise((resolve) => {
      this.#holding.add(resolve);
      void taken.then(() => {
        this.#holding.delete(resolve);
        resolve();
      });
    });
  }

  /** A taker that fails must not cost the agent its connection. */
  #notTaken(error: unknown): void {
    this.#options.logger.error('An update of an agent could not be taken', { error: messageOf(error) });
  }

  /** The agent asks before it does something, and may take that back by the signal. Never rejects. */
  async askPermission(
    asked: z.infer<typeof permissionParams>,
    takenBack: AbortSignal,
  ): Promise<PermissionOutcome> {
    const { request, cwd, logger } = this.#options;
    const toolCall = this.#mapper.toolCall(asked.toolCall);
    if (toolCall === undefined) {
      logger.warn('An agent asked for a permission without saying for what; nobody was asked');
      return { outcome: 'cancelled' };
    }
    try {
      void this.#tell({ kind: 'tool_call', toolCall });
    } catch (error) {
      this.#notTaken(error);
    }
    const optionId = await this.#asked(undefined, takenBack, (signal) =>
      request.onPermission({ toolCall, options: asked.options, cwd }, signal),
    );
    if (optionId === undefined) return { outcome: 'cancelled' };
    if (!asked.options.some(({ id }) => id === optionId)) {
      logger.error('A permission was answered with an option that the agent did not offer', { optionId });
      return { outcome: 'cancelled' };
    }
    return { outcome: 'selected', optionId };
  }

  /** The agent asks the user something, and may take that back by the signal. Never rejects. */
  async askQuestion(asked: ElicitationParams, takenBack: AbortSignal): Promise<Record<string, unknown>> {
    const { request } = this.#options;
    const form = formOf(asked);
    if (form === undefined) return { action: 'decline' };
    const answer = await this.#asked<QuestionAnswer>({ action: 'cancel' }, takenBack, (signal) =>
      request.onQuestion({ message: asked.message, fields: form.fields }, signal),
    );
    return elicitationResponse(answer, form);
  }

  /** The answer of the user, or `otherwise` as soon as nobody can give it any more. */
  async #asked<T>(
    otherwise: T,
    takenBack: AbortSignal,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { logger } = this.#options;
    const signal = AbortSignal.any([this.#over.signal, takenBack]);
    if (signal.aborted || this.#openQuestions >= MAX_OPEN_QUESTIONS) return otherwise;
    this.#openQuestions += 1;
    const unanswered = Promise.withResolvers<T>();
    signal.addEventListener('abort', () => unanswered.resolve(otherwise), { once: true });
    try {
      const answer = ask(signal).catch((error: unknown) => {
        if (!signal.aborted) logger.warn('The user could not be asked', { error: messageOf(error) });
        return otherwise;
      });
      return await Promise.race([answer, unanswered.promise]);
    } finally {
      this.#openQuestions -= 1;
    }
  }

  /** What the agent has asked is answered with `cancelled` before it hears of the cancel, as ACP demands. */
  async #cancel(): Promise<void> {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    const { peer, clock, agentSessionId } = this.#options;
    this.#grace = clock.after(CANCEL_GRACE_MS, () => this.#gaveUp.resolve('gave up'));
    const hasOpenQuestions = this.#openQuestions > 0;
    this.#over.abort();
    // The answers are handed to the wire in the microtasks that follow.
    if (hasOpenQuestions) await new Promise((resolve) => setImmediate(resolve));
    peer.notify(methods.agent.session.cancel, { sessionId: agentSessionId });
  }
}
