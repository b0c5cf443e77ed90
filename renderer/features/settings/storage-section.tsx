import { Alert, Badge, Button, Card, Code, Group, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { IconArrowBackUp, IconDatabaseExport, IconInfoCircle, IconLock } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import {
  type Health,
  type Job,
  moveResult,
  type StorageKind,
  type StorageOverview,
  storageKind,
} from '#contract';
import { CopyButton } from '../../components/copy.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { FailedJob } from '../../components/failed-job.tsx';
import { JobProgressView } from '../../components/job-card.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { toastSuccess } from '../../components/toast.tsx';
import { lastFailure, useJobEnd, useJobs } from '../../components/use-jobs.ts';
import { api } from '../../lib/api.ts';
import { formatBytes, formatCount, formatDuration, formatNumber } from '../../lib/format.ts';
import { StorageDialog } from './storage-dialog.tsx';
import { storageName } from './storage-form.ts';

/** Latency and size are of the moment, and no event tells of them. */
const REFRESH_MS = 5_000;

/** Which storage holds the data, how it is, and the way to another one. */
export function StorageSection({ health }: { health: Health['components']['storage'] | undefined }) {
  const queries = useQueryClient();
  const storage = useQuery({ ...api.storage.get.queryOptions(), refetchInterval: REFRESH_MS });
  const jobs = useJobs();
  const [dialog, setDialog] = useState<{ to?: StorageKind }>();
  const [dismissed, setDismissed] = useState<string>();
  const moves = jobs.filter((job) => job.kind === 'move');
  const running = jobs.find((job) => job.state === 'running');
  const failure = lastFailure(moves);
  const awaitEnd = useJobEnd(jobs, (job) => {
    if (job.state === 'succeeded') toastSuccess('The data is moved, and found the same on both sides');
  });
  const started = (job: Job) => {
    awaitEnd(job);
    void queries.invalidateQueries({ queryKey: api.jobs.key() });
  };
  return (
    <Card component="section" aria-label="Storage in use">
      <Group justify="space-between" mb="xs">
        <Group gap="sm">
          <Title order={2} size="h5">
            Storage
          </Title>
          {storage.data !== undefined && (
            <Badge variant="light" tt="none">
              {storageName(storage.data.type)}
            </Badge>
          )}
          {health !== undefined && (
            <StatusBadge
              status={health.status === 'unhealthy' ? 'unresponsive' : health.status}
              label={HEALTH_WORDS[health.status]}
              reason={health.message ?? HEALTH_MEANINGS[health.status]}
            />
          )}
        </Group>
        {storage.data !== undefined && (
          <Button
            variant="default"
            leftSection={<IconDatabaseExport size={15} />}
            disabled={running !== undefined}
            title={running === undefined ? undefined : `“${running.title}” is running`}
            onClick={() => setDialog({})}
          >
            Move to another storage…
          </Button>
        )}
      </Group>
      <Stack gap="sm">
        {storage.isPending && (
          <Stack gap="xs" aria-busy aria-label="Looking at the storage">
            <Skeleton h={18} w="60%" />
            <Skeleton h={18} w="40%" />
            <Skeleton h={18} w="50%" />
          </Stack>
        )}
        {storage.error !== null && (
          <ErrorCard
            error={storage.error}
            what="The storage could not be asked how it is"
            onRetry={() => void storage.refetch()}
          />
        )}
        {storage.data !== undefined && <Facts storage={storage.data} />}
        {storage.data?.notices.map((notice) => (
          <Alert key={notice.code} color="yellow" icon={<IconInfoCircle />} title={notice.message}>
            <Code bg="transparent" px={0}>
              {notice.code}
            </Code>
          </Alert>
        ))}
        {storage.data !== undefined && storage.data.pinned.length > 0 && (
          <Pinned names={storage.data.pinned} />
        )}
        {moves
          .filter((job) => job.state === 'running')
          .map((job) => (
            <JobProgressView key={job.id} job={job} />
          ))}
        {failure !== undefined && failure.id !== dismissed && running === undefined && (
          <FailedJob job={failure} onDismiss={() => setDismissed(failure.id)} />
        )}
        {running === undefined && moves[0]?.state === 'succeeded' && (
          <Moved job={moves[0]} onMoveBack={(to) => setDialog({ to })} />
        )}
      </Stack>
      {storage.data !== undefined && (
        <StorageDialog
          opened={dialog !== undefined}
          initial={dialog?.to}
          storage={storage.data}
          onClose={() => setDialog(undefined)}
          onStarted={started}
        />
      )}
    </Card>
  );
}

const HEALTH_WORDS: Readonly<Record<Health['status'], string>> = {
  healthy: 'Healthy',
  degraded: 'Degraded',
  unhealthy: 'Not available',
};
const HEALTH_MEANINGS: Readonly<Record<Health['status'], string>> = {
  healthy: 'It answers.',
  degraded: 'It answers slowly or with errors.',
  unhealthy: 'It does not answer.',
};

function Facts({ storage }: { storage: StorageOverview }) {
  const documents = Object.entries(storage.documents).filter(([, count]) => count > 0);
  const total = documents.reduce((sum, [, count]) => sum + count, 0);
  const rows: [string, ReactNode][] = [
    ['Product', storage.product],
    [
      'Location',
      <Group key="location" gap={2} wrap="nowrap">
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {storage.location}
        </Text>
        <CopyButton value={storage.location} label="Copy the location of the storage" />
      </Group>,
    ],
    ['Size', formatBytes(storage.sizeBytes)],
    ['Documents', total === 0 ? 'none yet' : `${formatNumber(total)}: ${documents.map(inWords).join(', ')}`],
    ['Latency', `${formatDuration(storage.latencyMs)} for a round trip`],
  ];
  return (
    <Table withRowBorders={false} verticalSpacing={3} horizontalSpacing={0} layout="fixed">
      <Table.Tbody>
        {rows.map(([label, value]) => (
          <Table.Tr key={label}>
            <Table.Th w={120} fw={400} c="dimmed" scope="row">
              {label}
            </Table.Th>
            <Table.Td style={{ fontVariantNumeric: 'tabular-nums' }}>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

/** `3 agents`, `1 session`: the names of collections are plural words. */
function inWords([collection, count]: [string, number]): string {
  const plural = collection.replaceAll('_', ' ');
  return formatCount(count, plural.replace(/s$/, ''), plural);
}

function Pinned({ names }: { names: readonly string[] }) {
  return (
    <Alert color="gray" icon={<IconLock />} title="The environment says which storage it is">
      <Text size="sm">
        {names.join(', ')} {names.length === 1 ? 'is' : 'are'} set in the environment of the runtime, which
        wins over what is chosen here. Take {names.length === 1 ? 'it' : 'them'} out and start again, or stop
        SmallTalk Console and run <Code>npm run serve -- move --help</Code>.
      </Text>
    </Alert>
  );
}

/** The last move, and the two ways back. */
function Moved({ job, onMoveBack }: { job: Job; onMoveBack: (to: StorageKind) => void }) {
  const result = moveResult.safeParse(job.result);
  if (!result.success) return null;
  const { from, to, records, keptPrevious } = result.data;
  const back = storageKind.safeParse(from.type);
  return (
    <Alert
      color="blue"
      variant="light"
      icon={<IconArrowBackUp />}
      title={`Moved from ${storageName(from.type)} to ${storageName(to.type)}`}
    >
      <Group justify="space-between" align="flex-end" wrap="nowrap">
        <Stack gap={2}>
          <Text size="sm">
            <RelativeTime at={job.endedAt ?? job.startedAt} />
            {records !== undefined && `, ${formatCount(records, 'record')}, the same on both sides`}. The data
            of before is still in {from.location}, as of the move.
          </Text>
          <Text size="sm" c="dimmed">
            To go back with what was added since, move back. To go back without it, set STORAGE_TYPE to{' '}
            {from.type} in settings.json and start again.
            {keptPrevious &&
              ` What ${storageName(to.type)} held before is kept there as the data set before.`}
          </Text>
        </Stack>
        {back.success && (
          <Button variant="default" flex="none" onClick={() => onMoveBack(back.data)}>
            Move back…
          </Button>
        )}
      </Group>
    </Alert>
  );
}
