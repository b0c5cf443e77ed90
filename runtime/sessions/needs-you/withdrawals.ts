import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { NeedsYouItem } from '../../contract/index.ts';
import { type SessionRecord, statusOf } from '../session-record.ts';
import type { Batch, SessionStore } from '../session-store.ts';
import { itemEvent, putItem } from './items.ts';
import type { WaitingItem, WaitingItems } from './waiting-items.ts';

export const NOBODY_WAITS = 'the agent that asked is gone';

/** How items stop waiting without an answer. */
export class Withdrawals {
  readonly #store: SessionStore;
  readonly #waiting: WaitingItems;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(options: { store: SessionStore; waiting: WaitingItems; clock: Clock; logger: Logger }) {
    this.#store = options.store;
    this.#waiting = options.waiting;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /**
   * What is to be committed. Whatever is stored of the items is replaced, without a look at its version: a commit that was
   * said to have failed may have been carried out, and the end of a turn must not come to nothing because of it.
   */
  batch(entries: WaitingItem[], because: string): Batch {
    const batch: Batch = { operations: [], drafts: [] };
    for (const entry of entries) {
      const item: NeedsYouItem = {
        ...entry.item,
        state: 'withdrawn',
        withdrawnBecause: entry.over ?? because,
      };
      batch.operations.push(putItem(item, this.#clock.now()));
      batch.drafts.push(itemEvent('needs_you.withdrawn', item, entry.correlationId));
    }
    return batch;
  }

  /** Withdraws one that nobody waits for any more, while its turn goes on. Call it in the queue of the session. */
  async one(entry: WaitingItem): Promise<void> {
    if (this.#waiting.get(entry.item.id) !== entry) return;
    await this.#store.change(entry.item.sessionId, entry.correlationId, (record) => ({
      record: withWaiting(record, this.#waiting.countIn(record.id), this.#clock.now()),
      batch: this.batch([entry], NOBODY_WAITS),
    }));
    this.#waiting.delete(entry);
  }

  /** The same from outside of the queue, in the background. What fails is left to the end of the turn. */
  async later(entry: WaitingItem): Promise<void> {
    const { id, sessionId } = entry.item;
    await this.#store.queue
      .run(sessionId, () => this.one(entry))
      .catch((error: unknown) =>
        this.#logger.warn('An item could not be withdrawn; that is done with the end of its turn', {
          sessionId,
          id,
          error: messageOf(error),
        }),
      );
  }
}

/** The session with so many items that wait. */
export function withWaiting(record: SessionRecord, count: number, now: number): SessionRecord {
  const next = { ...record, waitingForYou: Math.max(0, count), updatedAt: now };
  return { ...next, status: statusOf(next) };
}
