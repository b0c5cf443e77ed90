import {
  Button,
  Card,
  Code,
  Group,
  PasswordInput,
  Skeleton,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { type Secret, variableName } from '#contract';
import { confirm } from '../../components/confirm.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { formatCount } from '../../lib/format.ts';

/** Secrets that configurations of agents name. Their values go in and are never shown again. */
export function SecretSection() {
  const queries = useQueryClient();
  const list = useQuery(api.secrets.list.queryOptions());
  const refresh = () => queries.invalidateQueries({ queryKey: api.secrets.key() });
  const remove = useMutation({
    ...api.secrets.delete.mutationOptions(),
    onSuccess: (_, { name }) => toastSuccess(`Forgot ${name}`),
    onError: (error) => toastError(error, 'The secret was not forgotten'),
    onSettled: refresh,
  });
  const forget = async (secret: Secret) => {
    const agreed = await confirm({
      question: `Forget the secret ${secret.name}?`,
      body:
        secret.usedBy.length === 0
          ? 'No agent uses it. Its value cannot be shown or brought back.'
          : `${formatCount(secret.usedBy.length, 'agent')} cannot be started again without it. Its value cannot be shown or brought back.`,
      action: 'Forget secret',
      danger: true,
    });
    if (agreed) remove.mutate({ name: secret.name });
  };
  return (
    <Card component="section" aria-label="Secrets">
      <Title order={2} size="h5">
        Secrets
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        Keys and tokens for agents, by name: a configuration holds the name, the process gets the value. They
        are in no backup, no log and no event
        {list.data?.protection === 'system'
          ? '; your system’s keychain encrypts them.'
          : ', and lie in a file that only you can read.'}
      </Text>
      {list.isError && (
        <ErrorCard
          error={list.error}
          what="The secrets could not be listed"
          onRetry={() => void list.refetch()}
        />
      )}
      {list.isPending && <Skeleton h={80} aria-busy role="status" aria-label="Loading the secrets" />}
      <Stack gap="sm">
        {list.data !== undefined && list.data.items.length > 0 && (
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Set</Table.Th>
                <Table.Th>Used by</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.data.items.map((secret) => (
                <Table.Tr key={secret.name}>
                  <Table.Td>
                    <Code bg="transparent" px={0}>
                      {secret.name}
                    </Code>
                  </Table.Td>
                  <Table.Td>
                    <RelativeTime at={secret.updatedAt} />
                  </Table.Td>
                  <Table.Td>
                    {secret.usedBy.length === 0 ? 'no agent' : formatCount(secret.usedBy.length, 'agent')}
                  </Table.Td>
                  <Table.Td ta="right">
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-label={`Forget ${secret.name}`}
                      onClick={() => void forget(secret)}
                    >
                      Forget…
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
        {list.isSuccess && <NewSecret known={list.data.items.map(({ name }) => name)} onSaved={refresh} />}
      </Stack>
    </Card>
  );
}

function NewSecret({ known, onSaved }: { known: readonly string[]; onSaved: () => Promise<void> }) {
  const [name, setName] = useState('');
  const [value, setValue] = useState('');
  const isValid = variableName.safeParse(name).success;
  const save = useMutation({
    ...api.secrets.set.mutationOptions(),
    onSuccess: (secret) => {
      toastSuccess(`Kept ${secret.name}. Agents that run get it at their next start`);
      setName('');
      setValue('');
    },
    onError: (error) => toastError(error, 'The secret was not kept'),
    onSettled: onSaved,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isValid && value !== '') save.mutate({ name, value });
  };
  return (
    <form onSubmit={submit}>
      <Group align="flex-start" gap="xs">
        <TextInput
          size="xs"
          w={220}
          label="Name"
          placeholder="GITHUB_TOKEN"
          value={name}
          onChange={(event) => setName(event.currentTarget.value.trim())}
          error={name === '' || isValid ? undefined : 'letters, digits and underscore'}
        />
        <PasswordInput
          size="xs"
          w={280}
          label="Value"
          value={value}
          autoComplete="off"
          onChange={(event) => setValue(event.currentTarget.value)}
        />
        <Button
          size="xs"
          mt={20}
          type="submit"
          variant="default"
          loading={save.isPending}
          disabled={!isValid || value === ''}
        >
          {known.includes(name) ? 'Replace secret' : 'Keep secret'}
        </Button>
      </Group>
    </form>
  );
}
