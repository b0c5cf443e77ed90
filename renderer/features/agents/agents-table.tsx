import { Group, Table, Text, UnstyledButton, VisuallyHidden } from '@mantine/core';
import { IconChevronDown } from '@tabler/icons-react';
import type { Agent } from '#contract';
import type { AgentCommands } from '../../components/agent-commands.tsx';
import { AgentFirstAction } from '../../components/agent-first-action.tsx';
import { HeartbeatBar } from '../../components/heartbeat-bar.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { formatNumber } from '../../lib/format.ts';
import { useRowKeys } from '../../lib/row-keys.ts';
import { AgentMenu } from './agent-menu.tsx';
import type { AgentSort } from './agents-state.ts';
import classes from './agents-table.module.css';

/** The agents as rows; a click or Enter opens the details, j and k walk. */
export function AgentsTable({
  agents,
  open,
  sort,
  compact,
  commands,
  onOpen,
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
  const header = (label: string, by: AgentSort, width?: number, className?: string) => (
    <Table.Th
      w={width}
      className={className ?? ''}
      aria-sort={sort === by ? (by === 'restarts' ? 'descending' : 'ascending') : 'none'}
    >
      <UnstyledButton className={classes.sort ?? ''} onClick={() => onSort(by)}>
        {label}
        {sort === by && <IconChevronDown size={12} aria-hidden />}
      </UnstyledButton>
    </Table.Th>
  );
  return (
    <Table.ScrollContainer minWidth={compact ? 380 : 520} type="native" className={classes.container ?? ''}>
      <Table highlightOnHover layout="fixed" stickyHeader>
        <Table.Thead>
          <Table.Tr>
            {header('State', 'state', 136)}
            {header('Agent', 'name')}
            {!compact && (
              <Table.Th w="20%" className={classes.wide ?? ''}>
                Reason
              </Table.Th>
            )}
            {header('Since', 'since', 100)}
            {!compact && (
              <Table.Th w={180} className={classes.medium ?? ''}>
                Last 60 probes
              </Table.Th>
            )}
            {!compact && header('Restarts', 'restarts', 84, classes.medium)}
            {!compact && (
              <Table.Th w={76} ta="right" className={classes.medium ?? ''}>
                Pid
              </Table.Th>
            )}
            {!compact && (
              <Table.Th
                w={56}
                ta="right"
                className={classes.wide ?? ''}
                title="Generation: how many processes it has had"
              >
                Gen
              </Table.Th>
            )}
            <Table.Th w={compact ? 52 : 156}>
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
              <Table.Td>
                <StatusBadge status={agent.state} reason={agent.reason} />
              </Table.Td>
              <Table.Td>
                <Text size="sm" fw={500} truncate title={agent.name}>
                  {agent.name}
                </Text>
                <Text size="xs" c="dimmed" truncate title={agent.description}>
                  {agent.description}
                </Text>
              </Table.Td>
              {!compact && (
                <Table.Td className={classes.wide ?? ''}>
                  <Text size="sm" c="dimmed" lineClamp={2} title={agent.reason}>
                    {agent.reason}
                  </Text>
                </Table.Td>
              )}
              <Table.Td>
                <RelativeTime at={agent.since} c="dimmed" />
              </Table.Td>
              {!compact && (
                <Table.Td className={classes.medium ?? ''}>
                  <HeartbeatBar heartbeats={agent.heartbeats} label={`Heartbeats of ${agent.name}`} />
                </Table.Td>
              )}
              {!compact && (
                <Table.Td ta="right" className={classes.medium ?? ''}>
                  {formatNumber(agent.restarts)}
                </Table.Td>
              )}
              {!compact && (
                <Table.Td ta="right" className={classes.medium ?? ''}>
                  {agent.pid ?? '–'}
                </Table.Td>
              )}
              {!compact && (
                <Table.Td ta="right" className={classes.wide ?? ''}>
                  {formatNumber(agent.generation)}
                </Table.Td>
              )}
              <Table.Td>
                <Group gap={4} wrap="nowrap" justify="flex-end">
                  {!compact && <AgentFirstAction agent={agent} commands={commands} />}
                  <AgentMenu agent={agent} commands={commands} />
                </Group>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
