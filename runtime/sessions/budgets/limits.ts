import type { Agents } from '../../agents/agents.ts';
import type { Clock } from '../../base/clock.ts';
import { isCoded } from '../../base/errors.ts';
import {
  type AgentLimits,
  type BudgetNotice,
  type BudgetScope,
  type Budgets,
  fault,
  type Limit,
  suggestedRaise,
} from '../../contract/index.ts';
import type { PutOperation, Storage } from '../../storage/storage.ts';
import { everyDocument } from '../list-documents.ts';
import { endOfLocalDay } from './local-day.ts';
import { limitsOver } from './notices.ts';

const BUDGET_COLLECTION = 'budgets';
const BUDGET_ID = 'budgets';
const RAISE_COLLECTION = 'budget_raises';
/** How long a limit of a session stays raised. */
const SESSION_RAISE_MS = 30 * 86_400_000;

/** A limit that the user raised: `limit` is what to, `key` is what it holds for. */
interface Raise extends BudgetNotice {
  /** The session (scopes `turn` and `session`), the agent, or the day. */
  key: string;
  until: number;
}

/** How much may be used: what the user set, for all and for each agent, and what he raised for a while. */
export class Limits {
  readonly #storage: Storage;
  readonly #agents: Pick<Agents, 'get'>;
  readonly #clock: Clock;
  #budgets: Budgets = {};
  #version = 0;
  readonly #raises = new Map<string, Raise>();

  constructor(options: { storage: Storage; agents: Pick<Agents, 'get'>; clock: Clock }) {
    this.#storage = options.storage;
    this.#agents = options.agents;
    this.#clock = options.clock;
  }

  get budgets(): Budgets {
    return this.#budgets;
  }

  /** 0 while nothing was ever set. */
  get version(): number {
    return this.#version;
  }

  /** Those that hold at the moment, the next to end first. */
  get raised(): (BudgetNotice & { until: number })[] {
    const now = this.#clock.now();
    return [...this.#raises.values()]
      .filter(({ until }) => until > now)
      .sort((a, b) => a.until - b.until)
      .map(({ key: _, ...raise }) => raise);
  }

  /** Every limit that a turn of the agent in the session has to keep to. */
  of(agentId: string, sessionId: string, day: string): Record<BudgetScope, Limit> {
    const own = this.#ofAgent(agentId);
    const { turn, session, agent } = this.#budgets;
    return {
      turn: this.#raisedOver('turn', sessionId, limitsOver(own.turn, turn)),
      session: this.#raisedOver('session', sessionId, limitsOver(own.session, session)),
      agent: this.#raisedOver('agent', agentId, limitsOver(own.day, agent)),
      day: this.day(day),
    };
  }

  agent(agentId: string): Limit {
    const general = this.#budgets.agent;
    return this.#raisedOver('agent', agentId, limitsOver(this.#ofAgent(agentId).day, general));
  }

  day(day: string): Limit {
    return this.#raisedOver('day', day, this.#budgets.day ?? {});
  }

  /** Rejects with `storage.version_conflict`. */
  setting(budgets: Budgets, expectedVersion: number | undefined) {
    if (expectedVersion !== undefined && expectedVersion !== this.#version) {
      throw fault(
        'storage.version_conflict',
        `The budgets have changed meanwhile: they are at version ${this.#version}, not ${expectedVersion}.`,
        { expected: expectedVersion, current: this.#version },
      );
    }
    const expectVersion = this.#version;
    const operation: PutOperation = {
      kind: 'put',
      collection: BUDGET_COLLECTION,
      id: BUDGET_ID,
      value: budgets,
      expectVersion,
    };
    return {
      operation,
      version: expectVersion + 1,
      done: () => {
        this.#budgets = budgets;
        this.#version = expectVersion + 1;
      },
    };
  }

  /** Throws `request.invalid` when the limit would not be more than what was used. */
  raising(notice: BudgetNotice, asked: { sessionId: string; agentId: string }, raiseTo: number | undefined) {
    const limit = raiseTo ?? suggestedRaise(notice);
    if (limit <= notice.used) {
      throw fault('request.invalid', `The limit must be more than what was used: ${notice.used}.`, {
        used: notice.used,
        raiseTo: limit,
      });
    }
    const { scope, subject, unit } = notice;
    const now = this.#clock.now();
    const isOfSession = scope === 'turn' || scope === 'session';
    const raise: Raise = {
      ...notice,
      limit,
      key: isOfSession ? asked.sessionId : subject,
      until: isOfSession ? now + SESSION_RAISE_MS : endOfLocalDay(now),
    };
    const id = `${scope}.${raise.key}.${unit}`;
    const operation: PutOperation = {
      kind: 'put',
      collection: RAISE_COLLECTION,
      id,
      value: raise,
      expiresAt: raise.until,
    };
    return { operation, done: () => void this.#raises.set(id, raise) };
  }

  async reload(): Promise<void> {
    const document = await this.#storage.get<Budgets>(BUDGET_COLLECTION, BUDGET_ID);
    const raises = new Map<string, Raise>();
    for await (const { id, value } of everyDocument<Raise>(this.#storage, RAISE_COLLECTION))
      raises.set(id, value);
    this.#budgets = document?.value ?? {};
    this.#version = document?.version ?? 0;
    this.#raises.clear();
    for (const [id, raise] of raises) this.#raises.set(id, raise);
  }

  #ofAgent(agentId: string): AgentLimits {
    try {
      return this.#agents.get(agentId).limits;
    } catch (error) {
      // Removed while its session is still there: the general limits go on to hold.
      if (isCoded(error, 'agent.not_found')) return {};
      throw error;
    }
  }

  #raisedOver(scope: BudgetScope, key: string, limits: Limit): Limit {
    const now = this.#clock.now();
    const raised = { ...limits };
    for (const unit of ['tokens', 'money', 'minutes'] as const) {
      const limit = limits[unit];
      const raise = this.#raises.get(`${scope}.${key}.${unit}`);
      if (limit !== undefined && raise !== undefined && raise.until > now) {
        raised[unit] = Math.max(limit, raise.limit);
      }
    }
    return raised;
  }
}
