import type { Clock } from '../../base/clock.ts';
import { isCoded } from '../../base/errors.ts';
import {
  type BudgetNotice,
  fault,
  type NeedsYouItem,
  type NeedsYouOption,
  suggestedRaise,
} from '../../contract/index.ts';
import type { EventBus } from '../../events/event-bus.ts';
import type { BudgetRaises } from '../budgets/budgets.ts';
import { isSameBudget } from '../budgets/notices.ts';
import type { Batch, SessionStore } from '../session-store.ts';
import { type ItemStore, itemEvent, putItem, refuseSettled, withdrawn } from './items.ts';
import type { NeedsYou, NeedsYouAnswer } from './needs-you.ts';
import { decisionOf, type PermissionPolicies, policySubject } from './permission-policies.ts';
import { checkValues } from './question-values.ts';
import type { Chosen, WaitingItem, WaitingItems } from './waiting-items.ts';
import { NOBODY_WAITS, type Withdrawals, withWaiting } from './withdrawals.ts';

/** What an answer brings about: what is committed with it, and what is to be done then. */
interface Consequence {
  chosen: Chosen;
  batch: Batch;
  done(): void;
}

/** How items are answered: once, durably before whoever waits is told. */
export class Answers {
  readonly #bus: EventBus;
  readonly #store: SessionStore;
  readonly #items: ItemStore;
  readonly #waiting: WaitingItems;
  readonly #withdrawals: Withdrawals;
  readonly #policies: PermissionPolicies;
  readonly #budgets: BudgetRaises;
  readonly #clock: Clock;

  constructor(options: {
    bus: EventBus;
    store: SessionStore;
    items: ItemStore;
    waiting: WaitingItems;
    withdrawals: Withdrawals;
    policies: PermissionPolicies;
    budgets: BudgetRaises;
    clock: Clock;
  }) {
    this.#bus = options.bus;
    this.#store = options.store;
    this.#items = options.items;
    this.#waiting = options.waiting;
    this.#withdrawals = options.withdrawals;
    this.#policies = options.policies;
    this.#budgets = options.budgets;
    this.#clock = options.clock;
  }

  answer: NeedsYou['answer'] = async (input, { correlationId }) => {
    const { sessionId } = (await this.#items.load(input.id)).item;
    const answered = await this.#store.queue.run(sessionId, () => this.#answer(input, correlationId));
    const { budget } = answered;
    if (budget !== undefined && answered.answer?.optionId === 'raise') await this.#withdrawRaised(budget);
    return answered;
  };

  /** Call it in the queue of the session. */
  async #answer(input: NeedsYouAnswer, correlationId: string): Promise<NeedsYouItem> {
    const { item, version } = await this.#items.load(input.id);
    const entry = this.#waiting.get(item.id);
    const unsure = entry?.unsure;
    if (entry !== undefined && unsure !== undefined && isSameAnswer(item, unsure.answered)) {
      // The storage had taken an answer that it was said to have refused, so whoever waits was not told.
      this.#waiting.delete(entry);
      unsure.done();
      entry.deliver(unsure.chosen);
      if (unsure.chosen.optionId === input.optionId) return item;
    }
    refuseSettled(item);
    if (entry === undefined || entry.over !== undefined) {
      const lost = entry ?? { item, correlationId, deliver: () => undefined, over: NOBODY_WAITS };
      if (entry === undefined) this.#waiting.add(lost);
      await this.#withdrawals.one(lost);
      throw withdrawn({ ...item, withdrawnBecause: lost.over ?? NOBODY_WAITS });
    }
    const option = item.options.find(({ id }) => id === input.optionId);
    if (option === undefined) {
      throw fault('needs_you.unknown_option', `"${input.optionId}" is none of the possible answers.`, {
        id: item.id,
        options: item.options.map(({ id }) => id),
      });
    }
    const consequence = this.#consequenceOf(item, option, input, correlationId);
    const answered: NeedsYouItem = {
      ...item,
      state: 'answered',
      answer: {
        optionId: option.id,
        at: this.#clock.now(),
        by: 'user',
        ...(item.budget !== undefined &&
          option.kind === 'raise' && { raiseTo: input.raiseTo ?? suggestedRaise(item.budget) }),
      },
    };
    await this.#carryOut(answered, consequence, correlationId, version, entry);
    return answered;
  }

  /** What else an answer brings about. Throws `request.invalid` when what goes with it does not fit. */
  #consequenceOf(
    item: NeedsYouItem,
    option: NeedsYouOption,
    input: NeedsYouAnswer,
    correlationId: string,
  ): Consequence {
    const chosen: Chosen = { optionId: option.id };
    const nothing = { chosen, batch: { operations: [], drafts: [] }, done: () => undefined };
    if (item.budget !== undefined && option.kind === 'raise') {
      return { chosen, ...this.#budgets.raising(item.budget, item, input.raiseTo, correlationId) };
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
    const { operations, done } = this.#policies.making(subject, decision, this.#clock.now());
    return { chosen, batch: { operations, drafts: [] }, done };
  }

  /** Stores an answer, then hands it over. Rejects with `needs_you.withdrawn` when nobody could be told in the end. */
  async #carryOut(
    answered: NeedsYouItem,
    consequence: Consequence,
    correlationId: string,
    version: number,
    entry: WaitingItem,
  ): Promise<void> {
    const { chosen, batch, done } = consequence;
    const now = this.#clock.now();
    try {
      await this.#store.change(answered.sessionId, correlationId, (record) => {
        const others = this.#waiting.countIn(record.id) - (entry.over === undefined ? 1 : 0);
        return {
          record: withWaiting(record, others, now),
          batch: {
            operations: [putItem(answered, now, version), ...batch.operations],
            drafts: [...batch.drafts, itemEvent('needs_you.answered', answered, correlationId)],
          },
        };
      });
    } catch (error) {
      const stored = await this.#items.load(answered.id).catch(() => undefined);
      if (stored === undefined || !isSameAnswer(stored.item, answered)) {
        if (stored !== undefined && isCoded(error, 'storage.version_conflict')) refuseSettled(stored.item);
        entry.unsure = { answered, chosen, done };
        throw error;
      }
      // It was carried out all the same.
    }
    this.#waiting.delete(entry);
    done();
    if (entry.over === undefined) {
      entry.deliver(chosen);
      return;
    }
    // The turn ended while the answer was being stored.
    const late: NeedsYouItem = { ...entry.item, state: 'withdrawn', withdrawnBecause: entry.over };
    await this.#bus.commit(
      [putItem(late, now)],
      [itemEvent('needs_you.withdrawn', late, entry.correlationId)],
    );
    throw withdrawn(late);
  }

  /** A budget was raised: the other sessions that ask about the same one need not ask any more. */
  async #withdrawRaised(raised: BudgetNotice): Promise<void> {
    const same = this.#waiting
      .all()
      .filter(({ item: { budget } }) => budget !== undefined && isSameBudget(budget, raised));
    for (const entry of same) this.#waiting.abandon(entry, 'the budget was raised meanwhile');
    await Promise.all(same.map((entry) => this.#withdrawals.later(entry)));
  }
}

function isSameAnswer(stored: NeedsYouItem, answered: NeedsYouItem): boolean {
  const { answer } = stored;
  return answer?.at === answered.answer?.at && answer?.optionId === answered.answer?.optionId;
}
