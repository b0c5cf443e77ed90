import { Button, Group, Pill, SegmentedControl, Skeleton, Stack } from '@mantine/core';
import { IconChecks, IconHistory } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useLocation } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import type { NeedsYouItem } from '#contract';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { NeedsYouCard, type NeedsYouCardProps } from '../../components/needs-you-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { api } from '../../lib/api.ts';
import { choiceOf, type RawSearch, textOf, useUrlState } from '../../lib/url-state.ts';
import { RuleTable } from './rule-table.tsx';

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
    <Stack gap="md" maw={1080} mx="auto">
      <PageHeader
        title="Needs you"
        description="Permissions, questions and used-up budgets; each is answered once."
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
      {tab === 'rules' ? (
        <RuleTable agentId={agentId} nameOf={nameOf} />
      ) : (
        <Items key={tab} state={tab} agentId={agentId} nameOf={nameOf} />
      )}
    </Stack>
  );
}

function useAgentNames(): (id: string) => string {
  const agents = useQuery(api.agents.list.queryOptions());
  return (id) => agents.data?.items.find((agent) => agent.id === id)?.name ?? id;
}

function Items({
  state,
  agentId,
  nameOf,
}: {
  state: NeedsYouItem['state'];
  agentId: string | undefined;
  nameOf: (agentId: string) => string;
}) {
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
  const cards = useRef<HTMLDivElement>(null);
  const focusNext = (answered: NeedsYouItem) => {
    const shown = [...(cards.current?.querySelectorAll<HTMLElement>('[data-needs-you]') ?? [])];
    const at = shown.findIndex((card) => card.dataset.needsYou === answered.id);
    // The card with the focus goes away: who answers by keyboard goes on with the next one.
    (shown[at + 1] ?? shown[at - 1] ?? cards.current)?.focus();
  };
  return (
    <Stack gap="md" ref={cards} tabIndex={-1} style={{ outline: 'none' }}>
      {list.isError && (
        <ErrorCard
          error={list.error}
          what="What waits for you could not be listed"
          onRetry={() => void list.refetch()}
        />
      )}
      {list.isPending && <Skeleton h={160} aria-busy role="status" aria-label="Loading" />}
      <Wanted shown={items} listed={list.isSuccess} nameOf={nameOf} />
      {list.isSuccess && items.length === 0 && <Nothing state={state} />}
      {items.map((item) => (
        <Card key={item.id} item={item} agentName={nameOf(item.agentId)} onAnswered={focusNext} />
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
    </Stack>
  );
}

function useWantedId(): string | undefined {
  return useLocation({ select: ({ hash }) => (hash === '' ? undefined : hash) });
}

/** A card of the page; the one that the address names comes into view and has the focus. */
function Card(props: Pick<NeedsYouCardProps, 'item' | 'agentName' | 'onAnswered'>) {
  const wanted = useWantedId() === props.item.id;
  const card = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!wanted) return;
    card.current?.scrollIntoView({ block: 'nearest' });
    card.current?.focus();
  }, [wanted]);
  return <NeedsYouCard ref={card} {...props} withSession highlighted={wanted} />;
}

/** The item that the address names, where it is not among those that are listed: how it ended is what is asked for then. */
function Wanted({
  shown,
  listed,
  nameOf,
}: {
  shown: readonly NeedsYouItem[];
  listed: boolean;
  nameOf: (agentId: string) => string;
}) {
  const id = useWantedId();
  const isMissing = listed && id !== undefined && shown.every((item) => item.id !== id);
  const item = useQuery(api.needsYou.get.queryOptions({ input: { id: id ?? '' }, enabled: isMissing }));
  if (!isMissing || item.data === undefined) return null;
  return <Card item={item.data} agentName={nameOf(item.data.agentId)} />;
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
