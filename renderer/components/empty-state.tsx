import { EmptyState as MantineEmptyState } from '@mantine/core';
import type { ReactNode } from 'react';

/**
 * What stands where there is nothing yet: what is missing, one sentence of use, one primary button. Not for a filter that
 * matches nothing: see {@link NoMatches}.
 */
export function EmptyState({
  icon,
  title,
  children,
  action,
}: {
  icon: ReactNode;
  title: string;
  /** One sentence. */
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <MantineEmptyState
      icon={icon}
      title={title}
      description={children}
      variant="light"
      color="gray"
      py="xl"
      maw={440}
      mx="auto"
    >
      {action !== undefined && <MantineEmptyState.Actions>{action}</MantineEmptyState.Actions>}
    </MantineEmptyState>
  );
}

/** What stands where a filter matches nothing: `text` says which filters, `action` clears them. */
export function NoMatches({ text, action }: { text: string; action?: ReactNode }) {
  return (
    <MantineEmptyState title={text} size="sm" py="xl" mx="auto">
      {action !== undefined && <MantineEmptyState.Actions>{action}</MantineEmptyState.Actions>}
    </MantineEmptyState>
  );
}
