import { Group, Progress, Text, Tooltip, UnstyledButton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Agent, HealthStatus, Job } from '#contract';
import { StatusShape } from '../components/status-shape.tsx';
import {
  AGENT_STATES_WORST_FIRST,
  STATUS_LOOKS,
  type StatusKind,
  toneColor,
} from '../components/status-vocabulary.ts';
import { api } from '../lib/api.ts';
import { formatBytes, formatDuration, formatFigure, formatMoney, formatRelativeTime } from '../lib/format.ts';
import { useLiveStatus } from '../lib/live-events.ts';
import { useLiveInterval } from '../lib/live-pause.ts';
import { useNow } from '../lib/now.ts';
import type { PageEntry } from './pages.ts';
import classes from './status-bar.module.css';

const RUNTIME_LOOKS: Readonly<Record<HealthStatus, { status: StatusKind; label: string }>> = {
  healthy: { status: 'healthy', label: 'Runtime healthy' },
  degraded: { status: 'degraded', label: 'Runtime degraded' },
  unhealthy: { status: 'failed', label: 'Runtime unhealthy' },
};

/** The line at the bottom: how everything is at a glance; each item opens its page. */
export function StatusBar() {
  return (
    <Group h="100%" px={6} gap={0} wrap="nowrap" justify="space-between" className={classes.bar ?? ''}>
      <Group gap={0} wrap="nowrap" h="100%" miw={0} style={{ overflow: 'hidden' }}>
        <RuntimeItem />
        <AgentsItem />
        <EventsItem />
      </Group>
      <Group gap={0} wrap="nowrap" h="100%" flex="none">
        <JobItem />
        <StorageItem />
        <BackupItem />
        <CostItem />
      </Group>
    </Group>
  );
}

function Item({
  to,
  section,
  label,
  children,
}: {
  to: PageEntry['to'];
  /** The part of the page, where it has parts (`?section=`). */
  section?: string;
  label: string;
  children: ReactNode;
}) {
  return (
    <Tooltip label={label} position="top">
      <UnstyledButton
        className={classes.item ?? ''}
        renderRoot={(props) => (
          <Link to={to} {...(section !== undefined && { search: { section } as never })} {...props} />
        )}
      >
        {children}
      </UnstyledButton>
    </Tooltip>
  );
}

function RuntimeItem() {
  const { state } = useLiveStatus();
  const { data } = useQuery(api.status.get.queryOptions({ refetchInterval: useLiveInterval(10_000) }));
  const connected = state === 'live' || state === 'connecting';
  const look = connected && data ? RUNTIME_LOOKS[data.health.status] : undefined;
  const { shape, tone } = STATUS_LOOKS[look?.status ?? 'unknown'];
  const label = look?.label ?? (state === 'connecting' ? 'Connecting' : 'Not connected');
  const worst =
    data && Object.values(data.health.components).find((component) => component.status !== 'healthy');
  return (
    <Item to="/" label={worst?.message ?? 'State of the runtime'}>
      <span className={classes.shape} style={{ color: toneColor(tone) }}>
        <StatusShape shape={shape} size={12} />
      </span>
      {label}
    </Item>
  );
}

function AgentsItem() {
  const { data } = useQuery(api.agents.list.queryOptions());
  if (data === undefined) return null;
  const counts = countStates(data.items);
  const words = counts
    .map(({ state, count }) => `${count} ${STATUS_LOOKS[state].label.toLowerCase()}`)
    .join(', ');
  return (
    <Item to="/agents" label={words === '' ? 'No agents' : `Agents: ${words}`}>
      <span>Agents</span>
      {counts.length === 0 && <span>0</span>}
      {counts.map(({ state, count }) => (
        <span key={state} className={classes.count} style={{ color: toneColor(STATUS_LOOKS[state].tone) }}>
          {count}
          <StatusShape shape={STATUS_LOOKS[state].shape} size={11} />
        </span>
      ))}
    </Item>
  );
}

function countStates(agents: readonly Agent[]) {
  return AGENT_STATES_WORST_FIRST.map((state) => ({
    state,
    count: agents.filter((agent) => agent.state === state).length,
  })).filter(({ count }) => count > 0);
}

function EventsItem() {
  const { data } = useQuery(
    api.status.samples.queryOptions({ input: { minutes: 1 }, refetchInterval: useLiveInterval(5_000) }),
  );
  const newest = data?.items.at(-1);
  return (
    <Item to="/events" label="Events published each second, mean of the last sample">
      {newest === undefined ? '– events/s' : `${formatFigure(newest.eventsPerSecond)} events/s`}
    </Item>
  );
}

function StorageItem() {
  const { data } = useQuery(api.status.get.queryOptions());
  if (data === undefined) return null;
  const { backendType, sizeBytes } = data.health.components.storage.details;
  return (
    <Item to="/settings" section="storage" label="Storage and its size">
      {backendType} · {formatBytes(sizeBytes)}
    </Item>
  );
}

function BackupItem() {
  const { data } = useQuery(api.backups.list.queryOptions());
  const newest = data?.items.find((backup) => backup.state === 'checked');
  const text = useNow((now) => {
    if (data === undefined) return undefined;
    return newest === undefined ? 'No backup yet' : `Backup ${formatRelativeTime(newest.createdAt, now)}`;
  });
  if (text === undefined) return null;
  return (
    <Item to="/backups" label="The newest backup that was checked">
      {text}
    </Item>
  );
}

/** Nothing tells of every cent that is used, so it is read once in a while. */
const COST_REFRESH_MS = 15_000;

function CostItem() {
  const { data } = useQuery(
    api.budgets.get.queryOptions({ refetchInterval: useLiveInterval(COST_REFRESH_MS) }),
  );
  if (data === undefined) return null;
  const { money, unpriced } = data.today;
  const limit = data.budgets.day?.money;
  return (
    <Item
      to="/settings"
      section="budgets"
      label={unpriced ? 'Cost today, at least: what some turns cost is not known for sure' : 'Cost today'}
    >
      {unpriced && '≥ '}
      {formatMoney(money)}
      {limit !== undefined && ` of ${formatMoney(limit)}`} today
    </Item>
  );
}

function JobItem() {
  const { data } = useQuery(api.jobs.list.queryOptions());
  const running = data?.items.filter((job) => job.state === 'running') ?? [];
  const job = running[0];
  if (job === undefined) return null;
  const share = shareDone(job);
  return (
    <Item to="/backups" label={jobText(job)}>
      <Text span inherit truncate maw={220}>
        {job.title}
        {running.length > 1 && ` and ${running.length - 1} more`}
      </Text>
      <Progress value={share ?? 100} animated={share === undefined} w={72} size="sm" aria-label={job.title} />
      {share !== undefined && <span>{Math.floor(share)} %</span>}
    </Item>
  );
}

/** Percent done; undefined where the total is not known yet. */
function shareDone(job: Job): number | undefined {
  if (job.total === undefined || job.total === 0) return undefined;
  return Math.min(100, (job.done / job.total) * 100);
}

function jobText(job: Job): string {
  return job.etaMs === undefined ? job.phase : `${job.phase} · ${formatDuration(job.etaMs)} left`;
}
