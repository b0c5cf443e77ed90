import { ActionIcon, Menu, Table, Text, VisuallyHidden } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconArchive, IconArchiveOff, IconDots, IconPencil, IconTrash } from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import {
  type ColumnVisibilityState,
  columnVisibilityFeature,
  createColumnHelper,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type MouseEvent, useMemo, useRef, useState } from 'react';
import type { Session } from '#contract';
import { ShortId } from '../../components/copy.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { formatNumber } from '../../lib/format.ts';
import { RenameDialog } from './rename-dialog.tsx';
import classes from './session-table.module.css';
import { useSessionActions } from './use-session-actions.tsx';

/** From so many rows on only those in view are in the page. */
const VIRTUAL_FROM = 100;

export const ROW_HEIGHTS = { comfortable: 40, compact: 28 } as const;
export type Density = keyof typeof ROW_HEIGHTS;

/** Columns that the user may hide. */
export const HIDEABLE_COLUMNS = [
  { id: 'agent', label: 'Agent' },
  { id: 'status', label: 'Status' },
  { id: 'messages', label: 'Messages' },
  { id: 'tokens', label: 'Tokens' },
  { id: 'activity', label: 'Last activity' },
  { id: 'id', label: 'Id' },
] as const;

const features = tableFeatures({ columnVisibilityFeature });
const helper = createColumnHelper<typeof features, Session>();
const NUMERIC = new Set(['messages', 'tokens']);

export function SessionTable({
  sessions,
  agentNames,
  density,
  hiddenColumns,
  stale,
  onEndReached,
}: {
  sessions: Session[];
  agentNames: ReadonlyMap<string, string>;
  density: Density;
  hiddenColumns: readonly string[];
  /** The rows are those of the filter before. */
  stale: boolean;
  onEndReached: () => void;
}) {
  const [renaming, setRenaming] = useState<Session>();
  const navigate = useNavigate();
  const scroller = useRef<HTMLDivElement>(null);
  const active = useRef(-1);

  const columns = useMemo(
    () =>
      helper.columns([
        helper.accessor('title', {
          header: 'Title',
          cell: ({ row }) => (
            <Link
              to="/sessions/$id"
              params={{ id: row.original.id }}
              className={classes.title ?? ''}
              title={row.original.title}
              data-row-link={row.index}
            >
              {row.original.title}
            </Link>
          ),
        }),
        helper.accessor((session) => agentNames.get(session.agentId) ?? session.agentId, {
          id: 'agent',
          header: 'Agent',
          cell: ({ getValue }) => (
            <Text size="sm" truncate title={getValue()}>
              {getValue()}
            </Text>
          ),
        }),
        helper.accessor('status', {
          header: 'Status',
          cell: ({ row }) => <SessionBadge session={row.original} />,
        }),
        helper.accessor('messageCount', {
          id: 'messages',
          header: 'Messages',
          cell: ({ getValue }) => formatNumber(getValue()),
        }),
        helper.accessor((session) => session.usage.inputTokens + session.usage.outputTokens, {
          id: 'tokens',
          header: 'Tokens',
          cell: ({ getValue }) => formatNumber(getValue()),
        }),
        helper.accessor('lastActivityAt', {
          id: 'activity',
          header: 'Last activity',
          cell: ({ getValue }) => <RelativeTime at={getValue()} />,
        }),
        helper.accessor('id', {
          header: 'Id',
          cell: ({ getValue }) => <ShortId id={getValue()} label="Copy session id" />,
        }),
        helper.display({
          id: 'actions',
          header: '',
          cell: ({ row }) => <RowMenu session={row.original} onRename={setRenaming} />,
        }),
      ]),
    [agentNames],
  );
  const columnVisibility = useMemo<ColumnVisibilityState>(
    () => Object.fromEntries(hiddenColumns.map((id) => [id, false])),
    [hiddenColumns],
  );
  const table = useTable({
    features,
    columns,
    data: sessions,
    getRowId: (session) => session.id,
    state: { columnVisibility },
  });
  const rows = table.getRowModel().rows;
  const height = ROW_HEIGHTS[density];
  const virtual = rows.length > VIRTUAL_FROM;
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 12,
    enabled: virtual,
  });
  const items = virtual ? virtualizer.getVirtualItems() : [];
  const first = items[0];
  const last = items.at(-1);
  const shown = virtual ? rows.slice(first?.index ?? 0, (last?.index ?? -1) + 1) : rows;
  const above = first?.start ?? 0;
  const below = virtual ? virtualizer.getTotalSize() - (last?.end ?? 0) : 0;

  const focusRow = (index: number) => {
    const next = Math.min(rows.length - 1, Math.max(0, index));
    active.current = next;
    if (virtual) virtualizer.scrollToIndex(next);
    // A row that has just been scrolled into view is drawn with the next frame.
    requestAnimationFrame(() => {
      const link = scroller.current?.querySelector<HTMLElement>(`[data-row-link="${next}"]`);
      link?.focus();
      link?.scrollIntoView({ block: 'nearest' });
    });
  };
  const move = (step: number) => (event: KeyboardEvent) => {
    if (event.target instanceof Element && event.target.closest('[role="dialog"], [role="menu"]')) return;
    event.preventDefault();
    focusRow(active.current + step);
  };
  useHotkeys([
    ['j', move(1)],
    ['k', move(-1)],
  ]);

  const open = (event: MouseEvent, session: Session) => {
    // A click on a control in the row is the control's; one that ends a selection of text is nobody's.
    if (event.target instanceof Element && event.target.closest('a, button, [role="menu"]') !== null) return;
    if (document.getSelection()?.toString()) return;
    void navigate({ to: '/sessions/$id', params: { id: session.id } });
  };

  return (
    <>
      <div
        ref={scroller}
        className={classes.scroller}
        data-stale={stale || undefined}
        onScroll={({ currentTarget: box }) => {
          if (box.scrollHeight - box.scrollTop - box.clientHeight < 10 * height) onEndReached();
        }}
      >
        <Table highlightOnHover stickyHeader className={classes.table ?? ''} aria-label="Sessions">
          <Table.Thead>
            {table.getHeaderGroups().map((group) => (
              <Table.Tr key={group.id}>
                {group.headers.map((header) => (
                  <Table.Th key={header.id} data-column={header.column.id}>
                    {header.column.id === 'actions' ? (
                      <VisuallyHidden>Actions</VisuallyHidden>
                    ) : (
                      <table.FlexRender header={header} />
                    )}
                  </Table.Th>
                ))}
              </Table.Tr>
            ))}
          </Table.Thead>
          <Table.Tbody>
            {above > 0 && <tr aria-hidden style={{ height: above }} />}
            {shown.map((row) => (
              <Table.Tr
                key={row.id}
                className={classes.row ?? ''}
                style={{ height }}
                onClick={(event) => open(event, row.original)}
                onFocus={() => {
                  active.current = row.index;
                }}
              >
                {row.getVisibleCells().map((cell) => (
                  <Table.Td
                    key={cell.id}
                    data-column={cell.column.id}
                    data-numeric={NUMERIC.has(cell.column.id) || undefined}
                  >
                    <table.FlexRender cell={cell} />
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
            {below > 0 && <tr aria-hidden style={{ height: below }} />}
          </Table.Tbody>
        </Table>
      </div>
      {renaming !== undefined && <RenameDialog session={renaming} onClose={() => setRenaming(undefined)} />}
    </>
  );
}

/** What the session is doing, and where it is no longer in use, that. */
function SessionBadge({ session }: { session: Session }) {
  const reason = session.lastTurn?.error?.message;
  return (
    <span className={classes.status}>
      <StatusBadge status={session.status} reason={session.status === 'failed' ? reason : undefined} />
      {session.state !== 'active' && (
        <Text size="xs" c="dimmed" component="span">
          {session.state}
        </Text>
      )}
    </span>
  );
}

function RowMenu({ session, onRename }: { session: Session; onRename: (session: Session) => void }) {
  const actions = useSessionActions();
  const archived = session.state === 'archived';
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon color="gray" size="sm" aria-label={`Actions for ${session.title}`}>
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconPencil size={15} />} onClick={() => onRename(session)}>
          Rename…
        </Menu.Item>
        <Menu.Item
          leftSection={archived ? <IconArchiveOff size={15} /> : <IconArchive size={15} />}
          onClick={() => void actions.setArchived(session, !archived)}
        >
          {archived ? 'Unarchive' : 'Archive'}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item
          c="var(--tone-bad)"
          leftSection={<IconTrash size={15} />}
          onClick={() => void actions.remove(session)}
        >
          Delete session…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
