/** The budgets, as the rest of the runtime sees them. */
import type * as z from 'zod';
import type {
  BudgetNotice,
  BudgetState,
  budgetRoutes,
  NeedsYouItem,
  Turn,
  Usage,
} from '../../contract/index.ts';
import type { Batch } from '../session-store.ts';
import type { SessionCost } from './spending.ts';

export type BudgetChange = z.infer<NonNullable<(typeof budgetRoutes.set)['~orpc']['inputSchema']>>;

export interface Budgets {
  state(): Promise<BudgetState>;
  /** Rejects with `storage.version_conflict`. */
  set(input: BudgetChange, context: { correlationId: string }): Promise<BudgetState>;
}

/** What the items about budgets need. */
export interface BudgetRaises {
  /** How the user is asked. */
  describe(notice: BudgetNotice): Pick<NeedsYouItem, 'title' | 'detail' | 'options'>;
  /**
   * Raises the limit of a notice: that of a turn for the turns of its session, that of an agent or of everything until the
   * day ends. `raiseTo` undefined: to what the option says. Throws `request.invalid` when that is not more than was used.
   * `done` is to be called once the batch is durable.
   */
  raising(
    notice: BudgetNotice,
    asked: { sessionId: string; agentId: string },
    raiseTo: number | undefined,
    correlationId: string,
  ): { batch: Batch; done(): void };
}

/** What a running turn is told, and tells. */
export interface TurnMeter {
  /** The agent is about to be prompted, and knows the session in this way. */
  tellOpened(knownBy: NonNullable<Turn['knownBy']>): void;
  /** What the turn has used so far, by the account of the agent. */
  tellUsage(usage: Usage): void;
  /** What the session has cost so far, by the account of the agent. */
  tellCost(cost: SessionCost): void;
  /** Which model answers, when the agent says so. */
  tellModel(model: string): void;
  /** The turn waits for the user: its minutes do not count until `resume`. */
  pause(): { resume(): void };
  /** Ends the metering: what is to be committed with the end of the turn. Never rejects. */
  close(): Promise<TurnBill>;
}

export interface TurnBill {
  usage: Usage | undefined;
  batch: Batch;
  /** The budget that was used up in this turn, if one was. */
  exhausted: BudgetNotice | undefined;
  /**
   * The end of the turn was stored without the batch, because the storage is away and does not know the documents of it
   * (`storage.not_known_now`): it is written before the next turn begins that finds the storage back.
   */
  postpone(): void;
}

/** What a session has used, ready for its next turn. */
export interface SessionAccount {
  /** Throws `budget.exhausted` when a budget allows no further turn. */
  refuse(): void;
  /** `onExhausted` is called once, as soon as a budget is used up. */
  begin(turn: Turn, onExhausted: (notice: BudgetNotice) => void): TurnMeter;
}

/** The same as the turns see it, which spend. */
export interface BudgetDesk extends Budgets, BudgetRaises {
  account(session: { sessionId: string; agentId: string }): Promise<SessionAccount>;
  /** Reads again what was used and what is allowed: at the start, and when another data set is active. */
  reload(): Promise<void>;
}
