import { Group, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { type Crumb, usePageTitle } from '../lib/page-title.ts';

/** The head of a page; also names it in the breadcrumb and in the title of the document. */
export function PageHeader({
  title,
  parents,
  description,
  beside,
  actions,
}: {
  title: string;
  /** The pages above it: `[{ label: 'Sessions', to: '/sessions' }]`. */
  parents?: readonly Crumb[];
  description?: ReactNode;
  /** Right of the title: a status, an id. */
  beside?: ReactNode;
  /** Buttons on the right, the primary one last. */
  actions?: ReactNode;
}) {
  usePageTitle(title, parents);
  return (
    <Group justify="space-between" align="flex-start" wrap="nowrap" gap="md">
      <Stack gap={2} miw={0}>
        <Group gap="sm" wrap="nowrap" miw={0}>
          <Title order={1} size="h3" lineClamp={1} title={title} style={{ wordBreak: 'break-all' }}>
            {title}
          </Title>
          {beside}
        </Group>
        {description !== undefined && (
          <Text size="sm" c="dimmed" component="div">
            {description}
          </Text>
        )}
      </Stack>
      {actions !== undefined && (
        <Group gap="xs" wrap="nowrap" style={{ flex: 'none' }}>
          {actions}
        </Group>
      )}
    </Group>
  );
}
