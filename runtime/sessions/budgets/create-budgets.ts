import type { Agents } from '../../agents/agents.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { isCoded, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import {
  type BudgetNotice,
  type BudgetScope,
  type BudgetState,
  fault,
  type Spent,
  type Turn,
} from '../../contract/index.ts';
import type { EventBus, EventDraft } from '../../events/event-bus.ts';
import type { Operation, Storage } from '../../storage/storage.ts';
import { everyDocument } from '../list-documents.ts';
import { turnEntry } from '../turns.ts';
import type { BudgetDesk, SessionAccount, TurnMeter } from './budgets.ts';
import { Limits } from './limits.ts';
import { endOfLocalDay, localDay } from './local-day.ts';
import {
  describeNotice,
  describeQuestion,
  isExhausted,
  isNoticeable,
  isSameBudget,
  standings,
} from './notices.ts';
import { PRICE_TABLE, type Price, priceOf } from './prices.ts';
import {
  addSpent,
  Ledger,
  NOTHING_SPENT,
  putSpending,
  SPENDING_COLLECTION,
  type SpendingRecord,
  withoutSpent,
} from './spending.ts';
import { TurnSpending } from './turn-spending.ts';

/** How often the minutes of running turns are looked at. */
const TICK_MS = 1000;
/** How often what a running turn has used is made durable: tokens and money, and minutes alone. */
const KEEP_INTERVAL_MS = 5000;
const KEEP_MINUTES_INTERVAL_MS = 30_000;
const FREE: Price = { input: 0, output: 0 };

export interface BudgetsDependencies {
  storage: Storage;
  bus: EventBus;
  agents: Pick<Agents, 'get'>;
  clock: Clock;
  logger: Logger;
}

/** A turn that spends. */
interface Spender {
  turn: Turn;
  agentId: string;
  spending: TurnSpending;
  /** What the session had used before the turn, by day. */
  before: Map<string, Spent>;
  /** What the turn has used, by day. */
  parts: Map<string, Spent>;
  /** The turn as it stood at the last look. */
  seen: Spent;
  onExhausted(notice: BudgetNotice): void;
  exhausted: BudgetNotice | undefined;
  /** What is not durable yet. */
  dirtyDays: Set<string>;
  isUsageDirty: boolean;
  notices: EventDraft[];
  keptAt: number;
  keeping: Promise<void> | undefined;
}

/** The budgets over a storage adapter. The sessions read them at their start; they need none of their own. */
export function createBudgets(dependencies: BudgetsDependencies): BudgetDesk {
  const { storage, bus, agents, clock } = dependencies;
  const logger = dependencies.logger.with({ component: 'budgets' });
  const ledger = new Ledger();
  const limits = new Limits({ storage, agents, clock });
  const spenders = new Set<Spender>();
  /** What could not be written because the storage was away, by id: wholes, of which the newest counts. */
  const postponed = new Map<string, Operation>();
  let ticking: Timer | undefined;

  /** How every budget stands that a turn of the agent in the session counts for; `turn` is left out between turns. */
  function standingsOf(
    of: { agentId: string; sessionId: string; turn?: { id: string; used: Spent } },
    day: string,
  ): BudgetNotice[] {
    const { agentId, sessionId, turn } = of;
    const limit = limits.of(agentId, sessionId, day);
    const found: BudgetNotice[] = [];
    const look = (scope: BudgetScope, subject: string, used: () => Spent) => {
      if (Object.keys(limit[scope]).length > 0) {
        found.push(...standings({ scope, subject }, used(), limit[scope]));
      }
    };
    if (turn !== undefined) look('turn', turn.id, () => turn.used);
    look('session', sessionId, () => ledger.session(sessionId));
    look('agent', agentId, () => ledger.agent(agentId, day));
    look('day', day, () => ledger.day(day));
    return found;
  }

  /** Counts what a turn has used since the last look, and tells of the budgets that it comes close to or uses up. */
  function look(spender: Spender): void {
    const { turn, agentId } = spender;
    const { sessionId } = turn;
    const day = localDay(clock.now());
    const of = (used: Spent) => ({ agentId, sessionId, turn: { id: turn.id, used } });
    const before = standingsOf(of(spender.seen), day);
    count(spender, day);
    const after = standingsOf(of(spender.seen), day);
    for (const notice of after) {
      const was = before.find((one) => isSameBudget(one, notice));
      const isNew = was === undefined || !isNoticeable(was);
      if (isNew && isNoticeable(notice) && !isExhausted(notice)) tell('budget.notice', spender, notice);
    }
    const exhausted = after.find(isExhausted);
    if (exhausted === undefined || spender.exhausted !== undefined) return;
    spender.exhausted = exhausted;
    tell('budget.exhausted', spender, exhausted);
    logger.with({ correlationId: turn.correlationId }).warn('A budget is used up', { agentId, ...exhausted });
    spender.onExhausted(exhausted);
  }

  function tell(topic: 'budget.notice' | 'budget.exhausted', spender: Spender, data: BudgetNotice): void {
    const { sessionId, correlationId } = spender.turn;
    spender.notices.push({ topic, subject: sessionId, correlationId, data });
  }

  /** Puts what the turn has used into the ledger; what is not of another day is of this one. */
  function count(spender: Spender, day: string): void {
    spender.seen = spender.spending.total;
    let part = spender.seen;
    for (const [other, spent] of spender.parts) if (other !== day) part = withoutSpent(part, spent);
    spender.parts.set(day, part);
    spender.dirtyDays.add(day);
    ledger.put(recordOf(spender, day));
  }

  function recordOf({ turn, agentId, spending, before, parts }: Spender, day: string): SpendingRecord {
    const { sessionCost } = spending;
    return {
      sessionId: turn.sessionId,
      agentId,
      day,
      spent: addSpent(before.get(day) ?? NOTHING_SPENT, parts.get(day) ?? NOTHING_SPENT),
      ...(sessionCost === undefined ? {} : { toldCost: sessionCost }),
    };
  }

  /** What is not durable yet, taken. */
  function take(spender: Spender): { operations: Operation[]; drafts: EventDraft[] } {
    const now = clock.now();
    const operations: Operation[] = [...spender.dirtyDays].map((day) =>
      putSpending(recordOf(spender, day), now),
    );
    const drafts = spender.notices;
    spender.dirtyDays = new Set();
    spender.notices = [];
    spender.isUsageDirty = false;
    spender.keptAt = now;
    return { operations, drafts };
  }

  /** Makes durable what a running turn has used so far: what a kill can take is what came since. */
  function keep(spender: Spender): void {
    if (spender.keeping !== undefined) return;
    const { usage } = spender.spending;
    const days = [...spender.dirtyDays];
    const isUsageDirty = spender.isUsageDirty && usage !== undefined;
    const { operations, drafts } = take(spender);
    if (isUsageDirty) operations.push(turnEntry({ ...spender.turn, usage }));
    spender.keeping = bus
      .commit(operations, drafts)
      .then(
        () => undefined,
        (error: unknown) => {
          // Told again with the next: all of it is written as wholes.
          for (const day of days) spender.dirtyDays.add(day);
          spender.isUsageDirty ||= isUsageDirty;
          spender.notices.unshift(...drafts);
          logger.warn('What a turn has used could not be stored; it is tried again', {
            turnId: spender.turn.id,
            error: messageOf(error),
          });
        },
      )
      .finally(() => {
        spender.keeping = undefined;
      });
  }

  function keepSoon(spender: Spender): void {
    const age = clock.now() - spender.keptAt;
    const interval = spender.isUsageDirty ? KEEP_INTERVAL_MS : KEEP_MINUTES_INTERVAL_MS;
    if (spender.notices.length > 0 || age >= interval) keep(spender);
  }

  function tick(): void {
    for (const spender of spenders) {
      look(spender);
      keepSoon(spender);
    }
  }

  async function writePostponed(): Promise<void> {
    if (postponed.size === 0) return;
    const taken = new Map(postponed);
    try {
      await bus.commit([...taken.values()], []);
    } catch (error) {
      logger.debug('What was used while the storage was away still waits', { error: messageOf(error) });
      return;
    }
    for (const [key, operation] of taken) if (postponed.get(key) === operation) postponed.delete(key);
  }

  const account: BudgetDesk['account'] = async ({ sessionId, agentId }) => {
    await writePostponed();
    const where = [{ field: 'sessionId', is: sessionId }];
    for await (const { value } of everyDocument<SpendingRecord>(storage, SPENDING_COLLECTION, where)) {
      // What is in memory is not older than what is stored.
      if (!ledger.has(sessionId, value.day)) ledger.put(value);
    }
    return {
      refuse: () => refuse({ sessionId, agentId }),
      begin: (turn, onExhausted) => begin(turn, agentId, onExhausted),
    };
  };

  function refuse(session: { sessionId: string; agentId: string }): void {
    const now = clock.now();
    const exhausted = standingsOf(session, localDay(now)).find(isExhausted);
    if (exhausted === undefined) return;
    const isOfDay = exhausted.scope === 'agent' || exhausted.scope === 'day';
    const freesAt = isOfDay ? endOfLocalDay(now) : undefined;
    const otherwise = isOfDay ? 'wait until the day ends' : 'go on in a new session';
    throw fault('budget.exhausted', `${describeNotice(exhausted)} Raise the limit, or ${otherwise}.`, {
      ...exhausted,
      ...(freesAt === undefined ? {} : { freesAt }),
    });
  }

  const begin = (
    turn: Turn,
    agentId: string,
    onExhausted: (notice: BudgetNotice) => void,
  ): ReturnType<SessionAccount['begin']> => {
    const records = ledger.recordsOf(turn.sessionId);
    const spender: Spender = {
      turn,
      agentId,
      spending: new TurnSpending({
        clock,
        price: priceOfAgent(agentId),
        costBefore: records.findLast(({ toldCost }) => toldCost !== undefined)?.toldCost,
      }),
      before: new Map(records.map(({ day, spent }) => [day, spent])),
      parts: new Map(),
      seen: NOTHING_SPENT,
      onExhausted,
      exhausted: undefined,
      dirtyDays: new Set(),
      isUsageDirty: false,
      notices: [],
      keptAt: clock.now(),
      keeping: undefined,
    };
    spenders.add(spender);
    ticking ??= clock.every(TICK_MS, tick);
    return meterOf(spender);
  };

  function meterOf(spender: Spender): TurnMeter {
    const { spending } = spender;
    const told = (tellIt: () => void) => {
      if (!spenders.has(spender)) return;
      tellIt();
      spender.isUsageDirty = true;
      look(spender);
      keepSoon(spender);
    };
    return {
      tellOpened: (knownBy) => told(() => spending.tellOpened(knownBy)),
      tellUsage: (usage) => told(() => spending.tellUsage(usage)),
      tellCost: (cost) => told(() => spending.tellCost(cost)),
      tellModel: (model) => told(() => spending.tellPrice(priceOf(model, clock.now()))),
      pause: () => spending.pause(),
      async close() {
        spending.end();
        look(spender);
        spenders.delete(spender);
        if (spenders.size === 0) {
          ticking?.cancel();
          ticking = undefined;
        }
        await spender.keeping;
        const batch = take(spender);
        ledger.prune(localDay(clock.now()), new Set([...spenders].map(({ turn }) => turn.sessionId)));
        const postpone = () => {
          for (const operation of batch.operations) {
            if (operation.kind === 'put') postponed.set(operation.id, operation);
          }
        };
        return { usage: spending.usage, batch, exhausted: spender.exhausted, postpone };
      },
    };
  }

  /** What the tokens of an agent cost, as far as its configuration tells. The built-in echo costs nothing. */
  function priceOfAgent(agentId: string): Price | undefined {
    try {
      const { launch, model } = agents.get(agentId);
      if (launch.kind === 'builtin' && launch.program === 'echo') return FREE;
      return model === undefined ? undefined : priceOf(model, clock.now());
    } catch (error) {
      if (isCoded(error, 'agent.not_found')) return undefined;
      throw error;
    }
  }

  async function state(): Promise<BudgetState> {
    const day = localDay(clock.now());
    const today = ledger.agents(day);
    const running = [...spenders].flatMap(({ turn, agentId, seen }) =>
      standingsOf({ agentId, sessionId: turn.sessionId, turn: { id: turn.id, used: seen } }, day),
    );
    const ofAgents = [...today].flatMap(([agentId, used]) =>
      standings({ scope: 'agent', subject: agentId }, used, limits.agent(agentId)),
    );
    const ofDay = standings({ scope: 'day', subject: day }, ledger.day(day), limits.day(day));
    const notices: BudgetNotice[] = [];
    for (const notice of [...ofDay, ...ofAgents, ...running].filter(isNoticeable)) {
      if (!notices.some((one) => isSameBudget(one, notice))) notices.push(notice);
    }
    return {
      budgets: limits.budgets,
      version: limits.version,
      day,
      today: ledger.day(day),
      agents: [...today].map(([agentId, spent]) => ({ agentId, today: spent })),
      raised: limits.raised,
      notices,
      prices: PRICE_TABLE,
    };
  }

  return {
    state,
    async set({ budgets, expectedVersion }, { correlationId }) {
      const setting = limits.setting(budgets, expectedVersion);
      await bus.commit(
        [setting.operation],
        [{ topic: 'budget.changed', correlationId, data: { version: setting.version } }],
      );
      setting.done();
      return state();
    },
    describe: describeQuestion,
    raising(notice, asked, raiseTo, correlationId) {
      const { operation, done } = limits.raising(notice, asked, raiseTo);
      return {
        batch: {
          operations: [operation],
          drafts: [{ topic: 'budget.changed', correlationId, data: { version: limits.version } }],
        },
        done,
      };
    },
    account,
    async reload() {
      await limits.reload();
      ledger.clear();
      const where = [{ field: 'day', is: localDay(clock.now()) }];
      for await (const { value } of everyDocument<SpendingRecord>(storage, SPENDING_COLLECTION, where))
        ledger.put(value);
    },
  };
}
