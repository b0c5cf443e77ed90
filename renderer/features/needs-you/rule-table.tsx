import { Button, Group, Skeleton, Table, Text } from '@mantine/core';
import { IconShieldCheck } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { PermissionPolicy } from '#contract';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';

/** "Always allow this kind here": what is answered without asking. */
export function RuleTable({
  agentId,
  nameOf,
}: {
  agentId: string | undefined;
  nameOf: (agentId: string) => string;
}) {
  const list = useQuery(
    api.needsYou.policies.queryOptions({ input: agentId === undefined ? {} : { agentId } }),
  );
  const items = list.data?.items ?? [];
  if (list.isError) {
    return (
      <ErrorCard
        error={list.error}
        what="The rules could not be listed"
        onRetry={() => void list.refetch()}
      />
    );
  }
  if (list.isPending) return <Skeleton h={120} aria-busy role="status" aria-label="Loading the rules" />;
  if (items.length === 0) {
    return (
      <EmptyState icon={<IconShieldCheck />} title="You are asked every time">
        Tick “Always answer … like this in this folder” when you answer a permission, and the rule stands
        here.
      </EmptyState>
    );
  }
  return (
    <Table.ScrollContainer minWidth={640} type="native">
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Agent</Table.Th>
            <Table.Th>Kind</Table.Th>
            <Table.Th>Folder</Table.Th>
            <Table.Th>Answer</Table.Th>
            <Table.Th>Since</Table.Th>
            <Table.Th ta="right">Used</Table.Th>
            <Table.Th aria-label="What can be done" />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((policy) => (
            <Rule key={policy.id} policy={policy} agentName={nameOf(policy.agentId)} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Rule({ policy, agentName }: { policy: PermissionPolicy; agentName: string }) {
  const queries = useQueryClient();
  const remove = useMutation({
    ...api.needsYou.deletePolicy.mutationOptions(),
    onSuccess: () => toastSuccess(`You are asked again about “${policy.toolKind}” of ${agentName}`),
    onError: (error) => toastError(error, 'The rule was not removed'),
    onSettled: () => queries.invalidateQueries({ queryKey: api.needsYou.policies.key() }),
  });
  return (
    <Table.Tr>
      <Table.Td>{agentName}</Table.Td>
      <Table.Td>{policy.toolKind}</Table.Td>
      <Table.Td>
        <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
          {policy.cwd}
        </Text>
      </Table.Td>
      <Table.Td>{policy.decision === 'allow' ? 'Allow' : 'Refuse'}</Table.Td>
      <Table.Td>
        <RelativeTime at={policy.createdAt} />
      </Table.Td>
      <Table.Td ta="right">{policy.uses}</Table.Td>
      <Table.Td>
        <Group justify="flex-end">
          <Button
            size="compact-xs"
            variant="default"
            loading={remove.isPending}
            aria-label={`Ask again about ${policy.toolKind} of ${agentName}`}
            onClick={() => remove.mutate({ id: policy.id })}
          >
            Ask again
          </Button>
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}
