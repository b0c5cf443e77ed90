import { Anchor, Button, Card, Group, ScrollArea, Table, Text, Title, VisuallyHidden } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Agent, AgentState } from '#contract';
import type { AgentCommands } from '../../components/agent-commands.tsx';
import { AgentFirstAction } from '../../components/agent-first-action.tsx';
import { NoMatches } from '../../components/empty-state.tsx';
import { HeartbeatBar } from '../../components/heartbeat-bar.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { AGENT_STATES_WORST_FIRST, STATUS_LOOKS } from '../../components/status-vocabulary.ts';
import classes from './agent-list.module.css';

/** The agents with their heartbeats, the worst first. */
export function AgentList({
  agents,
  state,
  commands,
  onClear,
}: {
  agents: readonly Agent[];
  /** Only those in this state. */
  state: AgentState | undefined;
  commands: AgentCommands;
  onClear: () => void;
}) {
  const shown = agents
    .filter((agent) => state === undefined || agent.state === state)
    .toSorted(
      (a, b) =>
        AGENT_STATES_WORST_FIRST.indexOf(a.state) - AGENT_STATES_WORST_FIRST.indexOf(b.state) ||
        a.name.localeCompare(b.name),
    );
  return (
    <Card
      component="section"
      aria-label="Agents"
      py="sm"
      px={0}
      mih={0}
      flex="1 1 auto"
      className={classes.card ?? ''}
    >
      <Group justify="space-between" px="md" mb={4}>
        <Title order={2} size="h5">
          Agents
        </Title>
        {state !== undefined && (
          <Button size="compact-xs" variant="subtle" onClick={onClear}>
            Show all {agents.length}
          </Button>
        )}
      </Group>
      {shown.length === 0 ? (
        <NoMatches
          text={
            state === undefined ? 'No agents yet' : `No agent is ${STATUS_LOOKS[state].label.toLowerCase()}`
          }
        />
      ) : (
        <ScrollArea.Autosize mah={400} type="auto" scrollbars="y">
          <Table verticalSpacing={5} horizontalSpacing="md" stickyHeader layout="fixed">
            <Table.Thead>
              <Table.Tr>
                <Table.Th w={140}>State</Table.Th>
                <Table.Th>Agent</Table.Th>
                <Table.Th w={200} className={classes.probes ?? ''}>
                  Last 60 probes
                </Table.Th>
                <Table.Th w={104}>Since</Table.Th>
                <Table.Th w={112}>
                  <VisuallyHidden>Action</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map((agent) => (
                <Table.Tr key={agent.id}>
                  <Table.Td>
                    <StatusBadge status={agent.state} reason={agent.reason} />
                  </Table.Td>
                  <Table.Td>
                    <Anchor
                      size="sm"
                      fw={500}
                      c="inherit"
                      truncate
                      display="block"
                      renderRoot={(props) => <Link to="/agents/$id" params={{ id: agent.id }} {...props} />}
                    >
                      {agent.name}
                    </Anchor>
                    <Text size="xs" c="dimmed" truncate title={agent.reason}>
                      {agent.reason}
                    </Text>
                  </Table.Td>
                  <Table.Td className={classes.probes ?? ''}>
                    <HeartbeatBar heartbeats={agent.heartbeats} label={`Heartbeats of ${agent.name}`} />
                  </Table.Td>
                  <Table.Td>
                    <RelativeTime at={agent.since} c="dimmed" />
                  </Table.Td>
                  <Table.Td align="right">
                    <AgentFirstAction agent={agent} commands={commands} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollArea.Autosize>
      )}
    </Card>
  );
}
