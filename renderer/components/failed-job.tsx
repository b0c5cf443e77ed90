import { Button } from '@mantine/core';
import type { Job } from '#contract';
import { ApiError } from '../lib/api-error.ts';
import { ErrorCard } from './error-card.tsx';

/** A job that did not end well: why, and what to do. */
export function FailedJob({
  job,
  onDismiss,
  onRetry,
}: {
  job: Job;
  onDismiss: () => void;
  onRetry?: (() => void) | undefined;
}) {
  return (
    <ErrorCard
      error={
        new ApiError({
          code: job.error?.code ?? `job.${job.state}`,
          title: job.state === 'interrupted' ? 'The app stopped while it ran' : 'The job failed',
          detail: job.error?.message ?? 'What it had begun was taken back.',
          status: 0,
          correlationId: job.correlationId,
        })
      }
      what={`${job.title}: did not finish`}
      onRetry={onRetry}
      actions={
        <Button variant="default" onClick={onDismiss}>
          Dismiss
        </Button>
      }
    />
  );
}
