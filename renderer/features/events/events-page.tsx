import { Button, Group, Skeleton, Stack, Text } from '@mantine/core';
import { IconTimelineEvent } from '@tabler/icons-react';
import { useCallback, useEffect, useEffectEvent, useMemo, useRef } from 'react';
import type { RuntimeEvent } from '#contract';
import { EmptyState, NoMatches } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { formatCount } from '../../lib/format.ts';
import { setLivePaused } from '../../lib/live-pause.ts';
import { useUrlState } from '../../lib/url-state.ts';
import { EventDrawer } from './event-drawer.tsx';
import { EventExportMenu } from './event-export-menu.tsx';
import {
  activeFilters,
  type EventFilter,
  filterFromSearch,
  NO_FILTER,
  parseEventUrl,
  searchFromFilter,
} from './event-filter.ts';
import { EventList, type EventListHandle } from './event-list.tsx';
import { EventFilters, FollowButton } from './event-toolbar.tsx';
import classes from './events-page.module.css';
import { useEventTail } from './use-event-tail.ts';

/** What happens on the bus, the newest on top, and what has happened. */
export function EventsPage() {
  const [url, changeUrl] = useUrlState(parseEventUrl);
  const { topics, search, subject, correlation, live } = url;
  const filter = useMemo(
    () => filterFromSearch({ topics, search, subject, correlation, live }),
    [topics, search, subject, correlation, live],
  );
  const { rows, tail, history, pause, resume } = useEventTail(filter);
  const list = useRef<EventListHandle>(null);

  const changeFilter = (part: Partial<EventFilter>, options?: { replace?: boolean }) =>
    changeUrl(searchFromFilter({ ...filter, ...part }), options);

  const follow = () => {
    // The pause of the whole console would pause the tail again.
    setLivePaused(false);
    resume();
    list.current?.toNewest();
  };
  const toggle = () => (tail.paused ? follow() : pause());

  // The rows are drawn again only when their properties change, so what they call must stay the same.
  const onOpen = useStable((event: RuntimeEvent) => {
    pause();
    changeUrl({ event: referenceOf(event) }, { replace: url.event !== undefined });
  });
  const filterBy = useStable((part: { subject?: string; correlation?: string }) => changeUrl(part));

  const selected = url.event === undefined ? undefined : rows.find((row) => referenceOf(row) === url.event);
  useKeys({
    toggle,
    move: (step) => {
      const from = selected === undefined ? (list.current?.focusedRow() ?? -1) : rows.indexOf(selected);
      const to = Math.min(rows.length - 1, Math.max(0, from + step));
      const event = rows[to];
      if (event === undefined) return;
      pause();
      list.current?.focusRow(to);
      if (url.event !== undefined) onOpen(event);
    },
  });

  const filters = activeFilters(filter);
  return (
    <Stack className={classes.page ?? ''} gap="sm">
      <PageHeader
        title="Events"
        description="Everything that happens on the bus, as it happens."
        actions={
          <>
            <EventExportMenu filter={filter} />
            <FollowButton paused={tail.paused} waiting={tail.waiting} onToggle={toggle} />
          </>
        }
      />
      <Group gap="xs" align="start" wrap="nowrap">
        <EventFilters filter={filter} onChange={changeFilter} />
        {filters > 0 && (
          <Button
            variant="subtle"
            color="gray"
            onClick={() => changeFilter({ ...NO_FILTER, liveOnly: filter.liveOnly })}
          >
            Clear filters
          </Button>
        )}
      </Group>
      {history.error !== null && (
        <ErrorCard
          error={history.error}
          what="The events of the log could not be loaded"
          onRetry={history.reload}
        />
      )}
      {rows.length > 0 ? (
        <EventList
          ref={list}
          rows={rows}
          selected={selected?.id}
          paused={tail.paused}
          dropped={tail.dropped}
          hasMore={history.hasMore}
          loading={history.isFetching}
          onAway={pause}
          onOpen={onOpen}
          onFilter={filterBy}
          onLoadMore={history.loadMore}
          onReload={history.reload}
        />
      ) : history.isPending ? (
        <Stack gap="xs" aria-busy role="status" aria-label="Loading the events">
          {[1, 2, 3, 4, 5, 6].map((row) => (
            <Skeleton key={row} h={24} />
          ))}
        </Stack>
      ) : history.error !== null ? null : filters > 0 ? (
        <NoMatches
          text={`No events match ${filters === 1 ? 'this filter' : `these ${filters} filters`}`}
          action={
            <Button variant="default" onClick={() => changeFilter(NO_FILTER)}>
              Clear filters
            </Button>
          }
        />
      ) : (
        <EmptyState icon={<IconTimelineEvent />} title="No events yet">
          As soon as a session, an agent or a backup does something, it is told here.
        </EmptyState>
      )}
      {rows.length > 0 && (
        <Text size="xs" c="dimmed">
          {formatCount(rows.length, 'event')} in view
        </Text>
      )}
      {url.event !== undefined && (
        <EventDrawer
          reference={url.event}
          event={selected}
          onClose={() => changeUrl({ event: undefined })}
          onOpen={onOpen}
          onCorrelation={(correlationId) => changeFilter({ ...NO_FILTER, correlationId })}
        />
      )}
    </Stack>
  );
}

/** How the address names an event. */
function referenceOf(event: RuntimeEvent): string {
  return event.sequence > 0 ? String(event.sequence) : event.id;
}

/** A function that stays the same and calls the newest one it was given. */
function useStable<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void {
  const newest = useRef(callback);
  useEffect(() => {
    newest.current = callback;
  });
  return useCallback((...args: A) => newest.current(...args), []);
}

/** Space pauses and resumes; j, k and the arrows go from row to row. */
function useKeys(actions: { toggle: () => void; move: (step: number) => void }) {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || takesKeys(event)) return;
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (event.key === ' ') actions.toggle();
    else if (step !== undefined) actions.move(step);
    else return;
    event.preventDefault();
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent) => onKey(event);
    window.addEventListener('keydown', listener);
    return () => window.removeEventListener('keydown', listener);
  }, []);
}

/** The key is meant for a field, a control or a dialog. A row passes Space on. */
function takesKeys(event: KeyboardEvent): boolean {
  const { target } = event;
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest('[role="dialog"], [role="menu"], [role="listbox"], [role="tablist"], aside') !== null)
    return true;
  if (target.matches('input, textarea, select') || target.isContentEditable) return true;
  return event.key === ' ' && target.closest('button, a') !== null && target.closest('[data-row]') === null;
}
