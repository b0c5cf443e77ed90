import {
  Button,
  DataList,
  Group,
  List,
  Loader,
  Modal,
  Select,
  Stack,
  Stepper,
  Table,
  Text,
  TextInput,
  ThemeIcon,
} from '@mantine/core';
import { IconCircleCheck, IconInfoCircle } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import type { Backup, Job, RestorePreview } from '#contract';
import { ErrorCard } from '../../components/error-card.tsx';
import { JobProgressView } from '../../components/job-card.tsx';
import { api } from '../../lib/api.ts';
import { ApiError } from '../../lib/api-error.ts';
import { formatBytes, formatCount, formatDay, formatHourAndMinute, formatNumber } from '../../lib/format.ts';
import { BackupState } from './backup-table.tsx';
import { TRIGGERS } from './backup-words.ts';
import { changesNothing, comparison, impacts } from './restore-impact.ts';

const CLOSE = { 'aria-label': 'Close dialog' };

/** What has to be typed before everything is replaced. */
const CONFIRMATION = 'RESTORE';

const STEPS = ['Archive', 'Compare', 'Impact', 'Confirm', 'Result'] as const;
const CONFIRM = STEPS.indexOf('Confirm');
const RESULT = STEPS.indexOf('Result');

export interface RestoreWizardProps {
  backups: readonly Backup[];
  /** The archive that was chosen in the list. */
  initial: Backup;
  jobs: readonly Job[];
  onClose: () => void;
  onUndo: () => void;
  /** Told of the job that was begun. */
  onStarted: (job: Job) => void;
}

/** Replaces all data by that of an archive, step by step; until the last step nothing is changed. */
export function RestoreWizard(props: RestoreWizardProps) {
  const [backupId, setBackupId] = useState(props.initial.id);
  const backup = props.backups.find((candidate) => candidate.id === backupId) ?? props.initial;
  return (
    <Modal
      opened
      onClose={props.onClose}
      title={`Restore ${nameOf(backup)}?`}
      size={720}
      closeButtonProps={CLOSE}
    >
      <Steps {...props} backup={backup} onChoose={setBackupId} />
    </Modal>
  );
}

function nameOf(backup: Backup): string {
  return `the backup of ${formatDay(backup.createdAt)}, ${formatHourAndMinute(backup.createdAt)}`;
}

function Steps({
  backups,
  backup,
  onChoose,
  jobs,
  onClose,
  onUndo,
  onStarted,
}: RestoreWizardProps & { backup: Backup; onChoose: (id: string) => void }) {
  const [step, setStep] = useState(0);
  const preview = useQuery({
    ...api.backups.preview.queryOptions({ input: { id: backup.id } }),
    // Data goes on changing: what is compared is what is there now.
    staleTime: 0,
    gcTime: 0,
    enabled: step < RESULT,
  });
  const restore = useMutation({
    ...api.backups.restore.mutationOptions(),
    onSuccess: (job) => {
      onStarted(job);
      setStep(RESULT);
    },
  });
  const job = jobs.find((candidate) => candidate.id === restore.data?.id) ?? restore.data;
  const checked = preview.data !== undefined && preview.data.backup.id === backup.id && !preview.isError;

  return (
    <Stack>
      <Stepper active={step} size="xs" allowNextStepsSelect={false}>
        {STEPS.map((label) => (
          <Stepper.Step key={label} label={label} />
        ))}
      </Stepper>
      <div style={{ minHeight: 240 }}>
        {step === 0 && (
          <ArchiveStep
            backups={backups}
            backup={backup}
            onChoose={onChoose}
            checking={preview.isPending}
            error={preview.isError ? preview.error : undefined}
            onRetry={() => void preview.refetch()}
          />
        )}
        {step === 1 && preview.data !== undefined && <CompareStep preview={preview.data} />}
        {step === 2 && preview.data !== undefined && <ImpactStep preview={preview.data} />}
        {step === CONFIRM && (
          <ConfirmStep
            backup={backup}
            busy={restore.isPending}
            error={restore.isError ? restore.error : undefined}
            onBack={() => setStep(step - 1)}
            onConfirm={() => restore.mutate({ id: backup.id })}
          />
        )}
        {step === RESULT && job !== undefined && <ResultStep job={job} onClose={onClose} onUndo={onUndo} />}
      </div>
      {step < CONFIRM && (
        <Group justify="end">
          <Button variant="default" onClick={step === 0 ? onClose : () => setStep(step - 1)}>
            {step === 0 ? 'Cancel' : 'Back'}
          </Button>
          <Button disabled={!checked} onClick={() => setStep(step + 1)}>
            Continue
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function ArchiveStep({
  backups,
  backup,
  onChoose,
  checking,
  error,
  onRetry,
}: {
  backups: readonly Backup[];
  backup: Backup;
  onChoose: (id: string) => void;
  checking: boolean;
  error: Error | undefined;
  onRetry: () => void;
}) {
  return (
    <Stack>
      <Select
        label="Archive"
        size="sm"
        data={backups.map((candidate) => ({
          value: candidate.id,
          label: `${formatDay(candidate.createdAt)}, ${formatHourAndMinute(candidate.createdAt)} · ${
            TRIGGERS[candidate.trigger]
          } · ${formatCount(candidate.sessions, 'session')}`,
        }))}
        value={backup.id}
        onChange={(id) => id !== null && onChoose(id)}
        allowDeselect={false}
        maxDropdownHeight={260}
      />
      <DataList size="sm" labelWidth="110px">
        <Fact label="File">{backup.fileName}</Fact>
        <Fact label="Holds">
          {formatCount(backup.sessions, 'session')}, {formatCount(backup.records, 'record')},{' '}
          {formatBytes(backup.sizeBytes)}
        </Fact>
        <Fact label="Made">
          {TRIGGERS[backup.trigger]}, by version {backup.productVersion} on {backup.adapter}
        </Fact>
      </DataList>
      {checking ? (
        <Group gap="xs" role="status">
          <Loader size="xs" />
          <Text size="sm">Checking every part of the archive…</Text>
        </Group>
      ) : error !== undefined ? (
        <ErrorCard error={error} what="This archive cannot be restored" onRetry={onRetry} />
      ) : (
        <Group gap="xs" role="status">
          <BackupState backup={{ ...backup, state: 'checked' }} />
          <Text size="sm" c="dimmed">
            just now: complete and undamaged
          </Text>
        </Group>
      )}
    </Stack>
  );
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <DataList.Item>
      <DataList.ItemLabel>{label}</DataList.ItemLabel>
      <DataList.ItemValue style={{ overflowWrap: 'anywhere' }}>{children}</DataList.ItemValue>
    </DataList.Item>
  );
}

function CompareStep({ preview }: { preview: RestorePreview }) {
  const { sessions, agents } = preview;
  return (
    <Stack>
      <Text size="sm">
        The archive holds {formatCount(sessions.archived, 'session')}; there are{' '}
        {formatNumber(sessions.current)} now.
      </Text>
      <Table aria-label="What the restore changes" withTableBorder>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Sessions that</Table.Th>
            <Table.Th ta="right">Count</Table.Th>
            <Table.Th>Which are</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {comparison(preview).map((row) => (
            <Table.Tr key={row.name}>
              <Table.Td>
                <Text span ff="monospace" aria-hidden>
                  {row.sign}
                </Text>{' '}
                {row.name}
              </Table.Td>
              <Table.Td ta="right" fw={row.count > 0 ? 600 : 400} c={row.count > 0 ? undefined : 'dimmed'}>
                {formatNumber(row.count)}
              </Table.Td>
              <Table.Td c="dimmed">{row.meaning}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="sm">
        Agents: {formatNumber(agents.archived)} in the archive, {formatNumber(agents.current)} now.
      </Text>
      {changesNothing(preview) && (
        <Text size="sm" c="dimmed">
          The archive and the data of today hold the same. A restore would change nothing.
        </Text>
      )}
    </Stack>
  );
}

function ImpactStep({ preview }: { preview: RestorePreview }) {
  return (
    <Stack>
      <Text size="sm" fw={500}>
        What the restore means
      </Text>
      <List
        size="sm"
        spacing="xs"
        icon={
          <ThemeIcon variant="transparent" color="gray" size={18}>
            <IconInfoCircle size={16} aria-hidden />
          </ThemeIcon>
        }
      >
        {impacts(preview).map((line) => (
          <List.Item key={line}>{line}</List.Item>
        ))}
      </List>
    </Stack>
  );
}

function ConfirmStep({
  backup,
  busy,
  error,
  onBack,
  onConfirm,
}: {
  backup: Backup;
  busy: boolean;
  error: Error | undefined;
  onBack: () => void;
  onConfirm: () => void;
}) {
  const [typed, setTyped] = useState('');
  const agreed = typed.trim() === CONFIRMATION;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (agreed && !busy) onConfirm();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <Text size="sm">
          All sessions, agents and events of today are replaced by those of {nameOf(backup)}.
        </Text>
        <TextInput
          label={`Type ${CONFIRMATION} to confirm`}
          size="sm"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
          data-autofocus
          autoFocus
        />
        {error !== undefined && <ErrorCard error={error} what="The restore was not begun" />}
        <Group justify="end">
          <Button variant="default" onClick={onBack}>
            Back
          </Button>
          <Button type="submit" color="red" disabled={!agreed} loading={busy}>
            Restore this backup
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function ResultStep({ job, onClose, onUndo }: { job: Job; onClose: () => void; onUndo: () => void }) {
  switch (job.state) {
    case 'running':
      return (
        <Stack>
          <JobProgressView job={job} />
          <Text size="sm" c="dimmed">
            You may close this; the restore goes on, and the page shows it.
          </Text>
          <Group justify="end">
            <Button variant="default" onClick={onClose}>
              Close
            </Button>
          </Group>
        </Stack>
      );
    case 'succeeded':
      return (
        <Stack align="center" py="md" role="status">
          <ThemeIcon size={44} radius="xl" variant="light" color="green">
            <IconCircleCheck size={28} aria-hidden />
          </ThemeIcon>
          <Text fw={600}>The backup is restored</Text>
          <Text size="sm" c="dimmed" ta="center" maw={440}>
            Every record was compared with the archive before the switch. The data of before is kept, so that
            you can go back.
          </Text>
          <Group>
            <Button variant="default" onClick={onUndo}>
              Undo restore
            </Button>
            <Button onClick={onClose} data-autofocus>
              Done
            </Button>
          </Group>
        </Stack>
      );
    default:
      return (
        <Stack>
          <ErrorCard
            error={
              new ApiError({
                code: job.error?.code ?? `job.${job.state}`,
                title: job.state === 'cancelled' ? 'The restore was cancelled' : 'The restore did not finish',
                detail: `${job.error?.message ?? ''} Your data is as it was before.`.trim(),
                status: 0,
                correlationId: job.correlationId,
              })
            }
            what="Nothing was restored"
          />
          <Group justify="end">
            <Button onClick={onClose}>Close</Button>
          </Group>
        </Stack>
      );
  }
}
