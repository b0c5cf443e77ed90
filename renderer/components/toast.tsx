import { Button, Code, Group, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconAlertOctagon, IconCheck } from '@tabler/icons-react';
import { toApiError } from '../lib/api-error.ts';
import { adviceFor } from '../lib/error-advice.ts';

/**
 * Tells that what the user just did has worked; goes after 5 s. `undo` for what can be taken back. Returns the function
 * that takes it away before, because something else is to be said by now.
 */
export function toastSuccess(message: string, undo?: () => void): () => void {
  const id = notifications.show({
    message:
      undo === undefined ? (
        message
      ) : (
        <Group justify="space-between" wrap="nowrap">
          <Text size="sm" lineClamp={3} style={{ overflowWrap: 'anywhere' }}>
            {message}
          </Text>
          <Button
            flex="none"
            size="compact-xs"
            variant="default"
            onClick={() => {
              notifications.hide(id);
              undo();
            }}
          >
            Undo
          </Button>
        </Group>
      ),
    icon: <IconCheck size={16} />,
    color: 'green',
    autoClose: 5_000,
  });
  return () => notifications.hide(id);
}

/** Tells that what the user just did has failed; stays until it is closed. `what`: "The agent was not restarted". */
export function toastError(error: unknown, what: string): void {
  const failure = toApiError(error);
  notifications.show({
    // The same failure again replaces the one that is still there.
    id: `${what} ${failure.code}`,
    title: what,
    message: (
      <Stack gap={4}>
        <Text size="sm">{failure.detail || failure.title}</Text>
        <Text size="sm" c="dimmed">
          {adviceFor(failure)}
        </Text>
        <Code bg="transparent" px={0} c="dimmed">
          {failure.code} {failure.correlationId}
        </Code>
      </Stack>
    ),
    icon: <IconAlertOctagon size={16} />,
    color: 'red',
    autoClose: false,
  });
}

/** Tells that something has come out badly that was no failed request; stays until it is closed. */
export function toastFailure(what: string, why: string): void {
  notifications.show({
    title: what,
    message: why,
    icon: <IconAlertOctagon size={16} />,
    color: 'red',
    autoClose: false,
  });
}
