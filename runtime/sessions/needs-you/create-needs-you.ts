import type { Agents } from '../../agents/agents.ts';
import type { Clock } from '../../base/clock.ts';
import { type MakeId, timeOrderedId } from '../../base/ids.ts';
import type { Logger } from '../../base/logger.ts';
import type { NeedsYouItem } from '../../contract/index.ts';
import type { EventBus } from '../../events/event-bus.ts';
import type { Storage } from '../../storage/storage.ts';
import type { BudgetRaises } from '../budgets/budgets.ts';
import type { SessionStore } from '../session-store.ts';
import { TurnOver } from '../turns.ts';
import { Answers } from './answers.ts';
import { ItemStore, itemEvent, putItem } from './items.ts';
import type { Asking, NeedsYouDesk } from './needs-you.ts';
import { optionFor, PermissionPolicies, policySubject } from './permission-policies.ts';
import { type Chosen, type WaitingItem, WaitingItems } from './waiting-items.ts';
import { NOBODY_WAITS, Withdrawals, withWaiting } from './withdrawals.ts';

/** More than this wait in one session for no good reason: what comes then is answered with "cancelled". */
const MAX_WAITING = 100;
const MAX_TITLE = 200;

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

/** What waits for the user, over a storage adapter. The sessions read it at their start; it needs none of its own. */
export function createNeedsYou(dependencies: NeedsYouDependencies): NeedsYouDesk {
  const { storage, bus, store, budgets, clock, makeId } = dependencies;
  const logger = dependencies.logger.with({ component: 'needs-you' });
  const waiting = new WaitingItems(dependencies.agents);
  const items = new ItemStore(storage);
  const policies = new PermissionPolicies(storage, makeId);
  const withdrawals = new Withdrawals({ store, waiting, clock, logger });
  const answers = new Answers({ bus, store, items, waiting, withdrawals, policies, budgets, clock });

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
    if (!stored) {
      logger
        .with({ correlationId: entry.correlationId })
        .warn('An agent asked when nothing more could be asked: it is told that there is no answer', {
          sessionId: item.sessionId,
          waiting: waiting.countIn(item.sessionId),
        });
      return entry.deliver(undefined);
    }
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
    void withdrawals.later(entry);
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
      batch: withdrawals.batch(entries, because),
      done: () => {
        for (const entry of entries) waiting.delete(entry);
      },
    };
  };

  return {
    list: (query) => items.list(query),
    get: async (id) => (await items.load(id)).item,
    answer: (input, context) => answers.answer(input, context),
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
      const { operations, drafts } = withdrawals.batch(entries, because);
      if (operations.length > 0) await bus.commit(operations, drafts);
      for (const entry of entries) waiting.delete(entry);
    },
  };
}

/** The first line, cut. */
function titleOf(text: string): string {
  const line = text.trim().split('\n', 1)[0]?.trim() ?? '';
  return line.length <= MAX_TITLE ? line : `${line.slice(0, MAX_TITLE - 1)}…`;
}
