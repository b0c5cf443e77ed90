import { ActionIcon, Button, Group, Input, Select, Stack, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { errorAt, type FieldErrors } from './field-errors.ts';
import { SecretPicker } from './secret-picker.tsx';
import { emptyRow, errorPathOf, type VariableRow } from './variable-rows.ts';

const KINDS = [
  { value: 'value', label: 'Value' },
  { value: 'secret', label: 'Secret' },
];

/** Variables of an environment, or headers: a name each, with a value or with a secret by its name. */
export function VariablesEditor({
  label,
  description,
  noun,
  path,
  rows,
  errors,
  onChange,
}: {
  label: string;
  description?: string;
  /** What one of them is called: "variable", "header". */
  noun: string;
  /** Where they stand in the request. */
  path: string;
  rows: readonly VariableRow[];
  errors: FieldErrors;
  onChange: (rows: VariableRow[], ...paths: string[]) => void;
}) {
  const change = (row: VariableRow, part: Partial<VariableRow>): void =>
    onChange(
      rows.map((each) => (each.key === row.key ? { ...each, ...part } : each)),
      path,
    );
  const rowErrors = rows.map((row) => errorAt(errors, errorPathOf(path, row)));
  // What the runtime says of the whole, or of a variable that stands in no row.
  const general = rowErrors.some((error) => error !== undefined) ? undefined : errorAt(errors, path);
  return (
    <Input.Wrapper size="xs" label={label} description={description} error={general} labelElement="div">
      <Stack gap={6} mt={4} role="group" aria-label={label}>
        {rows.map((row, index) => (
          <Group key={row.key} gap={6} wrap="nowrap" align="flex-start">
            <TextInput
              flex={2}
              miw={0}
              aria-label={`Name of ${noun} ${index + 1}`}
              placeholder="NAME"
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
              spellCheck={false}
              value={row.name}
              error={rowErrors[index]}
              onChange={(event) => change(row, { name: event.currentTarget.value })}
            />
            <Select
              w={92}
              flex="none"
              aria-label={`Kind of ${noun} ${index + 1}`}
              allowDeselect={false}
              data={KINDS}
              value={row.kind}
              onChange={(kind) => change(row, { kind: kind === 'secret' ? 'secret' : 'value', value: '' })}
            />
            {row.kind === 'secret' ? (
              <SecretPicker
                label={`Secret of ${noun} ${index + 1}`}
                suggestion={row.name}
                value={row.value}
                onChange={(value) => change(row, { value })}
              />
            ) : (
              <TextInput
                flex={3}
                miw={0}
                aria-label={`Value of ${noun} ${index + 1}`}
                spellCheck={false}
                value={row.value}
                onChange={(event) => change(row, { value: event.currentTarget.value })}
              />
            )}
            <ActionIcon
              mt={3}
              color="gray"
              aria-label={`Remove ${noun} ${index + 1}`}
              onClick={() =>
                onChange(
                  rows.filter((each) => each.key !== row.key),
                  path,
                )
              }
            >
              <IconX size={14} />
            </ActionIcon>
          </Group>
        ))}
        <Button
          variant="subtle"
          size="compact-xs"
          w="fit-content"
          leftSection={<IconPlus size={13} />}
          onClick={() => onChange([...rows, emptyRow()], path)}
        >
          Add {noun}
        </Button>
      </Stack>
    </Input.Wrapper>
  );
}
