import { Group, Text, Tooltip } from '@mantine/core';
import { StatusShape } from './status-shape.tsx';
import { STATUS_LOOKS, type StatusKind, toneColor } from './status-vocabulary.ts';

/**
 * A status as shape and word, in the one vocabulary of the console. `label` replaces the word where another one fits
 * better; `reason` stands in the tooltip instead of the general meaning.
 */
export function StatusBadge({
  status,
  label,
  reason,
  size = 'sm',
}: {
  status: StatusKind;
  label?: string;
  reason?: string | undefined;
  size?: 'xs' | 'sm' | 'md';
}) {
  const look = STATUS_LOOKS[status];
  return (
    <Tooltip label={reason || look.meaning} openDelay={400} multiline maw={320}>
      <Group
        gap={6}
        wrap="nowrap"
        component="span"
        display="inline-flex"
        style={{ verticalAlign: 'middle' }}
        c={toneColor(look.tone)}
        data-status={status}
      >
        <StatusShape shape={look.shape} size={size === 'md' ? 16 : size === 'sm' ? 14 : 12} />
        <Text component="span" size={size} fw={500} c="inherit" style={{ whiteSpace: 'nowrap' }}>
          {label ?? look.label}
        </Text>
      </Group>
    </Tooltip>
  );
}
