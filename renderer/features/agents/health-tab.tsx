import { Alert, Box, Button, Group, Progress, Stack, Table, Text, Timeline } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Agent, LiveEvents } from '#contract';
import { type AgentCommands, DRILLS } from '../../components/agent-commands.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { HeartbeatBar } from '../../components/heartbeat-bar.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { StatusShape } from '../../components/status-shape.tsx';
import { STATUS_LOOKS, toneColor } from '../../components/status-vocabulary.ts';
import { api } from '../../lib/api.ts';
import { formatDuration, formatNumber } from '../../lib/format.ts';
import { useNow } from '../../lib/now.ts';
import { whenWords } from './agent-words.ts';
import { Facts, Section } from './facts.tsx';
import { latencyOf } from './latency.ts';

/** How well the agent has answered, how near the breaker is, and what its drills and its past say. */
export function HealthTab({ agent, commands }: { agent: Agent; commands: AgentCommands }) {
  return (
    <Stack gap="lg">
      <Probes agent={agent} />
      <Breaker agent={agent} commands={commands} />
      <DrillHistory agent={agent} />
      <Changes agent={agent} />
    </Stack>
  );
}

function Probes({ agent }: { agent: Agent }) {
  const latency = latencyOf(agent.heartbeats);
  const answered = agent.heartbeats.filter((beat) => beat.ok).length;
  return (
    <Section title="Probes">
      <HeartbeatBar large heartbeats={agent.heartbeats} label={`Heartbeats of ${agent.name}`} />
      <Text size="xs" c="dimmed">
        Each bar is one probe, the newest on the right; the later the answer, the higher. Full height: no
        answer.
      </Text>
      {!agent.isProbed && agent.pid !== undefined && (
        <Text size="sm">This agent answers no probes: only its process and its connection are watched.</Text>
      )}
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
    </Section>
  );
}

function Breaker({ agent, commands }: { agent: Agent; commands: AgentCommands }) {
  const { failures, breakerLimit } = agent;
  const isOpen = agent.state === 'crash-loop';
  const color = isOpen ? 'red' : failures.length > 0 ? 'yellow' : 'green';
  return (
    <Section title="Breaker">
      <Group gap="sm" wrap="nowrap">
        <Progress.Root size={10} w={140} radius="sm" aria-hidden>
          {Array.from({ length: breakerLimit }, (_, place) => (
            <Progress.Section
              // biome-ignore lint/suspicious/noArrayIndexKey: a section is its place.
              key={place}
              value={100 / breakerLimit}
              color={place < failures.length ? toneColor(isOpen ? 'bad' : 'warning') : 'transparent'}
              style={{ borderInlineEnd: '2px solid var(--panel)' }}
            />
          ))}
        </Progress.Root>
        <Text size="sm">
          {formatNumber(failures.length)} of {formatNumber(breakerLimit)} failures in the last 10 minutes
        </Text>
      </Group>
      {isOpen ? (
        <Alert color={color} title="The breaker is open">
          <Stack gap="xs" align="flex-start">
            <Text size="sm">
              It has failed too often to be started again at once.{' '}
              {agent.halfOpenAt !== undefined && <HalfOpen at={agent.halfOpenAt} />} A try that serves closes
              the breaker.
            </Text>
            <Button onClick={() => commands.retry(agent)}>Retry now</Button>
          </Stack>
        </Alert>
      ) : (
        <Text size="sm" c="dimmed">
          {failures.length === 0
            ? 'It has not failed.'
            : `At ${formatNumber(breakerLimit)} it is not started again by itself.`}
        </Text>
      )}
      {failures.length > 0 && (
        <Text size="xs" c="dimmed">
          Failed{' '}
          {failures.toReversed().map((at, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two failures may fall into the same millisecond.
            <span key={`${at} ${index}`}>
              {index > 0 && ', '}
              <RelativeTime at={at} size="xs" span />
            </span>
          ))}
        </Text>
      )}
    </Section>
  );
}

function HalfOpen({ at }: { at: number }) {
  return useNow((now) => `One try is made by itself ${whenWords(at, now)}.`);
}

/** A drill in the words of the vocabulary of status. */
const DRILL_STATUS = { running: 'running', recovered: 'succeeded', failed: 'failed' } as const;

function DrillHistory({ agent }: { agent: Agent }) {
  if (agent.drills.length === 0 && agent.drillResults.length === 0) return null;
  return (
    <Section title="Drills">
      {agent.drillResults.length === 0 ? (
        <Text size="sm" c="dimmed">
          None was run yet. A drill rehearses a failure and measures how long it takes until it is noticed and
          over.
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={400} type="native">
          <Table aria-label="Drills" horizontalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Drill</Table.Th>
                <Table.Th>Result</Table.Th>
                <Table.Th ta="right">Noticed</Table.Th>
                <Table.Th ta="right">Ready again</Table.Th>
                <Table.Th ta="right" title="Turns that it interrupted; each is marked">
                  Turns
                </Table.Th>
                <Table.Th>When</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {agent.drillResults.map((drill) => (
                <Table.Tr key={drill.id}>
                  <Table.Td title={`Generation ${drill.generation}`}>{DRILLS[drill.kind].label}</Table.Td>
                  <Table.Td>
                    <StatusBadge
                      size="xs"
                      status={DRILL_STATUS[drill.state]}
                      label={drill.state === 'recovered' ? 'Recovered' : undefined}
                      reason={drill.note}
                    />
                  </Table.Td>
                  <Table.Td ta="right">{durationOrNone(drill.detectMs)}</Table.Td>
                  <Table.Td ta="right">{durationOrNone(drill.recoverMs)}</Table.Td>
                  <Table.Td ta="right">{formatNumber(drill.interruptedTurns)}</Table.Td>
                  <Table.Td>
                    <RelativeTime at={drill.startedAt} c="dimmed" size="xs" />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Section>
  );
}

function durationOrNone(milliseconds: number | undefined): string {
  return milliseconds === undefined ? '–' : formatDuration(milliseconds);
}

function Changes({ agent }: { agent: Agent }) {
  const changes = useQuery(
    api.events.list.queryOptions({ input: { topics: 'agent.state.changed', subject: agent.id, limit: 20 } }),
  );
  return (
    <Section title="Changes of state">
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
    </Section>
  );
}
