import { Button, Checkbox, Group, Stack, TextInput } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { FormEvent } from 'react';
import { ErrorCard } from '../../components/error-card.tsx';
import { toastSuccess } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { draftOfFields, EMPTY_FIELDS, testOfFields } from './agent-form.ts';
import { errorAt, errorsOfAnswer } from './field-errors.ts';
import { LaunchFields } from './launch-fields.tsx';
import { TestResult } from './test-result.tsx';
import { useAgentForm } from './use-agent-form.ts';
import { useAgentTest } from './use-agent-test.ts';

/** Adds an agent by its command line, or a built-in chat with a model; can be tried before. */
export function NewAgentForm({
  kind,
  onClose,
  onAdded,
}: {
  kind: 'command' | 'chat';
  onClose: () => void;
  onAdded: (id: string) => void;
}) {
  const queries = useQueryClient();
  const test = useAgentTest();
  const form = useAgentForm(() => ({ ...EMPTY_FIELDS, kind }), test.reset);
  const { fields, errors, change } = form;
  const create = useMutation({
    ...api.agents.create.mutationOptions(),
    onSuccess: (agent) => {
      toastSuccess(`${agent.name} is added`);
      void queries.invalidateQueries({ queryKey: api.agents.key() });
      onAdded(agent.id);
    },
    onError: (error) => form.setErrors(errorsOfAnswer(error)),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const result = draftOfFields(fields);
    if ('errors' in result) form.setErrors(result.errors);
    else create.mutate(result.draft);
  };
  const runTest = (): void => {
    const result = testOfFields(fields);
    if ('errors' in result) form.setErrors(result.errors);
    else test.run(result.request);
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        <TextInput
          label="Name"
          required
          data-autofocus
          placeholder="My agent"
          value={fields.name}
          error={errorAt(errors, 'name')}
          onChange={(event) => change({ name: event.currentTarget.value }, 'name')}
        />
        <LaunchFields form={form} />
        <TextInput
          label="Description"
          value={fields.description}
          error={errorAt(errors, 'description')}
          onChange={(event) => change({ description: event.currentTarget.value }, 'description')}
        />
        <Checkbox
          size="xs"
          label="Start it now, and whenever the console starts"
          checked={fields.autostart}
          onChange={(event) => change({ autostart: event.currentTarget.checked }, 'autostart')}
        />
        {test.result !== undefined && <TestResult result={test.result} />}
        {test.error !== null && <ErrorCard error={test.error} what="The agent could not be tested" />}
        {create.error !== null && errors.form !== undefined && (
          <ErrorCard error={create.error} what="The agent was not added" />
        )}
        <Group justify="space-between">
          <Button
            variant="default"
            leftSection={<IconPlayerPlay size={14} />}
            loading={test.pending}
            onClick={runTest}
          >
            Test
          </Button>
          <Group gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={create.isPending}>
              Add agent
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}
