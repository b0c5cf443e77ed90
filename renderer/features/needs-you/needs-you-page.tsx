import { Button, Group, Pill, SegmentedControl, Skeleton, Stack, Table, Text } from '@mantine/core';
import { IconChecks, IconHistory, IconShieldCheck } from '@tabler/icons-react';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { NeedsYouItem, PermissionPolicy } from '#contract';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { NeedsYouCard } from '../../components/needs-you-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { choiceOf, type RawSearch, textOf, useUrlState } from '../../lib/url-state.ts';

const TABS = ['waiting', 'answered', 'withdrawn', 'rules'] as const;
type Tab = (typeof TABS)[number];

const LABELS: Readonly<Record<Tab, string>> = {
  waiting: 'Waiting',
  answered: 'Answered',
  withdrawn: 'Withdrawn',
  rules: 'Rules',
};

const PAGE = 50;

function parseUrl(search: RawSearch): { tab: Tab; agentId: string | undefined } {
  return { tab: choiceOf(search, 'tab', TABS) ?? 'waiting', agentId: textOf(search, 'agentId') };
}

/** What waits for the user: permissions, questions, budgets; what was answered, and what is answered without asking. */
export function NeedsYouPage() {
  const [{ tab, agentId }, change] = useUrlState(parseUrl);
  const nameOf = useAgentNames();
  return (
    <Stack gap="md" maw={960}>
      <PageHeader
        title="Needs you"
        description="Permissions that agents ask for, their questions, and budgets that are used up. Each is answered once."
        actions={
          <SegmentedControl
            size="xs"
            aria-label="Which items"
            value={tab}
            onChange={(value) => change({ tab: value as Tab })}
            data={TABS.map((value) => ({ value, label: LABELS[value] }))}
          />
        }
      />
      {agentId !== undefined && (
        <Group gap="xs">
          <Pill
            withRemoveButton
            removeButtonProps={{ 'aria-label': 'Show those of all agents' }}
            onRemove={() => change({ agentId: undefined })}
          >
            {nameOf(agentId)}
          </Pill>
        </Group>
      )}
      {tab === 'rules' ? <Rules agentId={agentId} /> : <Items state={tab} agentId={agentId} />}
    </Stack>
  );
}

function useAgentNames(): (id: string) => string {
  const agents = useQuery(api.agents.list.queryOptions());
  return (id) => agents.data?.items.find((agent) => agent.id === id)?.name ?? id;
}

function Items({ state, agentId }: { state: NeedsYouItem['state']; agentId: string | undefined }) {
  const nameOf = useAgentNames();
  const list = useInfiniteQuery(
    api.needsYou.list.infiniteOptions({
      input: (cursor: string | undefined) => ({
        state,
        limit: PAGE,
        ...(agentId && { agentId }),
        ...(cursor && { cursor }),
      }),
      initialPageParam: undefined,
      getNextPageParam: (last) => last.nextCursor,
    }),
  );
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      {list.isError && (
        <ErrorCard
          error={list.error}
          what="What waits for you could not be listed"
          onRetry={() => void list.refetch()}
        />
      )}
      {list.isPending && <Skeleton h={160} aria-busy aria-label="Loading" />}
      {list.isSuccess && items.length === 0 && <Nothing state={state} />}
      {items.map((item) => (
        <NeedsYouCard key={item.id} item={item} agentName={nameOf(item.agentId)} withSession />
      ))}
      {list.hasNextPage && (
        <Button
          variant="default"
          w="fit-content"
          loading={list.isFetchingNextPage}
          onClick={() => void list.fetchNextPage()}
        >
          Show more
        </Button>
      )}
    </>
  );
}

function Nothing({ state }: { state: NeedsYouItem['state'] }) {
  if (state === 'waiting') {
    return (
      <EmptyState
        icon={<IconChecks />}
        title="Nothing waits for you"
        action={
          <Button component={Link} to="/">
            Go to the Overview
          </Button>
        }
      >
        When an agent asks for a permission, has a question, or has used up its budget, it waits here.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={<IconHistory />}
      title={state === 'answered' ? 'Nothing answered yet' : 'Nothing withdrawn'}
    >
      {state === 'answered'
        ? 'What you, or a rule of yours, answered stands here.'
        : 'What waited for you when its turn ended stands here: an answer would have reached nobody.'}
    </EmptyState>
  );
}

/** "Always allow this kind here": what is answered without asking. */
function Rules({ agentId }: { agentId: string | undefined }) {
  const nameOf = useAgentNames();
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
  if (list.isPending) return <Skeleton h={120} aria-busy aria-label="Loading the rules" />;
  if (items.length === 0) {
    return (
      <EmptyState icon={<IconShieldCheck />} title="You are asked every time">
        Tick “Always answer … like this in this folder” when you answer a permission, and the rule stands
        here.
      </EmptyState>
    );
  }
  return (
    <Table>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Agent</Table.Th>
          <Table.Th>Kind</Table.Th>
          <Table.Th>Folder</Table.Th>
          <Table.Th>Answer</Table.Th>
          <Table.Th>Since</Table.Th>
          <Table.Th ta="right">Used</Table.Th>
          <Table.Th />
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {items.map((policy) => (
          <Rule key={policy.id} policy={policy} agentName={nameOf(policy.agentId)} />
        ))}
      </Table.Tbody>
    </Table>
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
