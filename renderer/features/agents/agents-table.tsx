import { Anchor, Group, Table, Text, UnstyledButton, VisuallyHidden } from '@mantine/core';
import { IconChevronDown, IconChevronUp } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Agent } from '#contract';
import type { AgentCommands } from '../../components/agent-commands.tsx';
import { AgentFirstAction } from '../../components/agent-first-action.tsx';
import { HeartbeatBar } from '../../components/heartbeat-bar.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { formatCount, formatNumber } from '../../lib/format.ts';
import { useRowKeys } from '../../lib/row-keys.ts';
import { AgentMenu } from './agent-menu.tsx';
import { cpuWords, memoryWords } from './agent-words.ts';
import { type AgentSort, sortsDown } from './agents-state.ts';
import classes from './agents-table.module.css';
import { StateNote } from './state-note.tsx';

interface Column {
  readonly label: string;
  readonly title?: string;
  readonly sort?: AgentSort;
  readonly width?: number;
  readonly numeric?: boolean;
  /** Which columns go first when there is little room: `wide` before `medium`; the others stay. */
  readonly room?: 'wide' | 'medium';
  readonly cell: (agent: Agent) => ReactNode;
}

const STATE: Column = {
  label: 'State',
  sort: 'state',
  width: 148,
  cell: (agent) => (
    <>
      <StatusBadge status={agent.state} reason={agent.reason} />
      <StateNote agent={agent} />
    </>
  ),
};

const NAME: Column = {
  label: 'Agent',
  sort: 'name',
  cell: (agent) => (
    <>
      <Text size="sm" fw={500} truncate title={agent.name}>
        {agent.name}
      </Text>
      <SecondLine agent={agent} />
    </>
  ),
};

const SINCE: Column = {
  label: 'Since',
  sort: 'since',
  width: 92,
  cell: (agent) => <RelativeTime at={agent.since} c="dimmed" />,
};

const WIDE_COLUMNS: readonly Column[] = [
  {
    label: 'Last 60 probes',
    width: 172,
    room: 'medium',
    cell: (agent) => <HeartbeatBar heartbeats={agent.heartbeats} label={`Heartbeats of ${agent.name}`} />,
  },
  {
    label: 'Turns',
    title: 'Turns that run now',
    sort: 'turns',
    width: 68,
    numeric: true,
    cell: (agent) => formatNumber(agent.runningTurns),
  },
  {
    label: 'Memory',
    title: 'Of all processes of the agent',
    sort: 'memory',
    width: 92,
    numeric: true,
    cell: memoryWords,
  },
  {
    label: 'CPU',
    title: 'Of one core, all processes of the agent',
    sort: 'cpu',
    width: 72,
    numeric: true,
    room: 'medium',
    cell: cpuWords,
  },
  {
    label: 'Restarts',
    title: 'Recoveries since the app started',
    sort: 'restarts',
    width: 84,
    numeric: true,
    room: 'wide',
    cell: (agent) => formatNumber(agent.restarts),
  },
  {
    label: 'Gen',
    title: 'Generation: how many processes it has had',
    width: 52,
    numeric: true,
    room: 'wide',
    cell: (agent) => formatNumber(agent.generation),
  },
];

/** The agents as rows; a click or Enter opens the details, j and k walk. */
export function AgentsTable({
  agents,
  open,
  sort,
  compact,
  commands,
  onOpen,
  onEdit,
  onSort,
}: {
  agents: readonly Agent[];
  /** The agent whose details are shown. */
  open: string | undefined;
  sort: AgentSort;
  /** There is little room: leave out what the details say too. */
  compact: boolean;
  commands: AgentCommands;
  onOpen: (id: string) => void;
  onEdit: (id: string) => void;
  onSort: (sort: AgentSort) => void;
}) {
  const openRow = (index: number): void => {
    const agent = agents[index];
    if (agent !== undefined) onOpen(agent.id);
  };
  const { bodyRef, rowProps } = useRowKeys({
    count: agents.length,
    onOpen: openRow,
    onMove: (index) => {
      if (open !== undefined) openRow(index);
    },
  });
  const columns = compact ? [STATE, NAME, SINCE] : [STATE, NAME, SINCE, ...WIDE_COLUMNS];
  return (
    <Table.ScrollContainer minWidth={compact ? 360 : 620} type="native" className={classes.container ?? ''}>
      <Table highlightOnHover layout="fixed" stickyHeader aria-label="Agents">
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Header key={column.label} column={column} sorted={column.sort === sort} onSort={onSort} />
            ))}
            <Table.Th w={compact ? 52 : 150}>
              <VisuallyHidden>Actions</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody ref={bodyRef}>
          {agents.map((agent, index) => (
            <Table.Tr
              key={agent.id}
              {...rowProps(index)}
              className={classes.row ?? ''}
              aria-label={agent.name}
              aria-selected={agent.id === open}
              data-selected={agent.id === open || undefined}
              onClick={() => onOpen(agent.id)}
            >
              {columns.map((column) => (
                <Table.Td
                  key={column.label}
                  ta={column.numeric ? 'right' : undefined}
                  className={column.room === undefined ? '' : (classes[column.room] ?? '')}
                >
                  {column.cell(agent)}
                </Table.Td>
              ))}
              <Table.Td>
                <Group gap={4} wrap="nowrap" justify="flex-end">
                  {!compact && <AgentFirstAction agent={agent} commands={commands} />}
                  <AgentMenu agent={agent} commands={commands} onEdit={() => onEdit(agent.id)} />
                </Group>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Header({
  column,
  sorted,
  onSort,
}: {
  column: Column;
  sorted: boolean;
  onSort: (sort: AgentSort) => void;
}) {
  const { label, title, sort, width, numeric, room } = column;
  const down = sort !== undefined && sortsDown(sort);
  const Chevron = down ? IconChevronDown : IconChevronUp;
  return (
    <Table.Th
      w={width}
      title={title}
      ta={numeric ? 'right' : undefined}
      className={room === undefined ? '' : (classes[room] ?? '')}
      aria-sort={sort === undefined ? undefined : sorted ? (down ? 'descending' : 'ascending') : 'none'}
    >
      {sort === undefined ? (
        label
      ) : (
        <UnstyledButton className={classes.sort ?? ''} onClick={() => onSort(sort)}>
          {label}
          {sorted && <Chevron size={12} aria-hidden />}
        </UnstyledButton>
      )}
    </Table.Th>
  );
}

/** States whose reason is worth more than what the agent is for. */
const TROUBLED: ReadonlySet<Agent['state']> = new Set([
  'degraded',
  'unresponsive',
  'restarting',
  'crash-loop',
  'crashed',
  'interrupted',
]);

function SecondLine({ agent }: { agent: Agent }) {
  if (agent.waitingForYou > 0) {
    return (
      <Anchor
        size="xs"
        truncate
        display="block"
        onClick={(event) => event.stopPropagation()}
        renderRoot={(props) => <Link to="/needs-you" search={{ agentId: agent.id } as never} {...props} />}
      >
        {formatCount(agent.waitingForYou, 'item')} {agent.waitingForYou === 1 ? 'waits' : 'wait'} for you
      </Anchor>
    );
  }
  const text = TROUBLED.has(agent.state) ? agent.reason : agent.description;
  return (
    <Text size="xs" c="dimmed" lineClamp={TROUBLED.has(agent.state) ? 2 : 1} title={text}>
      {text}
    </Text>
  );
}
