/** What waits for the user, as the rest of the runtime sees it. */
import type * as z from 'zod';
import type { PermissionRequest, QuestionAnswer, QuestionRequest } from '../../agents/agents.ts';
import type {
  BudgetNotice,
  NeedsYouItem,
  needsYouRoutes,
  PermissionPolicy,
  Turn,
} from '../../contract/index.ts';
import type { Batch } from '../session-store.ts';

type InputOf<Route extends keyof typeof needsYouRoutes> = z.infer<
  NonNullable<(typeof needsYouRoutes)[Route]['~orpc']['inputSchema']>
>;
export type NeedsYouQuery = InputOf<'list'>;
export type NeedsYouAnswer = InputOf<'answer'>;

/** The turn that waits, and the agent that runs it. */
export interface Asking {
  agentId: string;
  turn: Pick<Turn, 'id' | 'sessionId' | 'correlationId'>;
}

/** Items that wait no more, to be committed together with what ended them. */
export interface Withdrawal {
  batch: Batch;
  /** Call it once the batch is durable. */
  done(): void;
}

export interface NeedsYou {
  list(query: NeedsYouQuery): Promise<{ items: NeedsYouItem[]; nextCursor?: string }>;
  /** Rejects with `needs_you.not_found`. */
  get(id: string): Promise<NeedsYouItem>;
  /**
   * Resolves once the answer is durable and whoever waits for it has it. Rejects with `needs_you.not_found`,
   * `needs_you.already_answered` (which says with what), `needs_you.withdrawn`, `needs_you.unknown_option`, or
   * `request.invalid` when what goes with the option does not fit; the item then waits on.
   */
  answer(input: NeedsYouAnswer, context: { correlationId: string }): Promise<NeedsYouItem>;
  /** Those of one agent, or all. */
  policies(agentId?: string): Promise<PermissionPolicy[]>;
  /** From then on it is asked again. Rejects with `needs_you.not_found`. */
  deletePolicy(id: string, context: { correlationId: string }): Promise<void>;
}

/** The same as the turns see it, which ask. */
export interface NeedsYouDesk extends NeedsYou {
  /**
   * Asks whether the agent may do something; a policy of the user answers at once. Resolves with the id of an option, or
   * undefined when the signal aborts first. Rejects when the item cannot be stored.
   */
  askPermission(asking: Asking, request: PermissionRequest, signal: AbortSignal): Promise<string | undefined>;
  /** Resolves with `cancel` when the signal aborts first. Rejects when the item cannot be stored. */
  askQuestion(asking: Asking, request: QuestionRequest, signal: AbortSignal): Promise<QuestionAnswer>;
  /** Asks what is to become of a budget that is used up: what is to be committed with the end of its turn. */
  askBudget(asking: Asking, notice: BudgetNotice): Withdrawal;
  /** Withdraws whatever waits in a session. Call it in the queue of the session. */
  withdraw(sessionId: string, because: string): Withdrawal;
  /** Removes the items of a session that is deleted. Call it in the queue of the session. */
  forget(sessionId: string): Promise<void>;
  /**
   * Reads again what waits and which policies there are: at the start, and when another data set is active. Nobody waits
   * for an answer to any of the items then, so all of them are to be withdrawn.
   */
  reload(): Promise<void>;
  /** Withdraws what is left after the sessions have withdrawn theirs. */
  withdrawRest(because: string): Promise<void>;
}
