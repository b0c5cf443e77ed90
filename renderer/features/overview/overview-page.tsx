import { Box, Group, Skeleton, Stack, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useAgentCommands } from '../../components/agent-commands.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { StatusShape } from '../../components/status-shape.tsx';
import { STATUS_LOOKS, toneColor } from '../../components/status-vocabulary.ts';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { toApiError, UNREACHABLE } from '../../lib/api-error.ts';
import { formatCount } from '../../lib/format.ts';
import { useLiveStatus } from '../../lib/live-events.ts';
import { usePageTitle } from '../../lib/page-title.ts';
import { useDismissed } from '../../lib/preferences.ts';
import { useUrlState } from '../../lib/url-state.ts';
import { AgentList } from './agent-list.tsx';
import { BackupCard } from './backup-card.tsx';
import { ChartPanel } from './chart-panel.tsx';
import { CostCard } from './cost-card.tsx';
import { CountTiles } from './count-tiles.tsx';
import { DemoOffer, FirstSteps } from './first-run.tsx';
import { type FirstStepKey, firstStepsOf } from './first-steps.ts';
import { FoundAgents } from './found-agents.tsx';
import classes from './overview-page.module.css';
import { parseOverviewState } from './overview-state.ts';
import { lastKnown, sentenceOf, tilesOf, todosOf } from './summary.ts';
import { TodoList } from './todo-list.tsx';

/** Answers in two seconds: is everything all right, and if not, what do I do? */
export function OverviewPage() {
  usePageTitle('Overview');
  const [{ state, range }, change] = useUrlState(parseOverviewState);
  const facts = useFacts();
  const lost = useLiveStatus().state === 'lost';
  const commands = useAgentCommands();
  const backUp = useBackUpNow();
  const startDemo = useStartDemoFleet();

  const agents = facts.agents.data?.items;
  const failed = [facts.agents, facts.status, facts.sessions, facts.backups].find(
    (query) => query.error !== null,
  );
  if (agents === undefined) {
    return failed === undefined ? (
      <OverviewSkeleton />
    ) : (
      <ErrorCard
        error={failed.error}
        what="The Overview could not be loaded"
        onRetry={() => void facts.refetch()}
      />
    );
  }

  const sessions = facts.sessions.data?.items;
  const waiting = facts.waiting.data?.items ?? [];
  const now = sentenceOf(agents, facts.status.data?.health, waiting);
  const sentence = lost ? lastKnown(now) : now;
  const look = STATUS_LOOKS[sentence.state];
  const { shown, more } = todosOf({
    agents,
    items: waiting,
    budgets: facts.budgets.data?.notices ?? [],
    sessions: facts.interrupted.data?.items ?? [],
    backups: facts.backups.data?.items,
    hasSessions: (sessions?.length ?? 0) > 0,
    warnings: facts.status.data?.about.warnings ?? [],
  });
  const job = facts.jobs.data?.items.find((each) => each.state === 'running');
  const fresh = agents.length <= 1 && sessions?.length === 0;

  return (
    <Stack gap="sm" className={classes.page ?? ''}>
      <Group gap="sm" wrap="nowrap">
        <Box c={toneColor(look.tone)}>
          <StatusShape shape={look.shape} size={22} />
        </Box>
        <Title order={1} size="h2">
          {sentence.text}
        </Title>
      </Group>
      {/* That nobody answers is said by the strip above every page. */}
      {failed !== undefined && toApiError(failed.error).code !== UNREACHABLE && (
        <ErrorCard
          error={failed.error}
          what="Part of what you see is out of date"
          onRetry={() => void facts.refetch()}
        />
      )}
      <CountTiles tiles={tilesOf(agents)} chosen={state} onChoose={(next) => change({ state: next })} />
      {fresh && <DemoOffer pending={startDemo.isPending} onStart={() => startDemo.mutate({})} />}
      {fresh && <FoundAgents />}
      <div className={classes.columns}>
        <Stack gap="sm" miw={0}>
          <TodoList todos={shown} more={more} commands={commands} onBackup={backUp.start} />
          <AgentList
            agents={agents}
            state={state}
            commands={commands}
            onClear={() => change({ state: undefined })}
          />
          <ChartPanel range={range} onRange={(next) => change({ range: next }, { replace: true })} />
        </Stack>
        <div className={classes.side}>
          <ChecklistCard facts={facts} commands={commands} onBackup={backUp.start} busy={backUp.pending} />
          {facts.budgets.data !== undefined && <CostCard state={facts.budgets.data} />}
          <BackupCard
            backups={facts.backups.data?.items}
            job={job}
            pending={backUp.pending}
            onBackup={backUp.start}
          />
        </div>
      </div>
    </Stack>
  );
}

type Facts = ReturnType<typeof useFacts>;

/** What the page is made of; events keep all of it fresh. */
function useFacts() {
  const queries = useQueryClient();
  const agents = useQuery(api.agents.list.queryOptions());
  const status = useQuery(api.status.get.queryOptions());
  const sessions = useQuery(api.sessions.list.queryOptions({ input: { limit: 10 } }));
  const waiting = useQuery(api.needsYou.list.queryOptions({ input: { state: 'waiting', limit: 100 } }));
  const budgets = useQuery(api.budgets.get.queryOptions());
  const interrupted = useQuery(
    api.sessions.list.queryOptions({ input: { limit: 5, status: 'interrupted' } }),
  );
  const backups = useQuery(api.backups.list.queryOptions());
  const jobs = useQuery(api.jobs.list.queryOptions());
  return {
    agents,
    status,
    sessions,
    waiting,
    budgets,
    interrupted,
    backups,
    jobs,
    refetch: () => queries.invalidateQueries(),
  };
}

function ChecklistCard({
  facts,
  commands,
  onBackup,
  busy,
}: {
  facts: Facts;
  commands: ReturnType<typeof useAgentCommands>;
  onBackup: () => void;
  busy: boolean;
}) {
  const [dismissed, setDismissed] = useDismissed('first-steps');
  const navigate = useNavigate();
  const recoveries = useQuery(
    api.events.list.queryOptions({ input: { topics: 'agent.recovered', limit: 1 }, enabled: !dismissed }),
  );
  const agents = facts.agents.data?.items ?? [];
  if (dismissed || facts.sessions.data === undefined || facts.backups.data === undefined) return null;
  const steps = firstStepsOf({
    sessions: facts.sessions.data.items,
    agents,
    recoveries: recoveries.data?.items ?? [],
    backups: facts.backups.data.items,
    jobs: facts.jobs.data?.items ?? [],
    undo: facts.backups.data.undo !== undefined,
  });
  if (steps.every((step) => step.done)) return null;

  const begin: Record<FirstStepKey, () => void> = {
    talk: () => {
      const agent = agents.find((each) => each.state === 'healthy') ?? agents[0];
      if (agent !== undefined) commands.prompt(agent);
    },
    crash: () => {
      const agent = agents.find((each) => each.state === 'healthy' && each.drills.includes('crash'));
      if (agent !== undefined) commands.drill(agent, 'crash');
      else void navigate({ to: '/agents' });
    },
    backup: onBackup,
    restore: () => void navigate({ to: '/backups' }),
  };
  return (
    <FirstSteps
      steps={steps}
      busy={busy || commands.pending}
      onStep={(key) => begin[key]()}
      onDismiss={() => setDismissed(true)}
    />
  );
}

function useBackUpNow() {
  const queries = useQueryClient();
  const { mutate, isPending } = useMutation(
    api.backups.create.mutationOptions({
      onSuccess: () => {
        toastSuccess('The backup has started');
        void queries.invalidateQueries({ queryKey: api.jobs.key() });
      },
      onError: (error) => toastError(error, 'The backup was not started'),
    }),
  );
  return { start: () => mutate(undefined), pending: isPending };
}

function useStartDemoFleet() {
  const queries = useQueryClient();
  return useMutation(
    api.agents.createDemoFleet.mutationOptions({
      onSuccess: ({ items }) => {
        toastSuccess(`The demo fleet is starting: ${formatCount(items.length, 'agent')}`);
        void queries.invalidateQueries({ queryKey: api.agents.key() });
      },
      onError: (error) => toastError(error, 'The demo fleet was not started'),
    }),
  );
}

function OverviewSkeleton() {
  return (
    <Stack gap="sm" aria-busy="true" role="status" aria-label="Loading">
      <Skeleton h={32} w={320} />
      <Skeleton h={44} />
      <Skeleton h={280} />
      <Skeleton h={160} />
    </Stack>
  );
}
