import { Button, Card, CloseButton, Group, Select, Skeleton, Stack, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus, IconRobot, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { agentState } from '#contract';
import { useAgentCommands } from '../../components/agent-commands.tsx';
import { DetailDrawer } from '../../components/detail-drawer.tsx';
import { EmptyState, NoMatches } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { AGENT_STATES_WORST_FIRST, STATUS_LOOKS } from '../../components/status-vocabulary.ts';
import { api } from '../../lib/api.ts';
import { formatCount } from '../../lib/format.ts';
import { useLiveInterval } from '../../lib/live-pause.ts';
import { useUrlState } from '../../lib/url-state.ts';
import { AddAgentDialog } from './add-agent-dialog.tsx';
import { AgentDetail } from './agent-detail.tsx';
import { AgentActions } from './agent-menu.tsx';
import { agentsShown, parseAgentsState } from './agents-state.ts';
import { AgentsTable } from './agents-table.tsx';

/** No event tells of memory and CPU: they are read again this often, in ms, while somebody looks. */
const RESOURCES_MS = 5000;

/** All agents: how each is and why, and what can be done about it. */
export function AgentsPage() {
  const [state, change] = useUrlState(parseAgentsState);
  const [adding, add] = useDisclosure(false);
  const { data, error, refetch } = useQuery({
    ...api.agents.list.queryOptions(),
    refetchInterval: useLiveInterval(RESOURCES_MS),
  });
  const commands = useAgentCommands();

  const agents = data?.items ?? [];
  const shown = agentsShown(agents, state);
  const opened = agents.find((agent) => agent.id === state.agent);
  const filters = [state.search, state.state].filter((filter) => filter !== undefined).length;
  const clearFilters = (): void => change({ search: undefined, state: undefined });

  return (
    <Stack h="100%">
      <PageHeader
        title="Agents"
        actions={
          <Button leftSection={<IconPlus size={15} />} onClick={add.open}>
            Add agent
          </Button>
        }
      />
      {error !== null && (
        <ErrorCard error={error} what="The agents could not be loaded" onRetry={() => void refetch()} />
      )}
      {data === undefined ? (
        error === null && <Skeleton h={280} />
      ) : agents.length === 0 ? (
        <EmptyState
          icon={<IconRobot />}
          title="No agents yet"
          action={<Button onClick={add.open}>Add an agent</Button>}
        >
          An agent is a program on this machine that answers prompts; the console starts it and keeps it
          running.
        </EmptyState>
      ) : (
        <>
          <Group gap="xs">
            <TextInput
              data-page-filter
              aria-label="Filter agents"
              placeholder="Filter by name or id"
              leftSection={<IconSearch size={14} />}
              w={240}
              value={state.search ?? ''}
              onChange={(event) =>
                change({ search: event.currentTarget.value || undefined }, { replace: true })
              }
              rightSection={
                state.search !== undefined && (
                  <CloseButton
                    size="xs"
                    aria-label="Clear the filter"
                    onClick={() => change({ search: undefined })}
                  />
                )
              }
            />
            <Select
              aria-label="State"
              placeholder="Any state"
              clearable
              w={160}
              value={state.state ?? null}
              onChange={(value) => change({ state: agentState.options.find((option) => option === value) })}
              data={AGENT_STATES_WORST_FIRST.map((value) => ({ value, label: STATUS_LOOKS[value].label }))}
            />
          </Group>
          <Card p={0}>
            {shown.length === 0 ? (
              <NoMatches
                text={`No agents match ${formatCount(filters, 'filter')}`}
                action={
                  <Button variant="default" onClick={clearFilters}>
                    Clear filters
                  </Button>
                }
              />
            ) : (
              <AgentsTable
                agents={shown}
                open={opened?.id}
                sort={state.sort ?? 'state'}
                compact={opened !== undefined}
                commands={commands}
                onOpen={(id) => change({ agent: id }, { replace: opened !== undefined })}
                onEdit={(id) => change({ agent: id, tab: 'configuration' })}
                onSort={(sort) => change({ sort }, { replace: true })}
              />
            )}
          </Card>
        </>
      )}
      {opened !== undefined && (
        <DetailDrawer
          title={opened.name}
          beside={<StatusBadge status={opened.state} reason={opened.reason} />}
          subtitle={opened.reason || opened.description}
          actions={
            <AgentActions
              agent={opened}
              commands={commands}
              onEdit={() => change({ tab: 'configuration' })}
              onRemoved={() => change({ agent: undefined, tab: undefined })}
            />
          }
          fullPage={`/agents/${opened.id}`}
          onClose={() => change({ agent: undefined, tab: undefined })}
        >
          <AgentDetail
            agent={opened}
            tab={state.tab ?? 'now'}
            commands={commands}
            onTab={(tab) => change({ tab }, { replace: true })}
          />
        </DetailDrawer>
      )}
      <AddAgentDialog
        opened={adding}
        onClose={add.close}
        onAdded={(id) => change({ agent: id, tab: undefined })}
      />
    </Stack>
  );
}
