/** What the rest of the runtime sees of the sessions. */
import type * as z from 'zod';
import type { Service } from '../base/lifecycle.ts';
import type { Session, SessionDetail, sessionListQuery, Turn } from '../contract/index.ts';

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
  /** Resolves when the prompt is durable, with the running turn. */
  prompt(input: { id: string; message: string }, context: CallContext): Promise<Turn>;
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
