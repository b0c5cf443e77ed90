import { Button, Group, Skeleton, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useAgentCommands } from '../../components/agent-commands.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { api } from '../../lib/api.ts';
import { useLiveInterval } from '../../lib/live-pause.ts';
import { useUrlState } from '../../lib/url-state.ts';
import { AgentDetail } from './agent-detail.tsx';
import { AgentActions } from './agent-menu.tsx';
import { parseAgentsState } from './agents-state.ts';

const PARENTS = [{ label: 'Agents', to: '/agents' }];

/** No event tells of memory and CPU: they are read again this often, in ms, while somebody looks. */
const RESOURCES_MS = 5000;

/** One agent on a page of its own. */
export function AgentPage() {
  const { id } = useParams({ from: '/agents/$id' });
  const [{ tab }, change] = useUrlState(parseAgentsState);
  const {
    data: agent,
    error,
    refetch,
  } = useQuery({
    ...api.agents.get.queryOptions({ input: { id } }),
    refetchInterval: useLiveInterval(RESOURCES_MS),
  });
  const commands = useAgentCommands();
  const navigate = useNavigate();
  return (
    <Stack maw={960} mx="auto">
      <PageHeader
        title={agent?.name ?? 'Agent'}
        parents={PARENTS}
        beside={agent && <StatusBadge status={agent.state} reason={agent.reason} />}
        description={agent?.description || undefined}
      />
      {error !== null && (
        <ErrorCard
          error={error}
          what="The agent could not be loaded"
          onRetry={() => void refetch()}
          actions={
            <Button variant="default" component={Link} to="/agents">
              All agents
            </Button>
          }
        />
      )}
      {agent === undefined ? (
        error === null && <Skeleton h={320} />
      ) : (
        <>
          <Group gap="xs">
            <AgentActions
              agent={agent}
              commands={commands}
              onEdit={() => change({ tab: 'configuration' })}
              onRemoved={() => void navigate({ to: '/agents' })}
            />
          </Group>
          <AgentDetail
            agent={agent}
            tab={tab ?? 'now'}
            commands={commands}
            onTab={(next) => change({ tab: next }, { replace: true })}
          />
        </>
      )}
    </Stack>
  );
}
