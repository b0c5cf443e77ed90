import { Alert, Badge, Button, Card, Code, Group, Stack, Text } from '@mantine/core';
import type { Agent, AgentExit } from '#contract';
import type { AgentCommands } from '../../components/agent-commands.tsx';
import { CopyButton } from '../../components/copy.tsx';
import { NoMatches } from '../../components/empty-state.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { formatDuration, formatNumber } from '../../lib/format.ts';
import { exitWords } from './agent-words.ts';

/** How its processes have ended, the newest first, with what they said last. */
export function ExitsTab({ agent, commands }: { agent: Agent; commands: AgentCommands }) {
  return (
    <Stack gap="sm">
      {agent.state === 'crash-loop' && (
        <Alert color="red" title="Crash loop">
          <Stack gap="xs" align="flex-start">
            <Text size="sm">{agent.reason}</Text>
            <Text size="sm">Look below for the cause, correct it, and let it be tried again.</Text>
            <Button onClick={() => commands.retry(agent)}>Retry now</Button>
          </Stack>
        </Alert>
      )}
      {agent.exits.length === 0 ? (
        <NoMatches text="No process of this agent has ended yet" />
      ) : (
        agent.exits.map((exit) => <Exit key={`${exit.generation} ${exit.at}`} exit={exit} />)
      )}
    </Stack>
  );
}

function Exit({ exit }: { exit: AgentExit }) {
  return (
    <Card padding="sm" component="article" aria-label={`Exit of generation ${exit.generation}`}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Group gap="xs">
          <Text size="sm" fw={600}>
            {exitWords(exit)}
          </Text>
          {exit.intended && (
            <Badge size="xs" variant="light" color="gray" tt="none">
              asked for
            </Badge>
          )}
        </Group>
        <RelativeTime at={exit.at} size="xs" c="dimmed" />
      </Group>
      {exit.reason !== '' && (
        <Text size="sm" mt={4}>
          {exit.reason}
        </Text>
      )}
      <Text size="xs" c="dimmed" mt={4}>
        {[
          `generation ${formatNumber(exit.generation)}`,
          ...(exit.pid === undefined ? [] : [`pid ${exit.pid}`]),
          ...(exit.uptimeMs === undefined ? [] : [`lived ${formatDuration(exit.uptimeMs)}`]),
        ].join(' · ')}
      </Text>
      {exit.stderr !== '' && (
        <Group align="flex-start" gap={4} wrap="nowrap" mt={6}>
          <Code block flex={1} mah={220} style={{ overflow: 'auto' }} tabIndex={0} aria-label="Last lines">
            {exit.stderr}
          </Code>
          <CopyButton value={exit.stderr} label="Copy the last lines" />
        </Group>
      )}
    </Card>
  );
}
