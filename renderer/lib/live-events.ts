import { useEffect, useEffectEvent, useSyncExternalStore } from 'react';
import { EVENT_STREAM_PATH, type LiveEvents, type LiveTopic, type RuntimeEvent } from '#contract';
import { createLiveStream, type LiveStatus } from './live-stream.ts';
import { topicMatches } from './topics.ts';

/** A pattern over topics: an exact one, everything below a prefix (`session.>`), or everything (`>`). */
export type LivePattern = LiveTopic | '>' | `${string}.>`;

/** An event of one of the product's own topics, its `data` typed by the topic; `type` tells them apart. */
export type LiveEvent<T extends LiveTopic = LiveTopic> = T extends LiveTopic
  ? Omit<RuntimeEvent, 'type' | 'data'> & { type: T; data: LiveEvents[T] }
  : never;

/** What a handler of the pattern is called with. Other programs may publish below the same prefix: narrow by `type`. */
export type LiveEventOf<P extends LivePattern> = P extends '>'
  ? RuntimeEvent
  : P extends `${infer Prefix}.>`
    ? LiveEvent<Extract<LiveTopic, `${Prefix}.${string}`>>
    : P extends LiveTopic
      ? LiveEvent<P>
      : never;

interface Subscription {
  readonly patterns: readonly string[];
  readonly handler: (event: RuntimeEvent) => void;
}

const subscriptions = new Set<Subscription>();
const statusListeners = new Set<() => void>();
const openListeners = new Set<() => void>();
const resumeListeners = new Set<() => void>();

/** The one event stream of this window. */
const stream = createLiveStream({
  url: `${EVENT_STREAM_PATH}?topics=${encodeURIComponent('>')}`,
  fetch: (input, init) => fetch(input, init),
  now: Date.now,
  random: Math.random,
  schedule(callback, delayMs) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  onEvent(event) {
    for (const { patterns, handler } of subscriptions) {
      if (!patterns.some((pattern) => topicMatches(pattern, event.type))) continue;
      try {
        handler(event);
      } catch (error) {
        // One broken handler must neither starve the others nor end the stream.
        reportError(error);
      }
    }
  },
  onStatus() {
    for (const listener of statusListeners) listener();
  },
  onOpened(isFirst) {
    for (const listener of openListeners) listener();
    if (isFirst) return;
    for (const listener of resumeListeners) listener();
  },
});

/** Opens the stream. Once, when the window starts. */
export function startLiveEvents(): void {
  stream.start();
}

/** Tries a broken stream again at once. */
export function reconnectLiveEvents(): void {
  stream.retryNow();
}

/**
 * Calls `handler` for each event that matches, as it comes, in order; durable ones come once, live-only ones
 * (`sequence` 0) are lost while the stream is broken. Returns the function that ends it.
 */
export function onLiveEvent<P extends LivePattern>(
  patterns: P | readonly P[],
  handler: (event: LiveEventOf<P>) => void,
): () => void {
  const subscription: Subscription = {
    patterns: typeof patterns === 'string' ? [patterns] : patterns,
    // The topic decides the type of the data (`LiveEvents`), and the topic has just been matched.
    handler: handler as (event: RuntimeEvent) => void,
  };
  subscriptions.add(subscription);
  return () => subscriptions.delete(subscription);
}

/** Calls `handler` whenever the stream is open, for the first time, too. Returns the function that ends it. */
export function onLiveOpened(handler: () => void): () => void {
  openListeners.add(handler);
  return () => openListeners.delete(handler);
}

/** Calls `handler` when the stream is open again after a break. Returns the function that ends it. */
export function onLiveResumed(handler: () => void): () => void {
  resumeListeners.add(handler);
  return () => resumeListeners.delete(handler);
}

/** {@link onLiveEvent} for as long as the component is there; always calls the newest `handler`. */
export function useLiveEvents<P extends LivePattern>(
  patterns: P | readonly P[],
  handler: (event: LiveEventOf<P>) => void,
): void {
  const newest = useEffectEvent(handler);
  const key = typeof patterns === 'string' ? patterns : patterns.join(' ');
  useEffect(() => onLiveEvent(key.split(' ') as P[], (event) => newest(event)), [key]);
}

/** How the stream stands; renders again when its state changes, not with every byte. */
export function useLiveStatus(): LiveStatus {
  return useSyncExternalStore(subscribeStatus, liveStatusSnapshot);
}

let snapshot = stream.status();

/** `lastDataAt` moves with every chunk: the snapshot follows it only where something else changed too. */
function liveStatusSnapshot(): LiveStatus {
  const current = stream.status();
  if (
    current.state !== snapshot.state ||
    current.since !== snapshot.since ||
    current.error !== snapshot.error
  ) {
    snapshot = current;
  }
  return snapshot;
}

function subscribeStatus(listener: () => void): () => void {
  statusListeners.add(listener);
  return () => statusListeners.delete(listener);
}
