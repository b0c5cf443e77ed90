import {
  Alert,
  Button,
  Checkbox,
  Fieldset,
  Group,
  Modal,
  PasswordInput,
  Radio,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { IconCheck, IconInfoCircle, IconPlugConnected } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import {
  type Job,
  type StorageChoice,
  type StorageKind,
  type StorageOverview,
  type StorageTest,
  storageKind,
} from '#contract';
import { confirm } from '../../components/confirm.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { api } from '../../lib/api.ts';
import { formatDuration } from '../../lib/format.ts';
import {
  choiceOf,
  EMPTY_FIELDS,
  errorsOfAnswer,
  type FieldErrors,
  firstChoice,
  needsPostgres,
  needsRedis,
  STORAGE_NAMES,
  STORAGE_USES,
  type StorageFields,
  storageName,
} from './storage-form.ts';

/** Chooses another storage, tests it, and begins the move. */
export function StorageDialog({
  opened,
  storage,
  initial,
  onClose,
  onStarted,
}: {
  opened: boolean;
  storage: StorageOverview;
  /** The type that is chosen at first; otherwise one that is not in force. */
  initial?: StorageKind | undefined;
  onClose: () => void;
  onStarted: (job: Job) => void;
}) {
  return (
    <Modal opened={opened} onClose={onClose} title="Move to another storage" size="lg">
      <StorageForm storage={storage} initial={initial} onClose={onClose} onStarted={onStarted} />
    </Modal>
  );
}

function StorageForm({
  storage,
  initial,
  onClose,
  onStarted,
}: {
  storage: StorageOverview;
  initial?: StorageKind | undefined;
  onClose: () => void;
  onStarted: (job: Job) => void;
}) {
  const [fields, setFields] = useState<StorageFields>(() => ({
    ...EMPTY_FIELDS,
    type: initial ?? firstChoice(storage.type),
  }));
  const [errors, setErrors] = useState<FieldErrors>({});
  const noted = (error: unknown) => setErrors(errorsOfAnswer(error));
  const test = useMutation({ ...api.storage.test.mutationOptions(), onError: noted });
  const move = useMutation({
    ...api.storage.move.mutationOptions(),
    onError: noted,
    onSuccess: (job) => {
      onStarted(job);
      onClose();
    },
  });

  /** What was tested or tried counts only for what stood in the fields then. */
  const set = <K extends keyof StorageFields>(name: K, value: StorageFields[K]) => {
    setFields((current) => ({ ...current, [name]: value }));
    setErrors({});
    test.reset();
    move.reset();
  };
  const withChoice = (then: (choice: StorageChoice) => void) => {
    const result = choiceOf(fields, storage.known);
    if ('errors' in result) setErrors(result.errors);
    else then(result.choice);
  };
  const onTest = (event: FormEvent) => {
    event.preventDefault();
    move.reset();
    withChoice((choice) => test.mutate(choice));
  };
  const onMove = async (choice: StorageChoice, tested: StorageTest) => {
    if (await confirmMove(storage, choice.type, tested)) move.mutate(choice);
  };

  const { type } = fields;
  const failure = move.error ?? test.error;
  // A fault of a field stands at the field.
  const shownFailure = failure !== null && Object.keys(errorsOfAnswer(failure)).length === 0 ? failure : null;
  return (
    <form onSubmit={onTest} noValidate>
      <Stack gap="md">
        <Radio.Group
          label="Keep the data in"
          value={type}
          onChange={(value) => set('type', storageKind.parse(value))}
        >
          <Stack gap={6} mt={6}>
            {storageKind.options.map((kind) => (
              <Radio
                key={kind}
                size="xs"
                value={kind}
                disabled={kind === storage.type && (kind === 'sqlite' || kind === 'file')}
                label={kind === storage.type ? `${STORAGE_NAMES[kind]} (in use now)` : STORAGE_NAMES[kind]}
                description={STORAGE_USES[kind]}
              />
            ))}
          </Stack>
        </Radio.Group>
        {needsRedis(type) && (
          <Fieldset legend="Redis">
            <Stack gap="xs">
              <TextInput
                label={fields.redisCluster ? 'Nodes' : 'Address'}
                placeholder={
                  storage.known.redis ??
                  (fields.redisCluster ? 'node-1:6379,node-2:6379' : 'redis://localhost:6379')
                }
                description={
                  storage.known.redis === undefined ? undefined : `Leave empty for ${storage.known.redis}`
                }
                error={errors.redisUrl}
                value={fields.redisUrl}
                onChange={(event) => set('redisUrl', event.currentTarget.value)}
                spellCheck={false}
              />
              <Password
                label="Password of Redis"
                value={fields.redisPassword}
                onChange={(value) => set('redisPassword', value)}
              />
              <Checkbox
                size="xs"
                label="It is a cluster"
                checked={fields.redisCluster}
                onChange={(event) => set('redisCluster', event.currentTarget.checked)}
              />
            </Stack>
          </Fieldset>
        )}
        {needsPostgres(type) && (
          <Fieldset legend="PostgreSQL">
            <Stack gap="xs">
              <TextInput
                label="Address of the database"
                placeholder={storage.known.postgres ?? 'postgres://user@localhost:5432/smalltalk'}
                description={
                  storage.known.postgres === undefined
                    ? undefined
                    : `Leave empty for ${storage.known.postgres}`
                }
                error={errors.postgresUrl}
                value={fields.postgresUrl}
                onChange={(event) => set('postgresUrl', event.currentTarget.value)}
                spellCheck={false}
              />
              <Password
                label="Password of PostgreSQL"
                value={fields.postgresPassword}
                onChange={(value) => set('postgresPassword', value)}
              />
            </Stack>
          </Fieldset>
        )}
        {test.data !== undefined && <TestResult tested={test.data} />}
        {shownFailure !== null && (
          <ErrorCard
            error={shownFailure}
            what={move.error === null ? 'The connection does not work' : 'The move was not begun'}
          />
        )}
        <Group justify="space-between">
          <Button
            type="submit"
            variant="default"
            leftSection={<IconPlugConnected size={15} />}
            loading={test.isPending}
          >
            Test connection
          </Button>
          <Group gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button
              disabled={test.data === undefined || storage.pinned.length > 0}
              loading={move.isPending}
              title={whyNotYet(storage, test.data)}
              onClick={() => {
                const tested = test.data;
                if (tested !== undefined) withChoice((choice) => void onMove(choice, tested));
              }}
            >
              Move my data
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}

function whyNotYet(storage: StorageOverview, tested: StorageTest | undefined): string | undefined {
  if (storage.pinned.length > 0) return 'The environment says which storage it is';
  return tested === undefined ? 'Test the connection first' : undefined;
}

function Password({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <PasswordInput
      size="xs"
      label={label}
      description="Only if it is not in the address. Kept in settings.json, which only you can read; never shown again."
      autoComplete="off"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

function TestResult({ tested }: { tested: StorageTest }) {
  return (
    <Stack gap="xs" role="status">
      <Alert color="green" icon={<IconCheck />} title="The connection works">
        <Text size="sm">
          {tested.product} at {tested.location}, {formatDuration(tested.latencyMs)} for a round trip.
        </Text>
        {tested.empty === false && (
          <Text size="sm" mt={4}>
            It holds data of SmallTalk Console already. A move keeps that as the data set before.
          </Text>
        )}
      </Alert>
      {tested.notices.map((notice) => (
        <Alert key={notice.code} color="yellow" icon={<IconInfoCircle />} title={notice.message} />
      ))}
    </Stack>
  );
}

function confirmMove(storage: StorageOverview, type: StorageKind, tested: StorageTest): Promise<boolean> {
  return confirm({
    question: `Move all data to ${STORAGE_NAMES[type]}?`,
    body: (
      <Stack gap="xs">
        <Text size="sm">
          All sessions, agents and events are copied to {tested.location} and compared with what is here. Only
          then the console goes over to it, without a restart.
        </Text>
        <Text size="sm">
          Meanwhile no prompts are taken, and turns that run now are interrupted. You can cancel until the
          switch.
        </Text>
        {storage.sharedByProcesses && (
          <Text size="sm">Stop every other instance that uses the same storage before.</Text>
        )}
        <Text size="sm">
          The data in {storageName(storage.type)} stays as it is, as of the move.
          {tested.empty === false && ' What the target holds is kept there as the data set before.'}
        </Text>
      </Stack>
    ),
    action: 'Move my data',
  });
}
