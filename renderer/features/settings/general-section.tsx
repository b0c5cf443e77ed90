import { Card, Group, SegmentedControl, Stack, Table, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Status } from '#contract';
import { CopyButton } from '../../components/copy.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { COLOR_SCHEMES, useColorScheme } from '../../lib/color-scheme.ts';
import { FONT_SCALES, type FontScale, useFontScale } from '../../lib/preferences.ts';

/** The look of this window. */
export function Appearance() {
  const [scheme, setScheme] = useColorScheme();
  const [scale, setScale] = useFontScale();
  return (
    <Card component="section" aria-label="Appearance">
      <Title order={2} size="h5" mb="sm">
        Appearance
      </Title>
      <Stack gap="sm">
        <Field label="Theme">
          <SegmentedControl
            size="xs"
            aria-label="Theme"
            value={scheme}
            onChange={(value) => setScheme(value as typeof scheme)}
            data={[...COLOR_SCHEMES]}
          />
        </Field>
        <Field label="Text size">
          <SegmentedControl
            size="xs"
            aria-label="Text size"
            value={String(scale)}
            onChange={(value) => setScale(Number(value) as FontScale)}
            data={FONT_SCALES.map((value) => ({ value: String(value), label: `${value} %` }))}
          />
        </Field>
        <Text size="xs" c="dimmed">
          Kept in this browser. Motion follows the setting of your system.
        </Text>
      </Stack>
    </Card>
  );
}

function Field({ label, children }: { label: string; children: ReactNode }) {
  return (
    <Group justify="space-between" wrap="nowrap">
      <Text size="sm">{label}</Text>
      {children}
    </Group>
  );
}

/** Which runtime this is, and what it is set up for. */
export function About({ status }: { status: Status }) {
  const { about, providers } = status;
  const rows: [string, ReactNode][] = [
    ['Version', `${about.version} (${about.mode}, ${about.environment})`],
    [
      'Data folder',
      <Group key="folder" gap={2} wrap="nowrap">
        <Text size="sm" truncate title={about.dataDir}>
          {about.dataDir}
        </Text>
        <CopyButton value={about.dataDir} label="Copy the data folder" />
      </Group>,
    ],
    ['Process', `pid ${about.pid}`],
    ['Started', <RelativeTime key="started" at={about.startedAt} />],
    ...providers.map((provider): [string, ReactNode] => [
      provider.name,
      provider.configured ? 'set up' : `not set up: ${provider.setting}`,
    ]),
  ];
  return (
    <Card component="section" aria-label="About">
      <Title order={2} size="h5" mb="xs">
        This runtime
      </Title>
      <Table withRowBorders={false} verticalSpacing={3} horizontalSpacing={0} layout="fixed">
        <Table.Tbody>
          {rows.map(([label, value]) => (
            <Table.Tr key={label}>
              <Table.Th w={120} fw={400} c="dimmed" scope="row">
                {label}
              </Table.Th>
              <Table.Td>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Card>
  );
}
