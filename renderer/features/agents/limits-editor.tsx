import { NumberInput, Stack, Table, Text } from '@mantine/core';
import type { LimitUnit } from '#contract';
import { type AgentFields, LIMIT_SCOPES, LIMIT_UNITS, type LimitScope } from './agent-form.ts';
import { errorAt, type FieldErrors } from './field-errors.ts';

const SCOPES: Readonly<Record<LimitScope, string>> = {
  turn: 'Each turn',
  session: 'Each session',
  day: 'Each day',
};

const UNITS: Readonly<Record<LimitUnit, string>> = {
  tokens: 'Tokens',
  money: 'US dollars',
  minutes: 'Minutes',
};

/** How much the agent may use of what; an empty field is no limit of its own. */
export function LimitsEditor({
  limits,
  errors,
  onChange,
}: {
  limits: AgentFields['limits'];
  errors: FieldErrors;
  onChange: (limits: AgentFields['limits'], ...paths: string[]) => void;
}) {
  return (
    <Stack gap="xs">
      <Text size="xs" c="dimmed">
        At 80 % you are told; at 100 % the turn is cancelled and you are asked. Empty: what Settings say for
        all agents.
      </Text>
      <Table
        withRowBorders={false}
        layout="fixed"
        verticalSpacing={3}
        horizontalSpacing={4}
        aria-label="Limits"
      >
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={96} aria-label="Of what" />
            {LIMIT_UNITS.map((unit) => (
              <Table.Th key={unit}>{UNITS[unit]}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {LIMIT_SCOPES.map((scope) => (
            <Table.Tr key={scope}>
              <Table.Th scope="row">{SCOPES[scope]}</Table.Th>
              {LIMIT_UNITS.map((unit) => (
                <Table.Td key={unit} style={{ verticalAlign: 'top' }}>
                  <NumberInput
                    size="xs"
                    hideControls
                    aria-label={`${UNITS[unit]}, ${SCOPES[scope].toLowerCase()}`}
                    placeholder="–"
                    allowNegative={false}
                    allowDecimal={unit !== 'tokens'}
                    decimalScale={4}
                    thousandSeparator=","
                    value={limits[scope][unit]}
                    error={errorAt(errors, `limits.${scope}.${unit}`)}
                    onChange={(value) =>
                      onChange(
                        { ...limits, [scope]: { ...limits[scope], [unit]: value } },
                        `limits.${scope}.${unit}`,
                      )
                    }
                  />
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
