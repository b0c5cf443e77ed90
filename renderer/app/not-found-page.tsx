import { Button } from '@mantine/core';
import { IconMapQuestion } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { EmptyState } from '../components/empty-state.tsx';
import { PageHeader } from '../components/page-header.tsx';

/** What stands at an address that the console does not have. */
export function NotFoundPage() {
  return (
    <>
      <PageHeader title="Not found" />
      <EmptyState
        icon={<IconMapQuestion />}
        title="There is no such page"
        action={
          <Button component={Link} to="/">
            Go to the Overview
          </Button>
        }
      >
        The address may be from another version of the console, or mistyped.
      </EmptyState>
    </>
  );
}
