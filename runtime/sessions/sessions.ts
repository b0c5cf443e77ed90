/** What the rest of the runtime sees of the sessions. */
import type * as z from 'zod';
import type { PromptAttachment } from '../agents/agents.ts';
import type { Service } from '../base/lifecycle.ts';
import type { AttachmentInput, Session, SessionDetail, sessionListQuery, Turn } from '../contract/index.ts';

export interface SessionCounts {
  active: number;
  runningTurns: number;
  /** The most that may be active at once (`MAX_CONCURRENT_SESSIONS`). */
  limit: number;
}

/** `correlationId` runs through every event, log line and agent message that the call causes. */
export interface CallContext {
  correlationId: string;
}

export interface Sessions extends Service {
  list(query: z.infer<typeof sessionListQuery>): Promise<{ items: Session[]; nextCursor?: string }>;
  create(
    input: { message?: string; agentId?: string; title?: string },
    context: CallContext,
  ): Promise<Session>;
  /** Rejects with `session.not_found`. */
  get(id: string): Promise<SessionDetail>;
  update(
    input: { id: string; title?: string; archived?: boolean; expectedVersion?: number },
    context: CallContext,
  ): Promise<Session>;
  /**
   * Resolves when the prompt is durable, with the running turn. Rejects with `session.busy`, `session.archived`,
   * `session.too_large`, `session.limit_reached`, `request.too_large` (an attachment) or `budget.exhausted`.
   */
  prompt(
    input: { id: string; message: string; attachments?: AttachmentInput[] | undefined },
    context: CallContext,
  ): Promise<Turn>;
  /**
   * Sends the prompt of the last turn again, with its attachments, as a turn of its own; the old one stays as it is.
   * Rejects like `prompt`, and with `session.nothing_to_resend` unless `turnId` is the last turn and that was interrupted,
   * failed, or was ended by a budget.
   */
  resend(input: { id: string; turnId: string }, context: CallContext): Promise<Turn>;
  /** Rejects with `session.mode_unknown` when the agent does not offer it, or does not have the session open. */
  setMode(input: { id: string; modeId: string }, context: CallContext): Promise<Session>;
  setOption(
    input: { id: string; optionId: string; value: string | boolean },
    context: CallContext,
  ): Promise<Session>;
  /** Rejects with `session.not_found` or `session.attachment_not_found`. */
  attachment(id: string, attachmentId: string): Promise<PromptAttachment>;
  /** Resolves when the turn has ended. Rejects with `session.not_running`. */
  cancel(id: string, context: CallContext): Promise<Turn>;
  /** A running turn is cancelled first. */
  delete(id: string, context: CallContext): Promise<void>;
  counts(): SessionCounts;
  /** Ends every running turn as interrupted and takes no more prompts (`maintenance.active`) until `resume`. */
  pause(reason: string): Promise<void>;
  /** Takes prompts again, on whatever data set is active now. */
  resume(): Promise<void>;
}
