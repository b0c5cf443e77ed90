import { Button, Group, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { Agent, PermissionPolicy } from '#contract';
import { ErrorCard } from '../../components/error-card.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { formatCount } from '../../lib/format.ts';

/** What the agent may do, or may not, without asking, and the way back to being asked. */
export function PermissionPolicies({ agent }: { agent: Agent }) {
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery(
    api.needsYou.policies.queryOptions({ input: { agentId: agent.id } }),
  );
  const remove = useMutation({
    ...api.needsYou.deletePolicy.mutationOptions(),
    onSuccess: () => toastSuccess('You will be asked again'),
    onError: (failure) => toastError(failure, 'The permission was not removed'),
    onSettled: () => queries.invalidateQueries({ queryKey: api.needsYou.policies.key() }),
  });
  return (
    <Stack gap="xs">
      {error !== null && (
        <ErrorCard error={error} what="The permissions could not be loaded" onRetry={() => void refetch()} />
      )}
      {data?.items.length === 0 && (
        <Text size="sm" c="dimmed">
          It asks each time. Tick “Always answer … like this in this folder” in a permission that it asks for,
          and the rule stands here.
        </Text>
      )}
      {data?.items.map((policy) => (
        <Group key={policy.id} justify="space-between" wrap="nowrap">
          <PolicyWords policy={policy} />
          <Button
            flex="none"
            size="compact-xs"
            variant="default"
            aria-label={`Ask again for ${policy.toolKind} in ${policy.cwd}`}
            loading={remove.isPending && remove.variables.id === policy.id}
            onClick={() => remove.mutate({ id: policy.id })}
          >
            Ask again
          </Button>
        </Group>
      ))}
    </Stack>
  );
}

function PolicyWords({ policy }: { policy: PermissionPolicy }) {
  return (
    <Stack gap={0} miw={0}>
      <Text size="sm">
        {policy.decision === 'allow' ? 'Always allowed' : 'Always refused'}: <b>{policy.toolKind}</b> in{' '}
        <Text span ff="monospace" size="xs" style={{ overflowWrap: 'anywhere' }}>
          {policy.cwd}
        </Text>
      </Text>
      <Text size="xs" c="dimmed">
        since <RelativeTime at={policy.createdAt} size="xs" span /> · used {formatCount(policy.uses, 'time')}{' '}
        since the app started
      </Text>
    </Stack>
  );
}
