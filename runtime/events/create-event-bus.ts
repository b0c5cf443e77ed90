import type { Clock, Timer } from '../base/clock.ts';
import { isCoded, messageOf } from '../base/errors.ts';
import { type MakeId, timeOrderedId } from '../base/ids.ts';
import { lifecycle, type Service } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import { fault, type RuntimeEvent } from '../contract/index.ts';
import type { LogEntry, Operation, OperationResult, Storage } from '../storage/storage.ts';
import type { EventBus, EventBusStats, EventDraft, EventQuery, LiveSubscription } from './event-bus.ts';
import { EventRegistry } from './event-registry.ts';
import { LiveSubscribers } from './live-subscribers.ts';
import { trimEvents } from './retention.ts';
import { compileTopics } from './topics.ts';

/** The log that holds all events. */
export const EVENT_LOG = 'events';

/** Events that a stream may have waiting before its consumer is sent back to the log. */
const STREAM_QUEUE_LIMIT = 2000;
/** Entries that one `read` looks at before it answers with a cursor, so that a rare match never blocks for long. */
const SCAN_LIMIT = 20_000;
const SCAN_PAGE = 1000;
const RETENTION_INTERVAL_MS = 10 * 60_000;

type StoredEvent = Omit<RuntimeEvent, 'sequence'>;

export interface EventBusDependencies {
  storage: Storage;
  clock: Clock;
  makeId: MakeId;
  logger: Logger;
  /** Hours that events are kept (`EVENT_RETENTION_HOURS`). */
  retentionHours: number;
  /** Events kept ready in memory (`EVENT_REGISTRY_MAX_SIZE`). */
  registrySize: number;
  onPublished?: (topic: string, priority: string) => void;
  onDelivered?: (topic: string, subscriber: string) => void;
  /** Told the time from the call of `publish` to the last live delivery, in seconds. */
  onPropagated?: (seconds: number) => void;
}

/** A consumer of `stream`: what has happened since it last looked. */
interface Tap {
  queue: RuntimeEvent[];
  overflowed: boolean;
  wake: () => void;
}

/**
 * The event bus over a storage adapter: the log is the truth, the live delivery a hint that is given in the order of the
 * log. Must be started before it is used; `reload` is for after the active data set was switched.
 */
export function createEventBus(
  dependencies: EventBusDependencies,
): EventBus & Service & { reload(): Promise<void> } {
  const { storage, clock, logger } = dependencies;
  const subscribers = new LiveSubscribers(clock, logger, (topic, subscriber) =>
    dependencies.onDelivered?.(topic, subscriber),
  );
  const taps = new Set<Tap>();
  const registry = new EventRegistry(dependencies.registrySize);
  /** The greatest sequence that was delivered. */
  let head = 0;
  let published = 0;
  let propagationTotalMs = 0;
  let propagationCount = 0;
  let retentionTimer: Timer | undefined;
  let fillingGap: Promise<void> = Promise.resolve();

  function envelope(draft: EventDraft): StoredEvent {
    const now = clock.now();
    return {
      specversion: '1.0',
      id: timeOrderedId(now, dependencies.makeId),
      source: 'smalltalk',
      type: draft.topic,
      ...(draft.subject === undefined ? {} : { subject: draft.subject }),
      time: new Date(now).toISOString(),
      datacontenttype: 'application/json',
      data: draft.data,
      priority: draft.priority ?? 'normal',
      correlationid: draft.correlationId,
      ...(draft.causationId === undefined ? {} : { causationid: draft.causationId }),
    };
  }

  function deliver(event: RuntimeEvent): void {
    subscribers.deliver(event);
    for (const tap of taps) {
      if (tap.overflowed) continue;
      if (tap.queue.length >= STREAM_QUEUE_LIMIT) {
        tap.queue.length = 0;
        tap.overflowed = true;
      } else tap.queue.push(event);
      tap.wake();
    }
  }

  function deliverDurable(event: RuntimeEvent): void {
    head = event.sequence;
    registry.push(event);
    deliver(event);
  }

  const fromEntry = (entry: LogEntry<StoredEvent>): RuntimeEvent => ({
    ...entry.value,
    sequence: entry.sequence,
  });

  /** Delivers in the order of the log: what was appended in between by others is read first. */
  async function deliverInOrder(events: RuntimeEvent[]): Promise<void> {
    const first = events[0];
    if (first === undefined) return;
    if (first.sequence > head + 1) {
      fillingGap = fillingGap.then(async () => {
        while (head < first.sequence - 1) {
          const entries = await storage.read<StoredEvent>(EVENT_LOG, { after: head, before: first.sequence });
          if (entries.length === 0) break;
          for (const entry of entries) if (entry.sequence > head) deliverDurable(fromEntry(entry));
        }
      });
      await fillingGap.catch((error: unknown) => {
        logger.error('Events could not be read back for live delivery; they are in the log', {
          error: messageOf(error),
        });
        fillingGap = Promise.resolve();
      });
    }
    for (const event of events) if (event.sequence > head) deliverDurable(event);
  }

  async function commit(
    operations: Operation[],
    drafts: EventDraft[],
  ): Promise<{ results: OperationResult[]; events: RuntimeEvent[] }> {
    const startedAt = clock.monotonic();
    const envelopes = drafts.map(envelope);
    const all = await storage.commit([
      ...operations,
      ...envelopes.map((value): Operation => ({ kind: 'append', log: EVENT_LOG, value })),
    ]);
    const results = all.slice(0, operations.length);
    const events = envelopes.map((stored, index): RuntimeEvent => {
      const sequence = all[operations.length + index]?.sequence;
      if (sequence === undefined) throw fault('storage.failed', 'The storage gave no sequence for an event.');
      return { ...stored, sequence };
    });
    await deliverInOrder(events);
    const elapsed = clock.monotonic() - startedAt;
    for (const event of events) {
      published += 1;
      propagationTotalMs += elapsed;
      propagationCount += 1;
      dependencies.onPublished?.(event.type, event.priority);
      dependencies.onPropagated?.(elapsed / 1000);
    }
    return { results, events };
  }

  /** Events after a sequence, the oldest first: from memory when they are there, else from the log. */
  async function readAfter(after: number): Promise<RuntimeEvent[]> {
    const kept = registry.after(after, SCAN_PAGE);
    if (kept !== undefined) return kept;
    return (await storage.read<StoredEvent>(EVENT_LOG, { after, limit: SCAN_PAGE })).map(fromEntry);
  }

  async function* stream(options: {
    topics: string[];
    after?: number;
    signal: AbortSignal;
  }): AsyncGenerator<RuntimeEvent> {
    const matches = compileTopics(options.topics);
    const { signal } = options;
    // A number from beyond the log comes from another data set: nothing of this one has been seen or missed.
    let cursor = Math.min(options.after ?? head, head);
    let wake: () => void = () => undefined;
    const tap: Tap = { queue: [], overflowed: false, wake: () => wake() };
    taps.add(tap);
    const onAbort = () => wake();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      let catchingUp = true;
      while (!signal.aborted) {
        if (catchingUp) {
          const behind = cursor < head ? await readAfter(cursor) : [];
          for (const event of behind) {
            if (signal.aborted) return;
            cursor = event.sequence;
            if (matches(event.type)) yield event;
          }
          catchingUp = behind.length > 0 && cursor < head;
          continue;
        }
        if (tap.overflowed) {
          tap.overflowed = false;
          catchingUp = true;
          continue;
        }
        const batch = tap.queue;
        tap.queue = [];
        for (const event of batch) {
          if (signal.aborted) return;
          if (event.sequence !== 0) {
            if (event.sequence <= cursor) continue;
            cursor = event.sequence;
          }
          if (matches(event.type)) yield event;
        }
        if (tap.queue.length === 0 && !tap.overflowed && !signal.aborted) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          wake = () => undefined;
        }
      }
    } finally {
      taps.delete(tap);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * The entries before a sequence, the newest first. While the storage is away only the newest ones are known: then they
   * are all there is to see for now (not `complete`), and whoever goes on from there is told why there is no more.
   */
  async function readBefore(
    before: number | undefined,
  ): Promise<{ entries: LogEntry<StoredEvent>[]; complete: boolean }> {
    const query = { reverse: true, limit: SCAN_PAGE, ...(before === undefined ? {} : { before }) };
    try {
      return { entries: await storage.read<StoredEvent>(EVENT_LOG, query), complete: true };
    } catch (error) {
      const after = isCoded(error, 'storage.not_known_now') ? error.data.knownAfter : undefined;
      if (typeof after !== 'number') throw error;
      const entries = await storage.read<StoredEvent>(EVENT_LOG, { ...query, after });
      if (entries.length === 0) throw error;
      return { entries, complete: false };
    }
  }

  async function read(query: EventQuery): Promise<{ items: RuntimeEvent[]; nextCursor?: string }> {
    const matchesTopic = query.topics === undefined ? undefined : compileTopics(query.topics);
    const needle = query.search?.toLowerCase();
    let before = parseCursor(query.cursor);
    const items: RuntimeEvent[] = [];
    for (let scanned = 0; scanned < SCAN_LIMIT; scanned += SCAN_PAGE) {
      const { entries, complete } = await readBefore(before);
      for (const entry of entries) {
        before = entry.sequence;
        if (query.since !== undefined && entry.at < query.since) return { items };
        const event = fromEntry(entry);
        if (matchesTopic !== undefined && !matchesTopic(event.type)) continue;
        if (query.subject !== undefined && event.subject !== query.subject) continue;
        if (query.correlationId !== undefined && event.correlationid !== query.correlationId) continue;
        if (needle !== undefined && !JSON.stringify(event).toLowerCase().includes(needle)) continue;
        items.push(event);
        if (items.length === query.limit) return { items, nextCursor: String(before) };
      }
      if (!complete) break;
      if (entries.length < SCAN_PAGE) return { items };
    }
    return before === undefined ? { items } : { items, nextCursor: String(before) };
  }

  async function get(sequence: number): Promise<RuntimeEvent> {
    const [entry] = await storage.read<StoredEvent>(EVENT_LOG, { after: sequence - 1, limit: 1 });
    if (entry === undefined || entry.sequence !== sequence) {
      throw fault(
        'event.not_found',
        `There is no event ${sequence}: it was never there, or its time is over.`,
        { sequence },
      );
    }
    return fromEntry(entry);
  }

  async function reload(): Promise<void> {
    const [last] = await storage.read<StoredEvent>(EVENT_LOG, { reverse: true, limit: 1 });
    head = last?.sequence ?? 0;
    registry.clear();
  }

  async function trim(): Promise<void> {
    try {
      await trimEvents(storage, EVENT_LOG, clock.now() - dependencies.retentionHours * 3_600_000);
    } catch (error) {
      logger.error('Old events could not be trimmed; it is tried again', { error: messageOf(error) });
    }
  }

  const service = lifecycle({
    async start() {
      await reload();
      await trim();
      retentionTimer = clock.every(RETENTION_INTERVAL_MS, () => void trim());
    },
    async stop() {
      retentionTimer?.cancel();
    },
  });

  return {
    ...service,
    reload,
    commit,
    publish: async (...drafts) => (await commit([], drafts)).events,
    tell: (draft) => deliver({ ...envelope(draft), sequence: 0 }),
    subscribe: (options, handle): LiveSubscription => subscribers.add(options, handle),
    stream,
    read,
    get,
    stats: (): EventBusStats => ({
      published,
      delivered: subscribers.delivered,
      dropped: subscribers.dropped,
      subscriptions: subscribers.size + taps.size,
      averagePropagationMs: propagationCount === 0 ? 0 : propagationTotalMs / propagationCount,
    }),
  };
}

function parseCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const sequence = Number(cursor);
  if (!Number.isSafeInteger(sequence) || sequence < 1) {
    throw fault('request.invalid', 'The cursor is not one that this list gave.', {
      cursor: cursor.slice(0, 100),
    });
  }
  return sequence;
}
