import { Alert, Button, Code, FileButton, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { Dropzone } from '@mantine/dropzone';
import { IconArchive, IconArrowBackUp, IconDatabaseExport, IconFileImport } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ARCHIVE_EXTENSION, type Backup, type Job } from '#contract';
import { confirm } from '../../components/confirm.tsx';
import { CopyButton } from '../../components/copy.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { FailedJob } from '../../components/failed-job.tsx';
import { JobCard } from '../../components/job-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { lastFailure, useJobEnd, useJobs } from '../../components/use-jobs.ts';
import { api, client } from '../../lib/api.ts';
import { formatBytes, formatDay, formatHourAndMinute, formatNumber } from '../../lib/format.ts';
import { useNow } from '../../lib/now.ts';
import { choiceOf, type RawSearch, useUrlState } from '../../lib/url-state.ts';
import { backupDays } from './backup-days.ts';
import { BackupTable } from './backup-table.tsx';
import classes from './backups-page.module.css';
import { ImportCard } from './import-card.tsx';
import { RestoreWizard } from './restore-wizard.tsx';
import { useImports } from './use-imports.ts';
import '@mantine/dropzone/styles.css';

const parseBackupsUrl = (search: RawSearch): { restore: 'newest' | undefined } => ({
  restore: choiceOf(search, 'restore', ['newest']),
});

/** Archives that are shown at first. */
const SHOWN_AT_FIRST = 100;

/** The archives in the backup folder: make, bring in, get out, restore. */
export function BackupsPage() {
  const queries = useQueryClient();
  const list = useQuery(api.backups.list.queryOptions());
  const jobs = useJobs();
  const { imports, add } = useImports();
  const [chosen, setChosen] = useState<Backup>();
  const [{ restore }, setUrl] = useUrlState(parseBackupsUrl);
  const [dismissed, setDismissed] = useState<string>();
  const [all, setAll] = useState(false);
  const today = useNow((now) => new Date(now).setHours(0, 0, 0, 0));

  const awaitEnd = useJobEnd(jobs, (job) => {
    if (job.state === 'succeeded' && job.kind !== 'restore') toastSuccess(SUCCEEDED[job.kind]);
  });
  const started = (job: Job) => {
    awaitEnd(job);
    void queries.invalidateQueries({ queryKey: api.jobs.key() });
  };
  const backUp = useMutation({
    ...api.backups.create.mutationOptions(),
    onSuccess: started,
    onError: (error) => toastError(error, 'The backup was not begun'),
  });
  const undo = useMutation({
    ...api.backups.undoRestore.mutationOptions(),
    onSuccess: started,
    onError: (error) => toastError(error, 'The restore was not undone'),
  });

  // Whoever comes to restore the newest (the banner of a start without data) finds the wizard open with it.
  const restoring =
    chosen ??
    (restore === 'newest' ? list.data?.items.find((backup) => backup.state === 'checked') : undefined);
  const setRestoring = (backup: Backup | undefined): void => {
    if (restore !== undefined) setUrl({ restore: undefined }, { replace: true });
    setChosen(backup);
  };
  const running = jobs.filter((job) => job.state === 'running');
  // A move is told of where it was begun: in the settings.
  const failure = lastFailure(jobs.filter((job) => job.kind !== 'move'));
  const items = list.data?.items ?? [];
  const days = backupDays(all ? items : items.slice(0, SHOWN_AT_FIRST), today);

  const askToUndo = async () => {
    const agreed = await confirm({
      question: 'Undo the restore?',
      body: 'The data goes back to what it was before the restore. What was added since the restore is kept in a safety copy only.',
      action: 'Undo restore',
      danger: true,
    });
    if (!agreed) return;
    setRestoring(undefined);
    undo.mutate({});
  };

  const askToDelete = async (backup: Backup) => {
    const agreed = await confirm({
      question: `Delete the backup of ${formatDay(backup.createdAt)}, ${formatHourAndMinute(backup.createdAt)}?`,
      body: `The file ${backup.fileName} (${formatBytes(backup.sizeBytes)}) is removed from the backup folder. This cannot be undone.`,
      action: 'Delete backup',
      danger: true,
    });
    if (!agreed) return;
    try {
      await client.backups.delete({ id: backup.id });
      toastSuccess(`Deleted ${backup.fileName}`);
    } catch (error) {
      toastError(error, 'The backup was not deleted');
    }
    await queries.invalidateQueries({ queryKey: api.backups.list.key() });
  };

  const backUpButton = (
    <Button
      leftSection={<IconDatabaseExport size={15} />}
      onClick={() => backUp.mutate({})}
      loading={backUp.isPending}
      disabled={running.length > 0}
    >
      Back up now
    </Button>
  );

  return (
    <Stack gap="md">
      <PageHeader
        title="Backups"
        description={list.data && <Folder path={list.data.folder} />}
        actions={
          <>
            <FileButton accept={ARCHIVE_EXTENSION} multiple onChange={add}>
              {(button) => (
                <Button variant="default" leftSection={<IconFileImport size={15} />} {...button}>
                  Import…
                </Button>
              )}
            </FileButton>
            {backUpButton}
          </>
        }
      />
      {list.data?.undo !== undefined && (
        <Alert
          color="blue"
          variant="light"
          icon={<IconArrowBackUp />}
          title="A backup was restored"
          role="status"
        >
          <Group justify="space-between">
            <Text size="sm">
              {formatDay(list.data.undo.restoredAt)}, {formatHourAndMinute(list.data.undo.restoredAt)}. The
              data of before is kept: you can go back.
            </Text>
            <Button
              variant="default"
              loading={undo.isPending}
              disabled={running.length > 0}
              onClick={() => void askToUndo()}
            >
              Undo restore
            </Button>
          </Group>
        </Alert>
      )}
      {running
        // The wizard shows its own.
        .filter((job) => restoring === undefined || job.kind !== 'restore')
        .map((job) => (
          <JobCard key={job.id} job={job} />
        ))}
      {failure !== undefined && failure.id !== dismissed && running.length === 0 && (
        <FailedJob
          job={failure}
          onDismiss={() => setDismissed(failure.id)}
          onRetry={failure.kind === 'backup' ? () => backUp.mutate({}) : undefined}
        />
      )}
      {imports.map((file) => (
        <ImportCard key={file.id} file={file} />
      ))}
      {list.isError && (
        <ErrorCard
          error={list.error}
          what="The backups could not be listed"
          onRetry={() => void list.refetch()}
        />
      )}
      {list.isPending ? (
        <Stack gap="xs" aria-busy role="status" aria-label="Loading the backups">
          <Skeleton h={24} w={120} />
          <Skeleton h={36} />
          <Skeleton h={36} />
        </Stack>
      ) : (
        items.length === 0 &&
        !list.isError && (
          <EmptyState icon={<IconArchive />} title="No backups yet" action={backUpButton}>
            A backup is one file with all sessions, agents and events, readable by every storage.
          </EmptyState>
        )
      )}
      {days.map((day) => (
        <section key={day.day} aria-labelledby={`day-${day.day}`}>
          <Title order={2} size="h5" mb={4} id={`day-${day.day}`}>
            {day.label}
          </Title>
          <div className={classes.day}>
            <BackupTable
              label={day.label}
              backups={day.items}
              busy={running.length > 0}
              onRestore={setRestoring}
              onDelete={(backup) => void askToDelete(backup)}
            />
          </div>
        </section>
      ))}
      {!all && items.length > SHOWN_AT_FIRST && (
        <Button variant="default" onClick={() => setAll(true)}>
          Show all {formatNumber(items.length)} backups
        </Button>
      )}
      {restoring !== undefined && (
        <RestoreWizard
          backups={items}
          initial={restoring}
          jobs={jobs}
          onClose={() => setRestoring(undefined)}
          onUndo={() => void askToUndo()}
          onStarted={started}
        />
      )}
      <Dropzone.FullScreen onDrop={add} withinPortal={false}>
        <Stack align="center" justify="center" mih="85dvh" gap="xs" className={classes.drop ?? ''}>
          <IconFileImport size={40} aria-hidden />
          <Text fw={600}>Drop an archive to import it</Text>
          <Text size="sm" c="dimmed">
            It is copied into the backup folder and checked; nothing is restored.
          </Text>
        </Stack>
      </Dropzone.FullScreen>
    </Stack>
  );
}

const SUCCEEDED: Readonly<Record<Job['kind'], string>> = {
  backup: 'The backup is made and checked',
  restore: 'The backup is restored',
  'undo-restore': 'The restore is undone',
  move: 'The data is moved',
};

function Folder({ path }: { path: string }) {
  return (
    <Group gap={4} wrap="nowrap" component="span">
      <Code bg="transparent" px={0} className={classes.folder ?? ''} title={path}>
        {path}
      </Code>
      <CopyButton value={path} label="Copy the path of the backup folder" />
    </Group>
  );
}
