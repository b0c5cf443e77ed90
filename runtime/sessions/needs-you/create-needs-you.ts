import type { Agents } from '../../agents/agents.ts';
import type { Clock } from '../../base/clock.ts';
import { isCoded, messageOf } from '../../base/errors.ts';
import { type MakeId, timeOrderedId } from '../../base/ids.ts';
import type { Logger } from '../../base/logger.ts';
import { type BudgetNotice, fault, type NeedsYouItem, type NeedsYouOption } from '../../contract/index.ts';
import type { EventBus } from '../../events/event-bus.ts';
import type { Storage } from '../../storage/storage.ts';
import type { BudgetRaises } from '../budgets/budgets.ts';
import { isSameBudget } from '../budgets/notices.ts';
import { statusOf } from '../session-record.ts';
import type { Batch, SessionStore } from '../session-store.ts';
import { TurnOver } from '../turns.ts';
import { ItemStore, itemEvent, putItem, refuseSettled, withdrawn } from './items.ts';
import type { Asking, NeedsYou, NeedsYouAnswer, NeedsYouDesk } from './needs-you.ts';
import { decisionOf, optionFor, PermissionPolicies, policySubject } from './permission-policies.ts';
import { checkValues } from './question-values.ts';
import { type Chosen, type WaitingItem, WaitingItems } from './waiting-items.ts';

/** More than this wait in one session for no good reason: what comes then is answered with "cancelled". */
const MAX_WAITING = 100;
const MAX_TITLE = 200;
const NOBODY_WAITS = 'the agent that asked is gone';

export interface NeedsYouDependencies {
  storage: Storage;
  bus: EventBus;
  store: SessionStore;
  agents: Pick<Agents, 'setWaiting'>;
  budgets: BudgetRaises;
  clock: Clock;
  makeId: MakeId;
  logger: Logger;
}

/** What an answer brings about: what is committed with it, and what is to be done then. */
interface Consequence {
  chosen: Chosen;
  batch: Batch;
  done(): void;
}

/** What waits for the user, over a storage adapter. The sessions read it at their start; it needs none of its own. */
export function createNeedsYou(dependencies: NeedsYouDependencies): NeedsYouDesk {
  const { storage, bus, store, budgets, clock, makeId } = dependencies;
  const logger = dependencies.logger.with({ component: 'needs-you' });
  const waiting = new WaitingItems(dependencies.agents);
  const items = new ItemStore(storage);
  const policies = new PermissionPolicies(storage, makeId);

  /** An item of a turn, as it waits. */
  function itemOf(
    { agentId, turn }: Asking,
    rest: Pick<NeedsYouItem, 'kind' | 'title' | 'options'> & Partial<NeedsYouItem>,
  ): NeedsYouItem {
    const now = clock.now();
    const item: NeedsYouItem = {
      id: timeOrderedId(now, makeId),
      state: 'waiting',
      agentId,
      sessionId: turn.sessionId,
      turnId: turn.id,
      detail: '',
      createdAt: now,
      ...rest,
    };
    return { ...item, title: titleOf(item.title) };
  }

  /** Stores the item and waits for its answer. Resolves with undefined when nobody can be told an answer any more. */
  async function ask({ turn }: Asking, item: NeedsYouItem, signal: AbortSignal): Promise<Chosen | undefined> {
    const { promise, resolve } = Promise.withResolvers<Chosen | undefined>();
    const entry: WaitingItem = { item, correlationId: turn.correlationId, deliver: resolve };
    const onAbort = () => abandon(entry, signal);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await store.queue.run(item.sessionId, () => storeAsked(entry, signal));
      return await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async function storeAsked(entry: WaitingItem, signal: AbortSignal): Promise<void> {
    const { item } = entry;
    let stored = false;
    try {
      await store.change(item.sessionId, entry.correlationId, (record) => {
        const isRunning = record.lastTurn?.id === item.turnId && record.lastTurn.state === 'running';
        stored = !signal.aborted && isRunning && waiting.countIn(item.sessionId) < MAX_WAITING;
        if (!stored) return undefined;
        return {
          record: withWaiting(record, waiting.countIn(item.sessionId) + 1, clock.now()),
          batch: {
            operations: [putItem(item, clock.now(), 0)],
            drafts: [itemEvent('needs_you.asked', item, entry.correlationId)],
          },
        };
      });
    } catch (error) {
      // It may be there all the same: the end of the turn takes it away.
      waiting.add(entry);
      waiting.abandon(entry, 'it could not be stored');
      throw error;
    }
    if (!stored) return entry.deliver(undefined);
    waiting.add(entry);
    if (signal.aborted) abandon(entry, signal);
  }

  /** The agent was told that there is no answer. The turn may go on, so this is not left to its end. */
  function abandon(entry: WaitingItem, { reason }: AbortSignal): void {
    // Not stored yet: whoever stores it looks at the signal.
    if (waiting.get(entry.item.id) === undefined) {
      entry.deliver(undefined);
      return;
    }
    waiting.abandon(entry, reason instanceof TurnOver ? reason.message : 'the agent stopped waiting for it');
    const { sessionId } = entry.item;
    store.queue
      .run(sessionId, () => withdrawOne(entry))
      .catch((error: unknown) =>
        logger.warn('An item could not be withdrawn; that is done with the end of its turn', {
          sessionId,
          id: entry.item.id,
          error: messageOf(error),
        }),
      );
  }

  /** Call it in the queue of the session. */
  async function withdrawOne(entry: WaitingItem): Promise<void> {
    if (waiting.get(entry.item.id) !== entry) return;
    await store.change(entry.item.sessionId, entry.correlationId, (record) => ({
      record: withWaiting(record, waiting.countIn(record.id), clock.now()),
      batch: withdrawing([entry], entry.over ?? NOBODY_WAITS),
    }));
    waiting.delete(entry);
  }

  /**
   * Whatever is stored of the items is replaced, without a look at its version: a commit that was said to have failed may
   * have been carried out, and the end of a turn must not come to nothing because of it.
   */
  function withdrawing(entries: WaitingItem[], because: string): Batch {
    const batch: Batch = { operations: [], drafts: [] };
    for (const entry of entries) {
      const item: NeedsYouItem = {
        ...entry.item,
        state: 'withdrawn',
        withdrawnBecause: entry.over ?? because,
      };
      batch.operations.push(putItem(item, clock.now()));
      batch.drafts.push(itemEvent('needs_you.withdrawn', item, entry.correlationId));
    }
    return batch;
  }

  const askPermission: NeedsYouDesk['askPermission'] = async (asking, request, signal) => {
    const { toolCall, options, cwd } = request;
    if (signal.aborted) return undefined;
    if (options.length === 0) {
      logger
        .with({ correlationId: asking.turn.correlationId })
        .warn('An agent asked for a permission and offered no answers', { agentId: asking.agentId });
      return undefined;
    }
    const item = itemOf(asking, { kind: 'permission', title: toolCall.title, options, toolCall, cwd });
    const subject = policySubject(item);
    const policy = subject === undefined ? undefined : policies.find(subject);
    const option = policy === undefined ? undefined : optionFor(policy.decision, options);
    if (policy === undefined || option === undefined) return (await ask(asking, item, signal))?.optionId;
    const answered: NeedsYouItem = {
      ...item,
      state: 'answered',
      answer: { optionId: option.id, at: clock.now(), by: 'policy', policyId: policy.id },
    };
    await bus.commit(
      [putItem(answered, clock.now(), 0)],
      [itemEvent('needs_you.answered', answered, asking.turn.correlationId)],
    );
    policy.uses += 1;
    return option.id;
  };

  const askQuestion: NeedsYouDesk['askQuestion'] = async (asking, { message, fields }, signal) => {
    const item = itemOf(asking, {
      kind: 'question',
      title: message,
      detail: message === titleOf(message) ? '' : message,
      fields,
      options: [
        { id: 'accept', name: 'Send', kind: 'other' },
        { id: 'decline', name: 'Decline', kind: 'other' },
      ],
    });
    const chosen = await ask(asking, item, signal);
    if (chosen === undefined) return { action: 'cancel' };
    return chosen.optionId === 'accept'
      ? { action: 'accept', values: chosen.values ?? {} }
      : { action: 'decline' };
  };

  const askBudget: NeedsYouDesk['askBudget'] = (asking, notice) => {
    const item = itemOf(asking, { kind: 'budget', budget: notice, ...budgets.describe(notice) });
    const { correlationId } = asking.turn;
    return {
      batch: {
        operations: [putItem(item, clock.now(), 0)],
        drafts: [itemEvent('needs_you.asked', item, correlationId)],
      },
      done: () => waiting.add({ item, correlationId, deliver: () => undefined }),
    };
  };

  const withdraw: NeedsYouDesk['withdraw'] = (sessionId, because) => {
    const entries = waiting.of(sessionId);
    // A budget goes on waiting if this comes to nothing; what held up a turn does not, because the turn is over.
    for (const entry of entries) if (entry.item.kind !== 'budget') waiting.abandon(entry, because);
    return {
      batch: withdrawing(entries, because),
      done: () => {
        for (const entry of entries) waiting.delete(entry);
      },
    };
  };

  const answer: NeedsYou['answer'] = async (input, context) => {
    const { sessionId } = (await items.load(input.id)).item;
    const answered = await store.queue.run(sessionId, () => answerNow(input, context.correlationId));
    const { budget } = answered;
    if (budget !== undefined && answered.answer?.optionId === 'raise') await withdrawRaised(budget);
    return answered;
  };

  /** Call it in the queue of the session. */
  async function answerNow(input: NeedsYouAnswer, correlationId: string): Promise<NeedsYouItem> {
    const { item, version } = await items.load(input.id);
    const entry = waiting.get(item.id);
    const unsure = entry?.unsure;
    if (entry !== undefined && unsure !== undefined && item.answer?.at === unsure.answered.answer?.at) {
      // The storage had taken an answer that it was said to have refused, so whoever waits was not told.
      waiting.delete(entry);
      unsure.done();
      entry.deliver(unsure.chosen);
      if (unsure.chosen.optionId === input.optionId) return item;
    }
    refuseSettled(item);
    if (entry === undefined || entry.over !== undefined) {
      const lost = entry ?? { item, correlationId, deliver: () => undefined, over: NOBODY_WAITS };
      if (entry === undefined) waiting.add(lost);
      await withdrawOne(lost);
      throw withdrawn({ ...item, withdrawnBecause: lost.over ?? NOBODY_WAITS });
    }
    const option = item.options.find(({ id }) => id === input.optionId);
    if (option === undefined) {
      throw fault('needs_you.unknown_option', `"${input.optionId}" is none of the possible answers.`, {
        id: item.id,
        options: item.options.map(({ id }) => id),
      });
    }
    const consequence = consequenceOf(item, option, input, correlationId);
    const answered: NeedsYouItem = {
      ...item,
      state: 'answered',
      answer: { optionId: option.id, at: clock.now(), by: 'user' },
    };
    await carryOut(answered, consequence, correlationId, version, entry);
    return answered;
  }

  /** What else an answer brings about. Throws `request.invalid` when what goes with it does not fit. */
  function consequenceOf(
    item: NeedsYouItem,
    option: NeedsYouOption,
    input: NeedsYouAnswer,
    correlationId: string,
  ): Consequence {
    const chosen: Chosen = { optionId: option.id };
    const nothing = { chosen, batch: { operations: [], drafts: [] }, done: () => undefined };
    if (item.budget !== undefined && option.kind === 'raise') {
      return { chosen, ...budgets.raising(item.budget, item, input.raiseTo, correlationId) };
    }
    if (item.kind === 'question' && option.id === 'accept') {
      return { ...nothing, chosen: { ...chosen, values: checkValues(item.fields ?? [], input.values) } };
    }
    if (!input.remember) return nothing;
    const subject = policySubject(item);
    const decision = decisionOf(option);
    if (subject === undefined || decision === undefined) {
      throw fault('request.invalid', 'Only a yes or a no to a permission can be remembered.', {
        id: item.id,
      });
    }
    const { operations, done } = policies.making(subject, decision, clock.now());
    return { chosen, batch: { operations, drafts: [] }, done };
  }

  /** Stores an answer, then hands it over. Rejects with `needs_you.withdrawn` when nobody could be told in the end. */
  async function carryOut(
    answered: NeedsYouItem,
    { chosen, batch, done }: Consequence,
    correlationId: string,
    version: number,
    entry: WaitingItem,
  ): Promise<void> {
    try {
      await store.change(answered.sessionId, correlationId, (record) => ({
        record: withWaiting(
          record,
          waiting.countIn(record.id) - (entry.over === undefined ? 1 : 0),
          clock.now(),
        ),
        batch: {
          operations: [putItem(answered, clock.now(), version), ...batch.operations],
          drafts: [...batch.drafts, itemEvent('needs_you.answered', answered, correlationId)],
        },
      }));
    } catch (error) {
      if (isCoded(error, 'storage.version_conflict')) refuseSettled((await items.load(answered.id)).item);
      entry.unsure = { answered, chosen, done };
      throw error;
    }
    waiting.delete(entry);
    done();
    if (entry.over === undefined) return entry.deliver(chosen);
    // The turn ended while the answer was being stored.
    const late: NeedsYouItem = { ...entry.item, state: 'withdrawn', withdrawnBecause: entry.over };
    await bus.commit(
      [putItem(late, clock.now())],
      [itemEvent('needs_you.withdrawn', late, entry.correlationId)],
    );
    throw withdrawn(late);
  }

  /** A budget was raised: the other sessions that ask about the same one need not ask any more. */
  async function withdrawRaised(raised: BudgetNotice): Promise<void> {
    const same = waiting
      .all()
      .filter(({ item: { budget } }) => budget !== undefined && isSameBudget(budget, raised));
    await Promise.all(
      same.map(async (entry) => {
        waiting.abandon(entry, 'the budget was raised meanwhile');
        await store.queue
          .run(entry.item.sessionId, () => withdrawOne(entry))
          .catch((error: unknown) =>
            logger.warn('An item about a budget that was raised could not be withdrawn', {
              id: entry.item.id,
              error: messageOf(error),
            }),
          );
      }),
    );
  }

  return {
    list: (query) => items.list(query),
    get: async (id) => (await items.load(id)).item,
    answer,
    policies: async (agentId) => policies.list(agentId),
    async deletePolicy(id, { correlationId }) {
      await policies.delete(id);
      logger.with({ correlationId }).info('A permission is asked for again', { policyId: id });
    },
    askPermission,
    askQuestion,
    askBudget,
    withdraw,
    async forget(sessionId) {
      const ids: string[] = [];
      for await (const item of items.all({ field: 'sessionId', is: sessionId })) ids.push(item.id);
      await items.delete(ids);
      for (const entry of waiting.of(sessionId)) waiting.delete(entry);
    },
    async reload() {
      for (const entry of waiting.all()) {
        waiting.abandon(entry, NOBODY_WAITS);
        waiting.delete(entry);
      }
      await policies.reload();
      for await (const item of items.all({ field: 'state', is: 'waiting' })) {
        waiting.add({
          item,
          correlationId: timeOrderedId(clock.now(), makeId),
          deliver: () => undefined,
          over: 'the app stopped meanwhile',
        });
      }
    },
    async withdrawRest(because) {
      const entries = waiting.all();
      const { operations, drafts } = withdrawing(entries, because);
      if (operations.length > 0) await bus.commit(operations, drafts);
      for (const entry of entries) waiting.delete(entry);
    },
  };
}

function withWaiting<R extends Parameters<typeof statusOf>[0]>(record: R, count: number, now: number): R {
  const next = { ...record, waitingForYou: Math.max(0, count), updatedAt: now };
  return { ...next, status: statusOf(next) };
}

/** The first line, cut. */
function titleOf(text: string): string {
  const line = text.trim().split('\n', 1)[0]?.trim() ?? '';
  return line.length <= MAX_TITLE ? line : `${line.slice(0, MAX_TITLE - 1)}…`;
}
