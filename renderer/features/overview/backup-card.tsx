import { Anchor, Box, Button, Card, Group, Progress, Stack, Text, Title } from '@mantine/core';
import { IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { CatchBoundary, Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import type { Backup, Job } from '#contract';
import { formatBytes, formatCount, formatRelativeTime } from '../../lib/format.ts';
import { useNow } from '../../lib/now.ts';

// With the charts: not needed for the first view.
const SizeTrend = lazy(() => import('./size-trend.tsx').then((module) => ({ default: module.SizeTrend })));

/** Whether the data is protected, and the button that makes it so. */
export function BackupCard({
  backups,
  job,
  pending,
  onBackup,
}: {
  backups: readonly Backup[] | undefined;
  /** The backup or restore that runs. */
  job: Job | undefined;
  pending: boolean;
  onBackup: () => void;
}) {
  const newest = backups?.find((backup) => backup.state === 'checked');
  const age = useNow((now) => (newest === undefined ? '' : formatRelativeTime(newest.createdAt, now)));
  return (
    <Card component="section" aria-label="Backup" py="sm">
      <Group justify="space-between" mb={6}>
        <Title order={2} size="h5">
          Backup
        </Title>
        <Anchor size="xs" renderRoot={(props) => <Link to="/backups" {...props} />}>
          All backups
        </Anchor>
      </Group>
      <Stack gap="xs">
        <Group gap="xs" wrap="nowrap" align="flex-start">
          {newest === undefined ? (
            <IconShieldX size={20} color="var(--tone-warning)" />
          ) : (
            <IconShieldCheck size={20} color="var(--tone-good)" />
          )}
          <div>
            <Text size="sm" fw={500}>
              {newest === undefined ? 'Not protected: no backup yet' : `Protected: checked ${age}`}
            </Text>
            <Text size="xs" c="dimmed">
              {newest === undefined
                ? 'One archive holds all sessions, agents and events.'
                : `${formatCount(newest.sessions, 'session')} · ${formatBytes(newest.sizeBytes)} · ${formatCount(backups?.length ?? 0, 'archive')}`}
            </Text>
          </div>
        </Group>
        {backups !== undefined && backups.length > 1 && (
          <CatchBoundary getResetKey={() => backups.length} errorComponent={() => null}>
            <Suspense fallback={<Box h={28} />}>
              <SizeTrend backups={backups} />
            </Suspense>
          </CatchBoundary>
        )}
        {job !== undefined && <JobProgress job={job} />}
        <Button fullWidth loading={pending} disabled={job !== undefined} onClick={onBackup}>
          Back up now
        </Button>
      </Stack>
    </Card>
  );
}

function JobProgress({ job }: { job: Job }) {
  const share = job.total === undefined || job.total === 0 ? undefined : (job.done / job.total) * 100;
  return (
    <div>
      <Group justify="space-between" wrap="nowrap" gap={4} mb={4}>
        <Text size="xs" c="dimmed" truncate>
          {job.title} · {job.phase}
        </Text>
        {share !== undefined && (
          <Text size="xs" className="tabular">
            {Math.floor(share)} %
          </Text>
        )}
      </Group>
      <Progress value={share ?? 100} animated={share === undefined} size="sm" aria-label={job.title} />
    </div>
  );
}
