import { Button, Stack } from '@mantine/core';
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';
import { ErrorCard } from '../components/error-card.tsx';
import { PageHeader } from '../components/page-header.tsx';
import { toApiError, UNREACHABLE } from '../lib/api-error.ts';
import { onLiveResumed, reconnectLiveEvents, useLiveStatus } from '../lib/live-events.ts';

const reload = (): void => location.reload();

/** What stands where a page broke: the frame around it still works. */
export function ErrorPage({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const connected = useLiveStatus().state === 'live';
  const notLoaded = toApiError(error).code === UNREACHABLE;
  // A part of the console that did not arrive is only asked for again by a new window, and there is none to be had as long
  // as nobody answers.
  useEffect(() => (notLoaded ? onLiveResumed(reload) : undefined), [notLoaded]);
  const retry = () => {
    if (!notLoaded) void router.invalidate().then(reset);
    else if (connected) reload();
    else reconnectLiveEvents();
  };
  return (
    <Stack p="xl" maw={720} mx="auto" w="100%">
      <PageHeader title="Something went wrong" />
      <ErrorCard
        error={error}
        what="This page could not be shown"
        onRetry={retry}
        actions={
          !notLoaded && (
            <Button variant="default" onClick={reload}>
              Reload the console
            </Button>
          )
        }
      />
    </Stack>
  );
}
