import { Alert, Badge, Code, Group, Stack, Text } from '@mantine/core';
import { IconAlertOctagon, IconCheck } from '@tabler/icons-react';
import type { AgentTestResult } from '#contract';
import { CopyButton } from '../../components/copy.tsx';
import { ApiError } from '../../lib/api-error.ts';
import { adviceFor } from '../../lib/error-advice.ts';
import { formatDuration } from '../../lib/format.ts';
import { agentInfoWords, capabilityWords } from './agent-words.ts';
import { AuthMethodWords } from './auth-methods.tsx';

/** What a test of an agent has found out: who it is and what it can, or why it cannot be used. */
export function TestResult({ result }: { result: AgentTestResult }) {
  return <div role="status">{result.ok ? <Works result={result} /> : <WorksNot result={result} />}</div>;
}

function Works({ result }: { result: AgentTestResult }) {
  const { agentInfo, capabilities, authMethods } = result;
  const abilities = capabilities === undefined ? [] : capabilityWords(capabilities);
  return (
    <Alert
      color="green"
      icon={<IconCheck />}
      title={`It works: ${agentInfo === undefined ? 'it speaks ACP' : agentInfoWords(agentInfo)}`}
    >
      <Stack gap="xs">
        <Text size="sm">
          Ready after {formatDuration(result.durationMs)}
          {result.protocolVersion !== undefined && `, ACP version ${result.protocolVersion}`}.
          {result.isProbed === false &&
            ' It answers no probes: only its process and its connection can be watched.'}
        </Text>
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {result.command}
        </Text>
        {abilities.length > 0 && (
          <Group gap={4}>
            {abilities.map((ability) => (
              <Badge key={ability} variant="light" color="gray" tt="none" fw={500}>
                {ability}
              </Badge>
            ))}
          </Group>
        )}
        {authMethods.length > 0 && (
          <>
            <Text size="sm" fw={500}>
              It may need a login:
            </Text>
            {authMethods.map((method) => (
              <AuthMethodWords key={method.id} method={method} />
            ))}
          </>
        )}
      </Stack>
    </Alert>
  );
}

function WorksNot({ result }: { result: AgentTestResult }) {
  const { error, stderr } = result;
  return (
    <Alert color="red" icon={<IconAlertOctagon />} title="It does not work" data-error-code={error?.code}>
      <Stack gap="xs">
        <Text size="sm">{error?.message ?? 'It did not say why.'}</Text>
        {error !== undefined && (
          <Text size="sm">
            {adviceFor(new ApiError({ code: error.code, title: '', detail: error.message, status: 0 }))}
          </Text>
        )}
        {stderr !== '' && (
          <Group align="flex-start" gap={4} wrap="nowrap">
            <Code block flex={1} mah={180} style={{ overflow: 'auto' }} tabIndex={0} aria-label="Last lines">
              {stderr}
            </Code>
            <CopyButton value={stderr} label="Copy the last lines" />
          </Group>
        )}
      </Stack>
    </Alert>
  );
}
