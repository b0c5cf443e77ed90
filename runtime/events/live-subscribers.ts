import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Priority, RuntimeEvent } from '../contract/index.ts';
import type { LiveSubscription } from './event-bus.ts';
import { compileTopics, type TopicMatcher } from './topics.ts';

const RANK: Record<Priority, number> = { critical: 0, high: 1, normal: 2, low: 3 };

/** Events that one subscriber may have waiting while its handler is busy, unless it says otherwise. */
const DEFAULT_QUEUE_LIMIT = 1000;

interface Subscriber {
  name: string;
  matches: TopicMatcher;
  priority: Priority;
  queueLimit: number;
  handle: (event: RuntimeEvent) => void | Promise<void>;
  queue: RuntimeEvent[];
  busy: boolean;
  dropping: boolean;
  ended: boolean;
}

/**
 * The subscribers that are called for what happens now: at once, those of higher priority first, each behind a bounded
 * queue that is used while an asynchronous handler is busy. One that throws or cannot keep up harms nobody but itself.
 */
export class LiveSubscribers {
  readonly #subscribers: Subscriber[] = [];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onDelivered: (topic: string, subscriber: string) => void;
  delivered = 0;
  dropped = 0;

  constructor(clock: Clock, logger: Logger, onDelivered: (topic: string, subscriber: string) => void) {
    this.#clock = clock;
    this.#logger = logger;
    this.#onDelivered = onDelivered;
  }

  get size(): number {
    return this.#subscribers.length;
  }

  add(
    options: { name: string; topics: string[]; priority?: Priority; queueLimit?: number },
    handle: Subscriber['handle'],
  ): LiveSubscription {
    const subscriber: Subscriber = {
      name: options.name,
      matches: compileTopics(options.topics),
      priority: options.priority ?? 'normal',
      queueLimit: options.queueLimit ?? DEFAULT_QUEUE_LIMIT,
      handle,
      queue: [],
      busy: false,
      dropping: false,
      ended: false,
    };
    const later = this.#subscribers.findIndex((other) => RANK[other.priority] > RANK[subscriber.priority]);
    this.#subscribers.splice(later === -1 ? this.#subscribers.length : later, 0, subscriber);
    return {
      end: () => {
        if (subscriber.ended) return;
        subscriber.ended = true;
        subscriber.queue.length = 0;
        this.#subscribers.splice(this.#subscribers.indexOf(subscriber), 1);
      },
    };
  }

  deliver(event: RuntimeEvent): void {
    for (const subscriber of [...this.#subscribers]) {
      if (subscriber.ended || !subscriber.matches(event.type)) continue;
      if (!subscriber.busy) this.#call(subscriber, event);
      else if (subscriber.queue.length < subscriber.queueLimit) subscriber.queue.push(event);
      else this.#drop(subscriber);
    }
  }

  #call(subscriber: Subscriber, event: RuntimeEvent): void {
    this.delivered += 1;
    this.#onDelivered(event.type, subscriber.name);
    try {
      const pending = subscriber.handle(event);
      if (pending === undefined) return;
      subscriber.busy = true;
      pending
        .catch((error: unknown) => this.#failed(subscriber, event, error))
        .then(() => {
          subscriber.busy = false;
          this.#drain(subscriber);
        });
    } catch (error) {
      this.#failed(subscriber, event, error);
    }
  }

  #drain(subscriber: Subscriber): void {
    while (!subscriber.busy && !subscriber.ended) {
      const next = subscriber.queue.shift();
      if (next === undefined) {
        subscriber.dropping = false;
        return;
      }
      this.#call(subscriber, next);
    }
  }

  #drop(subscriber: Subscriber): void {
    this.dropped += 1;
    if (subscriber.dropping) return;
    subscriber.dropping = true;
    this.#logger.warn('A live subscriber cannot keep up: events are dropped until its queue is empty', {
      subscriber: subscriber.name,
      queueLimit: subscriber.queueLimit,
      at: this.#clock.now(),
    });
  }

  #failed(subscriber: Subscriber, event: RuntimeEvent, error: unknown): void {
    this.#logger.with({ correlationId: event.correlationid }).error('A live subscriber failed', {
      subscriber: subscriber.name,
      topic: event.type,
      error: messageOf(error),
    });
  }
}
