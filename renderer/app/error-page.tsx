import { Button, Stack } from '@mantine/core';
import type { ErrorComponentProps } from '@tanstack/react-router';
import { ErrorCard } from '../components/error-card.tsx';
import { PageHeader } from '../components/page-header.tsx';

/** What stands where a page broke: the frame around it still works. */
export function ErrorPage({ error, reset }: ErrorComponentProps) {
  return (
    <Stack p="xl" maw={720} mx="auto" w="100%">
      <PageHeader title="Something went wrong" />
      <ErrorCard
        error={error}
        what="This page could not be shown"
        onRetry={reset}
        actions={
          <Button variant="default" onClick={() => location.reload()}>
            Reload the console
          </Button>
        }
      />
    </Stack>
  );
}
