/** What the rest of the runtime sees of the event bus. */
import type { LiveEvents, LiveTopic, Priority, RuntimeEvent } from '../contract/index.ts';
import type { Operation, OperationResult } from '../storage/storage.ts';

/** An event to be: what the publisher knows; the bus adds id, time and sequence. */
export type EventDraft = {
  [T in LiveTopic]: {
    topic: T;
    data: LiveEvents[T];
    /** The id of what it is about. */
    subject?: string;
    /** Default `normal`. */
    priority?: Priority;
    correlationId: string;
    /** The id of the event that caused it. */
    causationId?: string;
  };
}[LiveTopic];

export interface EventQuery {
  /** Patterns; an event that matches one of them is in. Default: all. */
  topics?: string[];
  search?: string;
  subject?: string;
  correlationId?: string;
  /** Milliseconds since the epoch. */
  since?: number;
  limit: number;
  cursor?: string;
}

export interface LiveSubscription {
  /** Ends it; what is queued is not delivered any more. Idempotent. */
  end(): void;
}

export interface EventBusStats {
  published: number;
  delivered: number;
  /** Live events that a full queue could not take. */
  dropped: number;
  subscriptions: number;
  averagePropagationMs: number;
}

export interface EventBus {
  /** Appends to the durable log, then delivers to the live subscribers; resolves when durable. */
  publish(...drafts: EventDraft[]): Promise<RuntimeEvent[]>;
  /** Commits the operations and the events in one atomic commit, then delivers the events. */
  commit(
    operations: Operation[],
    drafts: EventDraft[],
  ): Promise<{ results: OperationResult[]; events: RuntimeEvent[] }>;
  /** Delivers to the live subscribers only: sequence 0, not in the log. */
  tell(draft: EventDraft): void;
  /** Calls `handle` for what happens from now on, in order, those of higher priority first. A throw is logged. */
  subscribe(
    options: { name: string; topics: string[]; priority?: Priority; queueLimit?: number },
    handle: (event: RuntimeEvent) => void | Promise<void>,
  ): LiveSubscription;
  /**
   * Events of the log after a sequence (without `after`: from now on), then what happens live, without gap or repetition;
   * live-only events in between. Ends when the signal aborts. A consumer that cannot keep up reads from the log again.
   */
  stream(options: { topics: string[]; after?: number; signal: AbortSignal }): AsyncIterable<RuntimeEvent>;
  /** The newest first. */
  read(query: EventQuery): Promise<{ items: RuntimeEvent[]; nextCursor?: string }>;
  /** Rejects with `event.not_found`. */
  get(sequence: number): Promise<RuntimeEvent>;
  stats(): EventBusStats;
}
