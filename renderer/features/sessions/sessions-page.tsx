import {
  ActionIcon,
  Button,
  Checkbox,
  Group,
  Popover,
  SegmentedControl,
  Select,
  Skeleton,
  Stack,
  Text,
  Tooltip,
} from '@mantine/core';
import { useDisclosure, useLocalStorage } from '@mantine/hooks';
import { IconAdjustments, IconMessages, IconPlus } from '@tabler/icons-react';
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { type SessionState, type SessionStatus, sessionStatus } from '#contract';
import { EmptyState, NoMatches } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { SearchField } from '../../components/search-field.tsx';
import { STATUS_LOOKS } from '../../components/status-vocabulary.ts';
import { api } from '../../lib/api.ts';
import { formatCount } from '../../lib/format.ts';
import { useUrlState } from '../../lib/url-state.ts';
import { NewSessionDialog } from './new-session-dialog.tsx';
import {
  activeSessionFilters,
  NO_SESSION_FILTER,
  parseSessionListUrl,
  type SessionListUrl,
  sessionListQueryOf,
} from './session-list-url.ts';
import { type Density, HIDEABLE_COLUMNS, SessionTable } from './session-table.tsx';
import classes from './sessions-page.module.css';

const PAGE_SIZE = 50;

/** All sessions, the last used first. */
export function SessionsPage() {
  const [url, changeUrl] = useUrlState(parseSessionListUrl);
  const [creating, creation] = useDisclosure(false);
  const [density, setDensity] = useLocalStorage<Density>({
    key: 'smalltalk.sessions.density',
    defaultValue: 'comfortable',
    getInitialValueInEffect: false,
  });
  const [hiddenColumns, setHiddenColumns] = useLocalStorage<string[]>({
    key: 'smalltalk.sessions.hidden-columns',
    defaultValue: [],
    getInitialValueInEffect: false,
  });
  const agents = useQuery(api.agents.list.queryOptions());
  const agentNames = useMemo(
    () => new Map(agents.data?.items.map((agent) => [agent.id, agent.name])),
    [agents.data],
  );
  const list = useInfiniteQuery({
    ...api.sessions.list.infiniteOptions({
      input: (cursor: string | undefined) => ({
        ...sessionListQueryOf(url),
        limit: PAGE_SIZE,
        ...(cursor !== undefined && { cursor }),
      }),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (page) => page.nextCursor,
    }),
    placeholderData: keepPreviousData,
  });
  const sessions = useMemo(
    () => uniqueById(list.data?.pages.flatMap((page) => page.items) ?? []),
    [list.data],
  );
  const filters = activeSessionFilters(url);

  return (
    <Stack className={classes.page ?? ''} gap="sm">
      <PageHeader
        title="Sessions"
        description="Conversations with your agents. They are kept on this machine and survive restarts."
        actions={
          <Button leftSection={<IconPlus size={15} />} onClick={creation.open}>
            New session
          </Button>
        }
      />
      <Group gap="xs" justify="space-between" wrap="nowrap">
        <Filters url={url} onChange={changeUrl} agentNames={agentNames} />
        <ViewMenu
          density={density}
          onDensity={setDensity}
          hiddenColumns={hiddenColumns}
          onHiddenColumns={setHiddenColumns}
        />
      </Group>
      {list.isError && (
        <ErrorCard
          error={list.error}
          what="The sessions could not be loaded"
          onRetry={() => void list.refetch()}
        />
      )}
      {list.isPending ? (
        <Stack gap="xs" aria-busy role="status" aria-label="Loading the sessions">
          {[1, 2, 3, 4, 5].map((row) => (
            <Skeleton key={row} h={36} />
          ))}
        </Stack>
      ) : sessions.length > 0 ? (
        <>
          <SessionTable
            sessions={sessions}
            agentNames={agentNames}
            density={density}
            hiddenColumns={hiddenColumns}
            stale={list.isPlaceholderData}
            onEndReached={() => {
              if (list.hasNextPage && !list.isFetchingNextPage) void list.fetchNextPage();
            }}
          />
          <Group justify="space-between">
            <Text size="xs" c="dimmed" role="status">
              {formatCount(sessions.length, 'session')}
              {list.hasNextPage ? ' loaded, there are more' : ''}
            </Text>
            {list.hasNextPage && (
              <Button
                variant="default"
                loading={list.isFetchingNextPage}
                onClick={() => void list.fetchNextPage()}
              >
                Load more
              </Button>
            )}
          </Group>
        </>
      ) : list.isError ? null : filters > 0 ? (
        <NoMatches
          text={`No sessions match ${filters === 1 ? 'this filter' : `these ${filters} filters`}`}
          action={
            <Button variant="default" onClick={() => changeUrl(NO_SESSION_FILTER)}>
              Clear filters
            </Button>
          }
        />
      ) : (
        <EmptyState
          icon={<IconMessages />}
          title="No sessions yet"
          action={
            <Button leftSection={<IconPlus size={15} />} onClick={creation.open}>
              Start a session
            </Button>
          }
        >
          A session is one conversation with an agent; the built-in echo agent answers without any key.
        </EmptyState>
      )}
      <NewSessionDialog opened={creating} onClose={creation.close} />
    </Stack>
  );
}

/** A session that moved to the top while a later page was read is in two pages. */
function uniqueById<T extends { id: string }>(items: T[]): T[] {
  return [...new Map(items.map((item) => [item.id, item])).values()];
}

const STATES: { value: SessionState | 'all'; label: string }[] = [
  { value: 'all', label: 'All but archived' },
  { value: 'active', label: 'Active' },
  { value: 'inactive', label: 'Inactive' },
  { value: 'expired', label: 'Expired' },
  { value: 'archived', label: 'Archived' },
];

function Filters({
  url,
  onChange,
  agentNames,
}: {
  url: SessionListUrl;
  onChange: (part: Partial<SessionListUrl>, options?: { replace?: boolean }) => void;
  agentNames: ReadonlyMap<string, string>;
}) {
  return (
    <Group gap="xs" wrap="wrap" flex={1}>
      <SearchField
        label="Search sessions"
        placeholder="Search title or id"
        applied={url.q ?? ''}
        onSearch={(q) => onChange({ q: q === '' ? undefined : q }, { replace: true })}
      />
      <Select
        aria-label="State"
        data={STATES}
        value={url.state ?? 'all'}
        onChange={(value) => onChange({ state: value === 'all' ? undefined : (value as SessionState) })}
        allowDeselect={false}
        w={150}
      />
      <Select
        aria-label="Status"
        placeholder="Any status"
        data={sessionStatus.options.map((value) => ({ value, label: STATUS_LOOKS[value].label }))}
        value={url.status ?? null}
        onChange={(value) => onChange({ status: (value ?? undefined) as SessionStatus | undefined })}
        clearable
        clearButtonProps={{ 'aria-label': 'Clear status' }}
        w={140}
      />
      <Select
        aria-label="Agent"
        placeholder="Any agent"
        data={agentOptions(agentNames, url.agent)}
        value={url.agent ?? null}
        onChange={(value) => onChange({ agent: value ?? undefined })}
        clearable
        clearButtonProps={{ 'aria-label': 'Clear agent' }}
        searchable={agentNames.size > 8}
        w={160}
      />
      {activeSessionFilters(url) > 0 && (
        <Button variant="subtle" color="gray" onClick={() => onChange(NO_SESSION_FILTER)}>
          Clear filters
        </Button>
      )}
    </Group>
  );
}

/** A removed agent is still one that can be filtered by. */
function agentOptions(agentNames: ReadonlyMap<string, string>, chosen: string | undefined) {
  const options = [...agentNames].map(([value, label]) => ({ value, label }));
  if (chosen !== undefined && !agentNames.has(chosen)) options.push({ value: chosen, label: chosen });
  return options;
}

function ViewMenu({
  density,
  onDensity,
  hiddenColumns,
  onHiddenColumns,
}: {
  density: Density;
  onDensity: (density: Density) => void;
  hiddenColumns: string[];
  onHiddenColumns: (columns: string[]) => void;
}) {
  return (
    <Popover position="bottom-end" width={230} trapFocus>
      <Popover.Target>
        <Tooltip label="Columns and density">
          <ActionIcon variant="default" size={30} aria-label="Columns and density">
            <IconAdjustments size={16} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown aria-label="Columns and density">
        <Stack gap="sm">
          <SegmentedControl
            fullWidth
            size="xs"
            aria-label="Density"
            value={density}
            onChange={(value) => onDensity(value as Density)}
            data={[
              { value: 'comfortable', label: 'Comfortable' },
              { value: 'compact', label: 'Compact' },
            ]}
          />
          <Checkbox.Group
            label="Columns"
            size="xs"
            value={HIDEABLE_COLUMNS.map(({ id }) => id).filter((id) => !hiddenColumns.includes(id))}
            onChange={(shown) =>
              onHiddenColumns(HIDEABLE_COLUMNS.map(({ id }) => id).filter((id) => !shown.includes(id)))
            }
          >
            <Stack gap={6} mt={6}>
              {HIDEABLE_COLUMNS.map(({ id, label }) => (
                <Checkbox key={id} size="xs" value={id} label={label} />
              ))}
            </Stack>
          </Checkbox.Group>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
