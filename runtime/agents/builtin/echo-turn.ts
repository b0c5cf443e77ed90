import type { CreateElicitationResponse, SessionUpdate } from '@agentclientprotocol/sdk';
import { META } from '../protocol/extensions.ts';
import type { AgentContext } from './acp-server.ts';
import type { EchoSession } from './echo-session.ts';
import { pause } from './serve-stdio.ts';

export interface EchoTurnOptions {
  session: EchoSession;
  client: AgentContext;
  /** Aborted by a cancel. */
  signal: AbortSignal;
  delayMs: number;
  wordsPerPiece: number;
  /** Writes to stderr with each piece. */
  isNoisy: boolean;
  /** How late everything is at the moment, in milliseconds. */
  lateness: () => number;
}

/** One turn of the echo agent, as its commands use it. */
export class EchoTurn {
  readonly session: EchoSession;
  readonly signal: AbortSignal;
  /** What it has answered so far. */
  said = '';
  /** What it claims to have used, once a command said so. */
  usage: { inputTokens: number; outputTokens: number } | undefined;
  readonly #options: EchoTurnOptions;

  constructor(options: EchoTurnOptions) {
    this.#options = options;
    this.session = options.session;
    this.signal = options.signal;
  }

  /** Tells an update; resolves when it is on its way, so that a flood waits for its reader. */
  async tell(update: SessionUpdate): Promise<void> {
    if (update.sessionUpdate === 'agent_message_chunk' && update.content.type === 'text') {
      this.said += update.content.text;
    }
    await this.#options.client.notify('session/update', { sessionId: this.session.id, update });
  }

  /** Streams a text piece by piece, as an answer; `delayMs` between the pieces. */
  async say(text: string, delayMs = this.#options.delayMs * this.session.paceFactor): Promise<void> {
    for (const piece of this.#pieces(text)) {
      await pause(delayMs + this.#options.lateness(), this.signal);
      if (this.signal.aborted) return;
      if (this.#options.isNoisy) process.stderr.write(`echo: streaming ${piece.length} characters\n`);
      await this.tell({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: piece } });
    }
  }

  /** Asks the user for a permission; resolves with the id of the chosen option, or undefined. */
  async askPermission(toolCall: { toolCallId: string; title: string; kind: string }) {
    const { outcome } = await this.#options.client.request<{
      outcome: { outcome: string; optionId?: string };
    }>('session/request_permission', {
      sessionId: this.session.id,
      toolCall,
      options: [
        { optionId: 'allow', name: 'Allow', kind: 'allow_once' },
        { optionId: 'always', name: 'Always allow', kind: 'allow_always' },
        { optionId: 'reject', name: 'Reject', kind: 'reject_once' },
      ],
    });
    return outcome.outcome === 'selected' ? outcome.optionId : undefined;
  }

  /** Asks the user a question with a form. */
  askQuestion(message: string, properties: Record<string, object>, required: string[]) {
    return this.#options.client.request<CreateElicitationResponse>('elicitation/create', {
      mode: 'form',
      sessionId: this.session.id,
      message,
      requestedSchema: { type: 'object', properties, required },
    });
  }

  /** Tells how full its memory is, what the session has cost, and what the turn has used so far. */
  async tellContextWindow(): Promise<void> {
    const { cost, contextWindow } = this.session;
    await this.tell({
      sessionUpdate: 'usage_update',
      ...contextWindow,
      ...(cost === 0 ? {} : { cost: { amount: cost, currency: 'USD' } }),
      ...(this.usage === undefined ? {} : { _meta: { [META.usage]: this.usage } }),
    });
  }

  /** Words with the blanks that follow them, so that nothing is lost. */
  #pieces(text: string): string[] {
    const { wordsPerPiece } = this.#options;
    const words = text.match(/\s*\S+\s*/g) ?? [text];
    const pieces: string[] = [];
    for (let i = 0; i < words.length; i += wordsPerPiece) {
      pieces.push(words.slice(i, i + wordsPerPiece).join(''));
    }
    return pieces;
  }
}
