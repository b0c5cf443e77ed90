import { Badge, Button, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Agent } from '#contract';
import { type AgentCommands, DRILLS } from '../../components/agent-commands.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { HeartbeatBar } from '../../components/heartbeat-bar.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { api } from '../../lib/api.ts';
import { formatCount, formatDuration, formatNumber } from '../../lib/format.ts';
import { useNow } from '../../lib/now.ts';
import { agentInfoWords, capabilityWords, cpuWords, memoryWords, whenWords } from './agent-words.ts';
import { AuthMethods } from './auth-methods.tsx';
import { Facts, Section } from './facts.tsx';
import { SessionLink } from './session-link.tsx';

/** How the agent is at this moment, what runs in it, and what can be rehearsed with it. */
export function NowTab({ agent, commands }: { agent: Agent; commands: AgentCommands }) {
  return (
    <Stack gap="lg">
      <HeartbeatBar heartbeats={agent.heartbeats} label={`Heartbeats of ${agent.name}`} />
      <Facts
        rows={[
          ['State', <StatusBadge key="state" status={agent.state} reason={agent.reason} />],
          ['Reason', agent.reason || '–'],
          ['Since', <RelativeTime key="since" at={agent.since} />],
          agent.quietSince === undefined
            ? undefined
            : ['Quiet', <Quiet key="quiet" since={agent.quietSince} />],
          agent.attempt === 0
            ? undefined
            : ['Failed in a row', `${formatNumber(agent.attempt)} of ${agent.breakerLimit}`],
          agent.nextRestartAt === undefined
            ? undefined
            : ['Next try', <When key="next" at={agent.nextRestartAt} />],
          agent.halfOpenAt === undefined
            ? undefined
            : ['One try by itself', <When key="half-open" at={agent.halfOpenAt} />],
        ]}
      />
      <Process agent={agent} />
      <RunningTurns agent={agent} />
      <SaysOfItself agent={agent} />
      {agent.authMethods.length > 0 && <AuthMethods agent={agent} />}
      <Drills agent={agent} commands={commands} />
    </Stack>
  );
}

function When({ at }: { at: number }) {
  return useNow((now) => whenWords(at, now));
}

function Quiet({ since }: { since: number }) {
  return useNow((now) => `no output for ${formatDuration(now - since)}; that alone is no fault`);
}

function Process({ agent }: { agent: Agent }) {
  const { resources } = agent;
  return (
    <Section title="Process">
      <Facts
        rows={[
          ['Pid', agent.pid ?? 'none'],
          ['Generation', agent.generation === 0 ? 'never started' : formatNumber(agent.generation)],
          agent.startedAt === undefined ? undefined : ['Up for', <Uptime key="up" since={agent.startedAt} />],
          resources === undefined
            ? undefined
            : [
                'Memory',
                `${memoryWords(agent)} in ${formatCount(resources.processes, 'process', 'processes')}`,
              ],
          resources === undefined ? undefined : ['CPU', `${cpuWords(agent)} of a core`],
          ['Restarts', `${formatNumber(agent.restarts)} since the app started`],
          agent.isProbed || agent.pid === undefined
            ? undefined
            : ['Probes', 'not answered by this agent: only its process and connection are watched'],
        ]}
      />
    </Section>
  );
}

function Uptime({ since }: { since: number }) {
  return useNow((now) => formatDuration(Math.max(0, now - since)));
}

function RunningTurns({ agent }: { agent: Agent }) {
  // Items that wait for the user belong to turns that run.
  const running = useQuery({
    ...api.sessions.list.queryOptions({ input: { agentId: agent.id, status: 'busy', limit: 10 } }),
    enabled: agent.runningTurns > 0,
  });
  return (
    <Section
      title="Running turns"
      beside={
        <Badge variant="light" color="gray">
          {formatNumber(agent.runningTurns)}
        </Badge>
      }
    >
      {agent.runningTurns === 0 && (
        <Text size="sm" c="dimmed">
          None.
        </Text>
      )}
      {agent.runningTurns > 0 && running.error !== null && (
        <ErrorCard
          error={running.error}
          what="The sessions could not be loaded"
          onRetry={() => void running.refetch()}
        />
      )}
      {agent.runningTurns > 0 && (
        <Stack gap={4}>
          {running.data?.items.map((session) => (
            <SessionLink key={session.id} session={session} />
          ))}
        </Stack>
      )}
    </Section>
  );
}

function SaysOfItself({ agent }: { agent: Agent }) {
  const { agentInfo, capabilities } = agent;
  if (agentInfo === undefined && capabilities === undefined) return null;
  const abilities = capabilities === undefined ? [] : capabilityWords(capabilities);
  return (
    <Section title="What it says of itself">
      <Facts
        rows={[
          agentInfo === undefined ? undefined : ['Name and version', agentInfoWords(agentInfo)],
          [
            'Abilities',
            abilities.length === 0 ? (
              'text only'
            ) : (
              <Group key="abilities" gap={4}>
                {abilities.map((ability) => (
                  <Badge key={ability} variant="light" color="gray" tt="none" fw={500}>
                    {ability}
                  </Badge>
                ))}
              </Group>
            ),
          ],
        ]}
      />
    </Section>
  );
}

function Drills({ agent, commands }: { agent: Agent; commands: AgentCommands }) {
  if (agent.drills.length === 0) return null;
  const hasProcess = agent.pid !== undefined;
  return (
    <Section title="Rehearse a failure">
      {!hasProcess && (
        <Text size="sm" c="dimmed">
          There is no process to rehearse with.
        </Text>
      )}
      {agent.drills.map((kind) => (
        <Group key={kind} gap="sm" wrap="nowrap">
          <Button
            w={72}
            flex="none"
            variant="default"
            disabled={!hasProcess}
            onClick={() => commands.drill(agent, kind)}
          >
            {DRILLS[kind].label}
          </Button>
          <Text size="sm" c="dimmed">
            {DRILLS[kind].what}
          </Text>
        </Group>
      ))}
    </Section>
  );
}
