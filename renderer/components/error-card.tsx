import { Alert, Button, Code, Group, Stack, Text } from '@mantine/core';
import { IconAlertOctagon, IconRefresh } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { toApiError } from '../lib/api-error.ts';
import { adviceFor } from '../lib/error-advice.ts';
import { CopyButton } from './copy.tsx';

/**
 * A failure: what happened, what it means, what to do. Takes whatever was thrown. `what` names what did not work ("The
 * sessions could not be loaded"). Old data stays visible beside it: this replaces nothing.
 */
export function ErrorCard({
  error,
  what,
  onRetry,
  actions,
}: {
  error: unknown;
  what: string;
  onRetry?: (() => void) | undefined;
  actions?: ReactNode;
}) {
  const failure = toApiError(error);
  const reference = failure.correlationId ? `${failure.code} ${failure.correlationId}` : failure.code;
  return (
    <Alert
      color="red"
      variant="light"
      icon={<IconAlertOctagon />}
      title={what}
      role="alert"
      data-error-code={failure.code}
    >
      <Stack gap="xs">
        <Text size="sm">
          <b>{failure.title}.</b> {failure.detail !== failure.title && failure.detail}
        </Text>
        <Text size="sm">{adviceFor(failure)}</Text>
        <Group gap="xs">
          {onRetry !== undefined && (
            <Button size="xs" variant="default" leftSection={<IconRefresh size={14} />} onClick={onRetry}>
              Retry
            </Button>
          )}
          {actions}
          <Group gap={4} ml="auto" wrap="nowrap">
            <Code bg="transparent" c="dimmed">
              {reference}
            </Code>
            <CopyButton value={reference} label="Copy error code and correlation id" />
          </Group>
        </Group>
      </Stack>
    </Alert>
  );
}
