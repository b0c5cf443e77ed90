import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import type { RuntimeEvent } from '#contract';
import { api } from '../../lib/api.ts';
import { useLiveEvents } from '../../lib/live-events.ts';
import { useLivePausedAt } from '../../lib/live-pause.ts';
import { type EventFilter, eventListQueryOf, eventMatcher } from './event-filter.ts';
import { EventTail, eventRows, type TailSnapshot } from './event-tail.ts';

const PAGE_SIZE = 100;

export interface EventTailView {
  /** The newest first. */
  rows: RuntimeEvent[];
  tail: TailSnapshot;
  history: {
    isPending: boolean;
    isFetching: boolean;
    error: Error | null;
    hasMore: boolean;
    loadMore: () => void;
    reload: () => void;
  };
  pause: () => void;
  resume: () => void;
}

/** The events of a filter: those of the log, page by page, and those that happen, as they happen. */
export function useEventTail(filter: EventFilter): EventTailView {
  const [tail] = useState(() => new EventTail());
  const snapshot = useSyncExternalStore(tail.subscribe, tail.snapshot);
  const matches = useMemo(() => eventMatcher(filter), [filter]);
  useEffect(() => tail.setFilter(matches), [tail, matches]);
  const pausedAt = useLivePausedAt();
  useEffect(() => {
    if (pausedAt === undefined) tail.resume();
    else tail.pause();
  }, [tail, pausedAt]);

  const history = useInfiniteQuery({
    ...api.events.list.infiniteOptions({
      input: (cursor: string | undefined) => ({
        ...eventListQueryOf(filter),
        limit: PAGE_SIZE,
        ...(cursor !== undefined && { cursor }),
      }),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (page) => page.nextCursor,
    }),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    // What happened while nobody looked would be missing from a cached one.
    gcTime: 0,
  });

  useLiveEvents('>', (event) => {
    // Another data set has another log.
    if (event.type === 'data.generation.switched') tail.clear();
    // Heartbeats and deltas would push what is kept out of the ring.
    if (event.sequence > 0 || filter.liveOnly) tail.receive(event);
  });

  const { data, isPlaceholderData } = history;
  const rows = useMemo(() => {
    const events = data?.pages.flatMap((page) => page.items) ?? [];
    return eventRows(snapshot, isPlaceholderData ? events.filter(matches) : events, matches);
  }, [snapshot, data, isPlaceholderData, matches]);

  return {
    rows,
    tail: snapshot,
    history: {
      isPending: history.isPending,
      isFetching: history.isFetching,
      error: history.error,
      hasMore: history.hasNextPage && snapshot.dropped === 0,
      loadMore: () => {
        if (history.hasNextPage && !history.isFetching && snapshot.dropped === 0)
          void history.fetchNextPage();
      },
      reload: () => {
        tail.clear();
        void history.refetch();
      },
    },
    pause: () => tail.pause(),
    resume: () => tail.resume(),
  };
}
