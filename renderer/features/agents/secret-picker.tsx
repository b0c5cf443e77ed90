import { Alert, Button, Group, Modal, PasswordInput, Select, Stack, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { variableName } from '#contract';
import { api } from '../../lib/api.ts';
import { errorsOfAnswer } from './field-errors.ts';

/** Stands in the list for "make a new one"; no secret can have this name. */
const NEW = '+';

/** Chooses one of the secrets that are kept on this machine, or makes a new one. */
export function SecretPicker({
  label,
  suggestion,
  value,
  onChange,
}: {
  label: string;
  /** What a new one is probably to be called. */
  suggestion: string;
  value: string;
  onChange: (name: string) => void;
}) {
  const [creating, create] = useDisclosure(false);
  const { data } = useQuery(api.secrets.list.queryOptions());
  const known = data?.items.map(({ name }) => name) ?? [];
  const isMissing = value !== '' && data !== undefined && !known.includes(value);
  // One that is gone stays chosen and says so: it must not look as if another one had been.
  const names = value !== '' && !known.includes(value) ? [value, ...known] : known;
  return (
    <>
      <Select
        flex={3}
        miw={0}
        aria-label={label}
        placeholder="Choose a secret"
        searchable
        value={value || null}
        error={isMissing && 'There is no secret of this name.'}
        data={[...names, { value: NEW, label: 'New secret…' }]}
        onChange={(chosen) => {
          if (chosen === NEW) create.open();
          else onChange(chosen ?? '');
        }}
      />
      <Modal opened={creating} onClose={create.close} title="New secret">
        <NewSecretForm
          suggestion={variableName.safeParse(suggestion).success ? suggestion : ''}
          protection={data?.protection}
          onClose={create.close}
          onKept={onChange}
        />
      </Modal>
    </>
  );
}

function NewSecretForm({
  suggestion,
  protection,
  onClose,
  onKept,
}: {
  suggestion: string;
  protection: 'file' | 'system' | undefined;
  onClose: () => void;
  onKept: (name: string) => void;
}) {
  const [name, setName] = useState(suggestion);
  const [value, setValue] = useState('');
  const [errors, setErrors] = useState<Record<string, string>>({});
  const queries = useQueryClient();
  const keep = useMutation({
    ...api.secrets.set.mutationOptions(),
    onSuccess: async (secret) => {
      // Known before it is chosen, so that it never looks like one that is missing.
      await queries.invalidateQueries({ queryKey: api.secrets.key() });
      onKept(secret.name);
      onClose();
    },
    onError: (error) => setErrors(errorsOfAnswer(error)),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    // Through React this also reaches the form that the picker stands in.
    event.stopPropagation();
    const faults = {
      ...(!variableName.safeParse(name.trim()).success && {
        name: 'Letters, digits and _ only, no digit first.',
      }),
      ...(value === '' && { value: 'Give the value.' }),
    };
    setErrors(faults);
    if (Object.keys(faults).length === 0) keep.mutate({ name: name.trim(), value });
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        <TextInput
          label="Name"
          required
          data-autofocus
          spellCheck={false}
          value={name}
          error={errors.name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          size="xs"
          label="Value"
          required
          autoComplete="off"
          value={value}
          error={errors.value}
          onChange={(event) => setValue(event.currentTarget.value)}
        />
        <Text size="xs" c="dimmed">
          {protection === 'system'
            ? 'It is encrypted by the keychain of this desktop'
            : 'It is kept in a file that only you can read'}
          , is never shown again, and is in no backup. Agents get it in their environment.
        </Text>
        {errors.form !== undefined && (
          <Alert color="red" role="alert">
            {errors.form}
          </Alert>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={keep.isPending}>
            Keep secret
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
