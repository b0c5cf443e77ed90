import { Group, NumberInput, Text } from '@mantine/core';
import type { Limit, LimitUnit } from '#contract';

const UNITS: { unit: LimitUnit; label: string; decimals: number; prefix?: string }[] = [
  { unit: 'tokens', label: 'Tokens', decimals: 0 },
  { unit: 'money', label: 'Money (USD)', decimals: 2, prefix: '$' },
  { unit: 'minutes', label: 'Minutes', decimals: 1 },
];

/** The three amounts of a limit; an empty field limits nothing. `undefined` when none is limited. */
export function LimitFields({
  label,
  description,
  value,
  onChange,
  disabled = false,
}: {
  label: string;
  description?: string;
  value: Limit | undefined;
  onChange: (limit: Limit | undefined) => void;
  disabled?: boolean;
}) {
  const set = (unit: LimitUnit, amount: number | string) => {
    const { [unit]: _, ...others } = value ?? {};
    const next: Limit = typeof amount === 'number' && amount > 0 ? { ...others, [unit]: amount } : others;
    onChange(Object.keys(next).length === 0 ? undefined : next);
  };
  return (
    <Group gap="sm" align="flex-end" role="group" aria-label={label}>
      <div style={{ flex: '1 1 180px', minWidth: 140 }}>
        <Text size="sm" fw={500}>
          {label}
        </Text>
        {description !== undefined && (
          <Text size="xs" c="dimmed">
            {description}
          </Text>
        )}
      </div>
      {UNITS.map(({ unit, label: name, decimals, prefix }) => (
        <NumberInput
          key={unit}
          size="xs"
          w={130}
          label={name}
          aria-label={`${label}: ${name}`}
          placeholder="no limit"
          value={value?.[unit] ?? ''}
          onChange={(amount) => set(unit, amount)}
          min={0}
          decimalScale={decimals}
          thousandSeparator=","
          hideControls
          disabled={disabled}
          {...(prefix === undefined ? {} : { prefix })}
        />
      ))}
    </Group>
  );
}
