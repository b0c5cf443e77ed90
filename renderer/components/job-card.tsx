import { Button, Card, Group, Progress, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { Job } from '#contract';
import { api } from '../lib/api.ts';
import { useNow } from '../lib/now.ts';
import { jobProgress } from './job-progress.ts';
import { StatusBadge } from './status-badge.tsx';
import { toastError } from './toast.tsx';

/** A job that runs: what it does, how far it is, how long it takes, and the way out while there is one. */
export function JobCard({ job }: { job: Job }) {
  return (
    <Card component="section" aria-label={job.title} padding="sm">
      <JobProgressView job={job} />
    </Card>
  );
}

export function JobProgressView({ job }: { job: Job }) {
  const remaining = useNow((now) => jobProgress(job, now).remaining);
  const { percent, amount } = jobProgress(job, job.startedAt);
  const cancel = useMutation({
    ...api.jobs.cancel.mutationOptions(),
    onError: (error) => toastError(error, 'The job was not cancelled'),
  });
  return (
    <Stack gap={6}>
      <Group justify="space-between" wrap="nowrap">
        <Group gap="sm">
          <StatusBadge status={job.state} />
          <Text size="sm" fw={500}>
            {job.title}
          </Text>
        </Group>
        {job.state === 'running' && (
          <Button
            variant="default"
            disabled={!job.cancellable}
            loading={cancel.isPending}
            onClick={() => cancel.mutate({ id: job.id })}
            title={job.cancellable ? undefined : 'It is past the point where it could be cancelled'}
          >
            Cancel job
          </Button>
        )}
      </Group>
      <Progress.Root size="md">
        <Progress.Section
          value={percent ?? 100}
          striped={percent === undefined}
          animated={percent === undefined && job.state === 'running'}
          aria-label={`${job.title}: ${job.phase}`}
        />
      </Progress.Root>
      <Text size="xs" c="dimmed">
        {[job.phase, amount, percent === undefined ? undefined : `${percent} %`, remaining]
          .filter((part) => part !== undefined && part !== '')
          .join(' · ')}
      </Text>
    </Stack>
  );
}
