import {
  Alert,
  Button,
  Checkbox,
  Collapse,
  Group,
  Modal,
  SegmentedControl,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { toastSuccess } from '../../components/toast.tsx';
import { api, client } from '../../lib/api.ts';
import {
  EMPTY_FIELDS,
  errorsOfAnswer,
  type FieldErrors,
  type NewAgentFields,
  type NewAgentRequest,
  requestOfFields,
} from './new-agent-form.ts';

/** Adds an agent: a command of the user's that speaks ACP, or the built-in chat with a model. */
export function AddAgentDialog({
  opened,
  onClose,
  onAdded,
}: {
  opened: boolean;
  onClose: () => void;
  onAdded: (id: string) => void;
}) {
  return (
    <Modal opened={opened} onClose={onClose} title="Add an agent" size="lg">
      <AddAgentForm onClose={onClose} onAdded={onAdded} />
    </Modal>
  );
}

function AddAgentForm({ onClose, onAdded }: { onClose: () => void; onAdded: (id: string) => void }) {
  const [fields, setFields] = useState(EMPTY_FIELDS);
  const [errors, setErrors] = useState<FieldErrors>({});
  const [moreOpened, more] = useDisclosure(false);
  const queries = useQueryClient();
  const create = useMutation({
    mutationFn: (request: NewAgentRequest) => client.agents.create(request),
    onSuccess: (agent) => {
      toastSuccess(`${agent.name} is added`);
      void queries.invalidateQueries({ queryKey: api.agents.key() });
      onClose();
      onAdded(agent.id);
    },
    onError: (error) => {
      const found = errorsOfAnswer(error);
      setErrors(found);
      if (found.args ?? found.cwd ?? found.env) more.open();
    },
  });

  const set = <K extends keyof NewAgentFields>(name: K, value: NewAgentFields[K]): void => {
    setFields((current) => ({ ...current, [name]: value }));
    setErrors(({ [name]: _corrected, form: _form, ...rest }) => rest);
  };
  const text = (name: Exclude<keyof NewAgentFields, 'kind' | 'autostart'>) => ({
    value: fields[name],
    error: errors[name],
    onChange: (event: { currentTarget: { value: string } }) => set(name, event.currentTarget.value),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const result = requestOfFields(fields);
    if ('errors' in result) {
      setErrors(result.errors);
      if (result.errors.env !== undefined) more.open();
    } else create.mutate(result.request);
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        <SegmentedControl
          aria-label="Kind of agent"
          value={fields.kind}
          onChange={(value) => set('kind', value as NewAgentFields['kind'])}
          data={[
            { value: 'command', label: 'Command on this machine' },
            { value: 'chat', label: 'Built-in chat with a model' },
          ]}
        />
        <TextInput label="Name" required data-autofocus placeholder="My agent" {...text('name')} />
        {fields.kind === 'command' ? (
          <TextInput
            label="Command"
            required
            description="A program that speaks the Agent Client Protocol on its standard input and output: its name on the PATH, or its absolute path."
            placeholder="my-agent"
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
            {...text('command')}
          />
        ) : (
          <>
            <TextInput label="Model" required placeholder="openai/gpt-5-mini" {...text('model')} />
            <Providers />
          </>
        )}
        <TextInput label="Description" {...text('description')} />
        {fields.kind === 'command' && (
          <>
            <Button
              variant="subtle"
              size="compact-xs"
              w="fit-content"
              aria-expanded={moreOpened}
              onClick={more.toggle}
            >
              {moreOpened ? 'Fewer options' : 'Arguments, folder, environment'}
            </Button>
            <Collapse expanded={moreOpened}>
              <Stack gap="sm">
                <Textarea
                  label="Arguments"
                  description="One a line; no quotes needed."
                  size="xs"
                  autosize
                  minRows={2}
                  {...text('args')}
                />
                <TextInput label="Working folder" placeholder="as the console's" {...text('cwd')} />
                <Textarea
                  label="Environment"
                  description="One NAME=value a line, beside what the console itself was started with."
                  size="xs"
                  autosize
                  minRows={2}
                  {...text('env')}
                />
              </Stack>
            </Collapse>
          </>
        )}
        <Checkbox
          size="xs"
          label="Start it now, and whenever the console starts"
          checked={fields.autostart}
          onChange={(event) => set('autostart', event.currentTarget.checked)}
        />
        {errors.form !== undefined && (
          <Alert color="red" role="alert">
            {errors.form}
          </Alert>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Add agent
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Which providers can be used, and which setting makes the others usable. */
function Providers() {
  const { data } = useQuery(api.status.get.queryOptions());
  if (data === undefined) return null;
  return (
    <Stack gap={2}>
      {data.providers.map((provider) => (
        <Text key={provider.setting} size="xs" c="dimmed">
          <b>{provider.name}</b>: {provider.configured ? 'set up' : `set ${provider.setting} to use it`}
        </Text>
      ))}
    </Stack>
  );
}
