import { Button, Code, Group, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { Agent, AuthMethod } from '#contract';
import { CopyButton } from '../../components/copy.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { toastSuccess } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { Section } from './facts.tsx';

/** The ways to log in to the agent: a button where it does it by itself, the command where it needs a terminal. */
export function AuthMethods({ agent }: { agent: Agent }) {
  const queries = useQueryClient();
  const login = useMutation({
    ...api.agents.authenticate.mutationOptions(),
    onSuccess: () => toastSuccess(`${agent.name} says that you are logged in`),
    onSettled: () => queries.invalidateQueries({ queryKey: api.agents.key() }),
  });
  return (
    <Section title="Log in">
      {agent.authMethods.map((method) => (
        <Group key={method.id} justify="space-between" align="flex-start" wrap="nowrap">
          <AuthMethodWords method={method} />
          {method.type === 'agent' && (
            <Button
              flex="none"
              variant="default"
              aria-label={`Log in: ${method.name}`}
              disabled={agent.pid === undefined}
              loading={login.isPending && login.variables.methodId === method.id}
              onClick={() => login.mutate({ id: agent.id, methodId: method.id })}
            >
              Log in
            </Button>
          )}
        </Group>
      ))}
      {login.error !== null && <ErrorCard error={login.error} what="The login did not work" />}
    </Section>
  );
}

/** What a way to log in is, and the command for a terminal where it needs one. */
export function AuthMethodWords({ method }: { method: AuthMethod }) {
  return (
    <Stack gap={2} miw={0}>
      <Text size="sm" fw={500}>
        {method.name}
      </Text>
      {method.description !== undefined && (
        <Text size="xs" c="dimmed">
          {method.description}
        </Text>
      )}
      {method.type === 'terminal' &&
        (method.command === undefined ? (
          <Text size="xs" c="dimmed">
            In a terminal, as the agent's own manual says.
          </Text>
        ) : (
          <Group gap={4} wrap="nowrap">
            <Code style={{ overflowWrap: 'anywhere' }}>{method.command}</Code>
            <CopyButton value={method.command} label="Copy the command for a terminal" />
          </Group>
        ))}
    </Stack>
  );
}
