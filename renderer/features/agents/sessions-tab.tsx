import { Button, Skeleton, Stack, Table } from '@mantine/core';
import { IconMessages } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Agent } from '#contract';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { api } from '../../lib/api.ts';
import { formatNumber } from '../../lib/format.ts';
import { SessionLink } from './session-link.tsx';

const SHOWN = 20;

/** The sessions of the agent that were used last. */
export function SessionsTab({ agent }: { agent: Agent }) {
  const { data, error, refetch } = useQuery(
    api.sessions.list.queryOptions({ input: { agentId: agent.id, limit: SHOWN } }),
  );
  const all = (
    <Button
      variant="default"
      w="fit-content"
      renderRoot={(props) => <Link to="/sessions" search={{ agentId: agent.id } as never} {...props} />}
    >
      All sessions of this agent
    </Button>
  );
  return (
    <Stack>
      {error !== null && (
        <ErrorCard error={error} what="The sessions could not be loaded" onRetry={() => void refetch()} />
      )}
      {data === undefined ? (
        error === null && <Skeleton h={160} />
      ) : data.items.length === 0 ? (
        <EmptyState icon={<IconMessages />} title="No sessions yet">
          A session is one conversation with this agent; begin one with “New session”.
        </EmptyState>
      ) : (
        <>
          <Table highlightOnHover layout="fixed" aria-label={`Sessions of ${agent.name}`}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Title</Table.Th>
                <Table.Th w={120}>Status</Table.Th>
                <Table.Th w={72} ta="right">
                  Messages
                </Table.Th>
                <Table.Th w={100}>Last used</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.items.map((session) => (
                <Table.Tr key={session.id}>
                  <Table.Td>
                    <SessionLink session={session} />
                  </Table.Td>
                  <Table.Td>
                    <StatusBadge size="xs" status={session.status} />
                  </Table.Td>
                  <Table.Td ta="right">{formatNumber(session.messageCount)}</Table.Td>
                  <Table.Td>
                    <RelativeTime at={session.lastActivityAt} size="xs" c="dimmed" />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          {all}
        </>
      )}
    </Stack>
  );
}
