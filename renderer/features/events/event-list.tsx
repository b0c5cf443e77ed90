import { Button, Center, Group, Loader, Table, Text, UnstyledButton } from '@mantine/core';
import { IconArrowBigUpLineFilled, IconBroadcast } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, type Ref, useEffect, useEffectEvent, useImperativeHandle, useRef } from 'react';
import type { RuntimeEvent } from '#contract';
import { formatNumber, shortId } from '../../lib/format.ts';
import classes from './event-list.module.css';
import { eventSummary } from './event-summary.ts';

const COLUMNS = ['Time', 'Topic', 'Summary', 'Subject', 'Correlation', 'Number'];
const ROW_HEIGHT = 28;
/** Scrolled further from the newest than this, in pixels, the user reads and the tail pauses. */
const AWAY = 8;

const time = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});

export interface EventListHandle {
  toNewest(): void;
  /** Brings the row into view and puts the focus on it. */
  focusRow(index: number): void;
  /** The row that has the focus; -1 when none has. */
  focusedRow(): number;
}

/** The rows of the tail, the newest first. Only those in view are in the page. */
export function EventList({
  ref,
  rows,
  selected,
  paused,
  dropped,
  hasMore,
  loading,
  onAway,
  onOpen,
  onFilter,
  onLoadMore,
  onReload,
}: {
  ref: Ref<EventListHandle>;
  rows: RuntimeEvent[];
  /** Id of the event in the drawer. */
  selected: string | undefined;
  paused: boolean;
  dropped: number;
  hasMore: boolean;
  loading: boolean;
  /** The user scrolled away from the newest, or selects text. */
  onAway: () => void;
  onOpen: (event: RuntimeEvent) => void;
  onFilter: (part: { subject?: string; correlation?: string }) => void;
  onLoadMore: () => void;
  onReload: () => void;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 10,
  });

  useImperativeHandle(ref, () => ({
    toNewest: () => scroller.current?.scrollTo({ top: 0 }),
    focusRow: (index) => {
      virtualizer.scrollToIndex(index);
      // A row that has just been scrolled into view is drawn with the next frame.
      requestAnimationFrame(() =>
        scroller.current?.querySelector<HTMLElement>(`[data-row="${index}"] button`)?.focus(),
      );
    },
    focusedRow: () => Number(document.activeElement?.closest<HTMLElement>('[data-row]')?.dataset.row ?? -1),
  }));

  // The browser keeps a row in its place by moving the scroll position; the newest must come in at the top instead.
  useEffect(() => {
    if (!paused && scroller.current !== null && rows.length > 0) scroller.current.scrollTop = 0;
  }, [rows, paused]);

  const onSelection = useEffectEvent(() => {
    const selection = document.getSelection();
    if (selection?.isCollapsed === false && scroller.current?.contains(selection.anchorNode)) onAway();
  });
  useEffect(() => {
    const listener = () => onSelection();
    document.addEventListener('selectionchange', listener);
    return () => document.removeEventListener('selectionchange', listener);
  }, []);

  const items = virtualizer.getVirtualItems();
  const above = items[0]?.start ?? 0;
  const below = virtualizer.getTotalSize() - (items.at(-1)?.end ?? 0);

  return (
    <div
      ref={scroller}
      className={classes.scroller}
      onScroll={({ currentTarget: box }) => {
        if (box.scrollTop > AWAY) onAway();
        if (box.scrollHeight - box.scrollTop - box.clientHeight < 20 * ROW_HEIGHT) onLoadMore();
      }}
    >
      <Table
        stickyHeader
        highlightOnHover
        className={classes.table ?? ''}
        aria-label="Events"
        aria-rowcount={rows.length + 1}
      >
        <Table.Thead>
          <Table.Tr>
            {COLUMNS.map((label) => (
              <Table.Th key={label} data-column={label.toLowerCase()}>
                {label}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {above > 0 && <tr aria-hidden style={{ height: above }} />}
          {items.map((item) => {
            const event = rows[item.index];
            return event === undefined ? null : (
              <EventRow
                key={item.key}
                event={event}
                index={item.index}
                selected={event.id === selected}
                onOpen={onOpen}
                onFilter={onFilter}
              />
            );
          })}
          {below > 0 && <tr aria-hidden style={{ height: below }} />}
        </Table.Tbody>
      </Table>
      <Center py="xs" mih={40}>
        {loading ? (
          <Loader size="xs" role="status" aria-label="Loading older events" />
        ) : dropped > 0 ? (
          <Group gap="xs">
            <Text size="xs" c="dimmed">
              {formatNumber(dropped)} older events left this view
            </Text>
            <Button size="compact-xs" variant="default" onClick={onReload}>
              Reload from the log
            </Button>
          </Group>
        ) : hasMore ? (
          <Button size="compact-xs" variant="default" onClick={onLoadMore}>
            Load older events
          </Button>
        ) : (
          <Text size="xs" c="dimmed">
            No older events
          </Text>
        )}
      </Center>
    </div>
  );
}

const EventRow = memo(function EventRow({
  event,
  index,
  selected,
  onOpen,
  onFilter,
}: {
  event: RuntimeEvent;
  index: number;
  selected: boolean;
  onOpen: (event: RuntimeEvent) => void;
  onFilter: (part: { subject?: string; correlation?: string }) => void;
}) {
  const at = Date.parse(event.time);
  const { subject } = event;
  return (
    <Table.Tr
      aria-rowindex={index + 2}
      className={classes.row ?? ''}
      data-row={index}
      data-topic={event.type}
      data-selected={selected || undefined}
      aria-current={selected || undefined}
      style={{ height: ROW_HEIGHT }}
      onClick={(click) => {
        if (click.target instanceof Element && click.target.closest('button') !== null) return;
        if (!document.getSelection()?.toString()) onOpen(event);
      }}
    >
      <Table.Td data-column="time">
        <time dateTime={event.time} title={event.time}>
          {Number.isNaN(at) ? event.time : time.format(at)}
        </time>
      </Table.Td>
      <Table.Td data-column="topic">
        <UnstyledButton
          className={classes.topic ?? ''}
          onClick={() => onOpen(event)}
          // Space is the key of the tail, not of the row.
          onKeyDown={(press) => press.key === ' ' && press.preventDefault()}
          onKeyUp={(press) => press.key === ' ' && press.preventDefault()}
        >
          {event.type}
        </UnstyledButton>
        <PriorityMark priority={event.priority} />
      </Table.Td>
      <Table.Td data-column="summary">{eventSummary(event)}</Table.Td>
      <Table.Td data-column="subject">
        {subject !== undefined && (
          <Chip label={`Only events of ${subject}`} value={subject} onClick={() => onFilter({ subject })} />
        )}
      </Table.Td>
      <Table.Td data-column="correlation">
        <Chip
          label={`Only events of correlation ${event.correlationid}`}
          value={event.correlationid}
          onClick={() => onFilter({ correlation: event.correlationid })}
        />
      </Table.Td>
      <Table.Td data-column="number">
        {event.sequence === 0 ? (
          <span className={classes.live} title="Only told live, not kept in the log">
            <IconBroadcast size={12} aria-hidden /> live
          </span>
        ) : (
          formatNumber(event.sequence)
        )}
      </Table.Td>
    </Table.Tr>
  );
});

function PriorityMark({ priority }: { priority: RuntimeEvent['priority'] }) {
  if (priority !== 'high' && priority !== 'critical') return null;
  return (
    <span className={classes.priority} data-priority={priority}>
      <IconArrowBigUpLineFilled size={11} aria-hidden /> {priority}
    </span>
  );
}

function Chip({ label, value, onClick }: { label: string; value: string; onClick: () => void }) {
  return (
    <UnstyledButton className={classes.chip ?? ''} title={label} onClick={onClick}>
      {shortId(value)}
    </UnstyledButton>
  );
}
