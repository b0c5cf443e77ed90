import { DataList, Stack, Title } from '@mantine/core';
import type { ReactNode } from 'react';

export type Fact = readonly [label: string, value: ReactNode];

/** Pairs of a name and what holds for it; what is undefined is left out. */
export function Facts({ rows }: { rows: readonly (Fact | undefined)[] }) {
  return (
    <DataList size="sm" gap={8} labelWidth="136px">
      {rows
        .filter((row) => row !== undefined)
        .map(([label, value]) => (
          <DataList.Item key={label}>
            <DataList.ItemLabel>{label}</DataList.ItemLabel>
            <DataList.ItemValue>{value}</DataList.ItemValue>
          </DataList.Item>
        ))}
    </DataList>
  );
}

/** A part of the details under a heading of its own. */
export function Section({
  title,
  beside,
  children,
}: {
  title: string;
  beside?: ReactNode;
  children: ReactNode;
}) {
  return (
    <Stack component="section" aria-label={title} gap="xs">
      <Title order={3} size="h6" style={{ display: 'flex', alignItems: 'center', gap: 8 }}>
        {title} {beside}
      </Title>
      {children}
    </Stack>
  );
}
