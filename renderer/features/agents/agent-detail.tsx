import {
  Anchor,
  Badge,
  Box,
  Card,
  Code,
  DataList,
  Group,
  Stack,
  Table,
  Tabs,
  Text,
  Timeline,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Agent, AgentLaunch, LiveEvents } from '#contract';
import { CopyButton, ShortId } from '../../components/copy.tsx';
import { NoMatches } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { HeartbeatBar } from '../../components/heartbeat-bar.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { StatusShape } from '../../components/status-shape.tsx';
import { STATUS_LOOKS, toneColor } from '../../components/status-vocabulary.ts';
import { api } from '../../lib/api.ts';
import { formatDuration, formatIso, formatNumber, formatRelativeTime } from '../../lib/format.ts';
import { useNow } from '../../lib/now.ts';
import { AGENT_TABS, type AgentTab } from './agents-state.ts';
import { latencyOf } from './latency.ts';

const TAB_LABELS: Readonly<Record<AgentTab, string>> = {
  now: 'Now',
  health: 'Health',
  exits: 'Exits',
  configuration: 'Configuration',
};

/** Everything about one agent, in the drawer and on its own page. */
export function AgentDetail({
  agent,
  tab,
  onTab,
}: {
  agent: Agent;
  tab: AgentTab;
  onTab: (tab: AgentTab) => void;
}) {
  return (
    <Tabs value={tab} onChange={(value) => onTab((value ?? 'now') as AgentTab)} keepMounted={false}>
      <Tabs.List mb="md">
        {AGENT_TABS.map((each) => (
          <Tabs.Tab key={each} value={each}>
            {TAB_LABELS[each]}
            {each === 'exits' && agent.exits.length > 0 && ` ${agent.exits.length}`}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value="now">
        <Now agent={agent} />
      </Tabs.Panel>
      <Tabs.Panel value="health">
        <HealthTab agent={agent} />
      </Tabs.Panel>
      <Tabs.Panel value="exits">
        <Exits agent={agent} />
      </Tabs.Panel>
      <Tabs.Panel value="configuration">
        <Configuration agent={agent} />
      </Tabs.Panel>
    </Tabs>
  );
}

function Facts({ rows }: { rows: readonly (readonly [label: string, value: ReactNode])[] }) {
  return (
    <DataList size="sm" gap={8} labelWidth="136px">
      {rows.map(([label, value]) => (
        <DataList.Item key={label}>
          <DataList.ItemLabel>{label}</DataList.ItemLabel>
          <DataList.ItemValue>{value}</DataList.ItemValue>
        </DataList.Item>
      ))}
    </DataList>
  );
}

function Now({ agent }: { agent: Agent }) {
  const rows: [string, ReactNode][] = [
    ['State', <StatusBadge key="state" status={agent.state} reason={agent.reason} />],
    ['Reason', agent.reason || '–'],
    ['Since', <RelativeTime key="since" at={agent.since} />],
    ['Process', agent.pid === undefined ? 'none' : `pid ${agent.pid}`],
    ['Generation', agent.generation === 0 ? 'never started' : formatNumber(agent.generation)],
    ['Running turns', formatNumber(agent.runningTurns)],
    ['Restarts', `${formatNumber(agent.restarts)} since the app started`],
  ];
  if (agent.startedAt !== undefined) {
    rows.splice(4, 0, ['Started', <RelativeTime key="started" at={agent.startedAt} />]);
  }
  if (agent.attempt > 0) rows.push(['Failed in a row', `${agent.attempt} of 5`]);
  if (agent.nextRestartAt !== undefined) {
    rows.push(['Next try', <Countdown key="next" at={agent.nextRestartAt} />]);
  }
  if (agent.agentInfo !== undefined) {
    rows.push(['Says of itself', `${agent.agentInfo.name} ${agent.agentInfo.version}`]);
  }
  rows.push([
    'Sessions',
    <Anchor
      key="sessions"
      size="sm"
      renderRoot={(props) => <Link to="/sessions" search={{ agentId: agent.id } as never} {...props} />}
    >
      Sessions of this agent
    </Anchor>,
  ]);
  return (
    <Stack>
      <HeartbeatBar heartbeats={agent.heartbeats} label={`Heartbeats of ${agent.name}`} />
      <Facts rows={rows} />
    </Stack>
  );
}

function Countdown({ at }: { at: number }) {
  return useNow((now) => (at <= now ? 'now' : formatRelativeTime(at, now)));
}

function HealthTab({ agent }: { agent: Agent }) {
  const latency = latencyOf(agent.heartbeats);
  const answered = agent.heartbeats.filter((beat) => beat.ok).length;
  const changes = useQuery(
    api.events.list.queryOptions({ input: { topics: 'agent.state.changed', subject: agent.id, limit: 20 } }),
  );
  return (
    <Stack>
      <HeartbeatBar heartbeats={agent.heartbeats} label={`Heartbeats of ${agent.name}`} />
      <Facts
        rows={[
          [
            'Probes answered',
            agent.heartbeats.length === 0 ? 'none yet' : `${answered} of the last ${agent.heartbeats.length}`,
          ],
          ['Last answer', latency === undefined ? '–' : formatDuration(latency.last)],
          ['Median', latency === undefined ? '–' : formatDuration(latency.median)],
          ['95th percentile', latency === undefined ? '–' : formatDuration(latency.p95)],
        ]}
      />
      <Text size="sm" fw={600}>
        Changes of state
      </Text>
      {changes.error !== null && (
        <ErrorCard
          error={changes.error}
          what="The changes could not be loaded"
          onRetry={() => void changes.refetch()}
        />
      )}
      {changes.data?.items.length === 0 && (
        <Text size="sm" c="dimmed">
          None in the log of events.
        </Text>
      )}
      <Timeline bulletSize={20} lineWidth={1} color="gray" styles={{ item: { marginTop: 10 } }}>
        {changes.data?.items.map((event) => {
          const change = event.data as LiveEvents['agent.state.changed'];
          const look = STATUS_LOOKS[change.to];
          return (
            <Timeline.Item
              key={event.id}
              title={look.label}
              styles={{
                itemTitle: { fontSize: 'var(--mantine-font-size-sm)' },
                itemBullet: { background: 'var(--mantine-color-body)' },
              }}
              bullet={
                <Box c={toneColor(look.tone)}>
                  <StatusShape shape={look.shape} size={12} />
                </Box>
              }
            >
              <Text size="xs" c="dimmed">
                {change.reason} · <RelativeTime at={Date.parse(event.time)} size="xs" span />
              </Text>
            </Timeline.Item>
          );
        })}
      </Timeline>
    </Stack>
  );
}

function Exits({ agent }: { agent: Agent }) {
  if (agent.exits.length === 0)
    return <NoMatches text="No process of this agent has ended since the app started" />;
  return (
    <Stack gap="sm">
      {agent.exits.map((exit) => (
        <Card key={`${exit.generation} ${exit.at}`} padding="sm">
          <Group justify="space-between" wrap="nowrap" gap="xs">
            <Group gap="xs">
              <Text size="sm" fw={600}>
                {exit.signal === null ? `Exit code ${exit.code ?? 'unknown'}` : `Signal ${exit.signal}`}
              </Text>
              <Badge
                size="xs"
                variant="light"
                color={exit.intended || exit.code === 0 ? 'gray' : 'red'}
                tt="none"
              >
                {exit.intended ? 'asked for' : 'on its own'}
              </Badge>
            </Group>
            <Text size="xs" c="dimmed">
              generation {exit.generation} · <RelativeTime at={exit.at} size="xs" span />
            </Text>
          </Group>
          {exit.stderr !== '' && (
            <Group align="flex-start" gap={4} wrap="nowrap" mt={6}>
              <Code
                block
                flex={1}
                mah={220}
                style={{ overflow: 'auto' }}
                tabIndex={0}
                aria-label="Last lines"
              >
                {exit.stderr}
              </Code>
              <CopyButton value={exit.stderr} label="Copy the last lines" />
            </Group>
          )}
        </Card>
      ))}
    </Stack>
  );
}

function Configuration({ agent }: { agent: Agent }) {
  const rows: [string, ReactNode][] = [
    ['Id', <ShortId key="id" id={agent.id} label="Copy agent id" />],
    ['Name', agent.name],
    ['Description', agent.description || '–'],
    ['Kind', agent.launch.kind === 'builtin' ? 'Built in' : 'Command'],
    ['Starts', agent.autostart ? 'with the console' : 'when asked'],
    ['Drills', agent.drills.length === 0 ? 'none' : agent.drills.join(', ')],
    ['Added', formatIso(agent.createdAt)],
  ];
  if (agent.model !== undefined) rows.splice(4, 0, ['Model', agent.model]);
  return (
    <Stack>
      <Facts rows={rows} />
      <Launch launch={agent.launch} />
    </Stack>
  );
}

function Launch({ launch }: { launch: AgentLaunch }) {
  const program = launch.kind === 'builtin' ? launch.program : launch.command;
  const environment = launch.kind === 'builtin' ? [] : Object.keys(launch.env);
  return (
    <Stack gap="xs">
      <Text size="sm" fw={600}>
        Launch
      </Text>
      <Code block>{[program, ...launch.args].join(' ')}</Code>
      {launch.kind === 'command' && launch.cwd !== undefined && (
        <Text size="sm" c="dimmed">
          in {launch.cwd}
        </Text>
      )}
      {environment.length > 0 && (
        <Table withRowBorders={false} verticalSpacing={2}>
          <Table.Tbody>
            {environment.map((name) => (
              <Table.Tr key={name}>
                <Table.Td ff="monospace">{name}</Table.Td>
                {/* A value of the environment may be a secret, and nothing tells which. */}
                <Table.Td c="dimmed" aria-label="hidden">
                  ••••••
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}
