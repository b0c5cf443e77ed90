import { Group, Progress, Select, Switch, Text, Tooltip } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { Session } from '#contract';
import { toastError } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { formatNumber } from '../../lib/format.ts';

/** What the agent lets the user choose in this session: its mode, and options such as the model. */
export function AgentOptions({ session, disabled }: { session: Session; disabled: boolean }) {
  const setMode = useMutation({
    ...api.sessions.setMode.mutationOptions(),
    onError: (error) => toastError(error, 'The mode was not switched'),
  });
  const setOption = useMutation({
    ...api.sessions.setOption.mutationOptions(),
    onError: (error) => toastError(error, 'The option was not set'),
  });
  const { modes, options = [] } = session.agent ?? {};
  // An agent that tells its modes as an option, too, is asked about them once.
  const isModeAnOption = options.some(({ category }) => category === 'mode');
  if ((modes === undefined || isModeAnOption) && options.length === 0) return null;
  return (
    <Group gap="sm" aria-label="Options of the agent" role="group">
      {modes !== undefined && !isModeAnOption && (
        <Select
          size="xs"
          w={180}
          aria-label="Mode"
          leftSection={
            <Text size="xs" c="dimmed">
              Mode
            </Text>
          }
          leftSectionWidth={48}
          data={modes.availableModes.map(({ id, name }) => ({ value: id, label: name }))}
          value={modes.currentModeId}
          allowDeselect={false}
          disabled={disabled || setMode.isPending}
          onChange={(modeId) => modeId !== null && setMode.mutate({ id: session.id, modeId })}
        />
      )}
      {options.map(({ id, name, description, value, choices }) =>
        typeof value === 'boolean' ? (
          <Switch
            key={id}
            size="xs"
            label={name}
            title={description}
            checked={value}
            disabled={disabled || setOption.isPending}
            onChange={(event) =>
              setOption.mutate({ id: session.id, optionId: id, value: event.currentTarget.checked })
            }
          />
        ) : (
          <Select
            key={id}
            size="xs"
            w={200}
            aria-label={name}
            title={description}
            leftSection={
              <Text size="xs" c="dimmed" truncate>
                {name}
              </Text>
            }
            leftSectionWidth={64}
            data={(choices ?? []).map((choice) => ({ value: choice.value, label: choice.name }))}
            value={value}
            allowDeselect={false}
            disabled={disabled || setOption.isPending}
            onChange={(chosen) =>
              chosen !== null && setOption.mutate({ id: session.id, optionId: id, value: chosen })
            }
          />
        ),
      )}
    </Group>
  );
}

/** How full the context window of the agent is. */
export function ContextWindow({ session }: { session: Session }) {
  const { contextWindow } = session.agent ?? {};
  if (contextWindow === undefined || contextWindow.size === 0) return null;
  const percent = Math.min(100, (contextWindow.used / contextWindow.size) * 100);
  return (
    <Tooltip
      label={`Context window: ${formatNumber(contextWindow.used)} of ${formatNumber(contextWindow.size)} tokens`}
    >
      <Group gap={6} wrap="nowrap">
        <Progress
          value={percent}
          w={64}
          size="sm"
          color={percent >= 90 ? 'red' : 'petrol'}
          aria-label="Context window"
        />
        <Text size="xs" c="dimmed">
          {Math.round(percent)} %
        </Text>
      </Group>
    </Tooltip>
  );
}
