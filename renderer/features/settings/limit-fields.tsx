import { Group, NumberInput, Text } from '@mantine/core';
import { useState } from 'react';
import type { Limit, LimitUnit } from '#contract';
import { numberOf } from '../../components/question-form.ts';

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
  // What is typed as it is: "0." and "1." are on their way to an amount, and must not be taken out of the field.
  const [typed, setTyped] = useState<Partial<Record<LimitUnit, number | string>>>({});
  const set = (unit: LimitUnit, text: number | string) => {
    setTyped((before) => ({ ...before, [unit]: text }));
    const amount = numberOf(text) ?? 0;
    const { [unit]: _, ...others } = value ?? {};
    const next: Limit = amount > 0 ? { ...others, [unit]: amount } : others;
    onChange(Object.keys(next).length === 0 ? undefined : next);
  };
  const shown = (unit: LimitUnit) => {
    const text = typed[unit];
    const isOurs = text !== undefined && (numberOf(text) || undefined) === value?.[unit];
    return isOurs ? text : (value?.[unit] ?? '');
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
          value={shown(unit)}
          onChange={(amount) => set(unit, amount)}
          onBlur={() => setTyped({})}
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
