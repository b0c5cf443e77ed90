import {
  Alert,
  Badge,
  Button,
  Card,
  Code,
  Group,
  SegmentedControl,
  SimpleGrid,
  Skeleton,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { IconSearch, IconShieldLock } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Setting, Status } from '#contract';
import { CopyButton } from '../../components/copy.tsx';
import { NoMatches } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { api } from '../../lib/api.ts';
import { COLOR_SCHEMES, useColorScheme } from '../../lib/color-scheme.ts';
import { FONT_SCALES, type FontScale, useFontScale } from '../../lib/preferences.ts';
import { type RawSearch, textOf, useUrlState } from '../../lib/url-state.ts';
import { BudgetSection } from './budget-section.tsx';
import { SecretSection } from './secret-section.tsx';
import { groupSettings } from './setting-groups.ts';
import { StorageSection } from './storage-section.tsx';

function parseSettingsState(search: RawSearch) {
  return { search: textOf(search, 'search') };
}

/** What is in force and where it comes from; the look of this window. */
export function SettingsPage() {
  const [{ search = '' }, change] = useUrlState(parseSettingsState);
  const settings = useQuery(api.settings.list.queryOptions());
  const status = useQuery(api.status.get.queryOptions());
  const groups = groupSettings(settings.data?.items ?? [], search);
  return (
    <Stack maw={1080} mx="auto">
      <PageHeader
        title="Settings"
        description="Each setting is an environment variable or a line of settings.json, read when the runtime starts."
      />
      <Alert color="petrol" icon={<IconShieldLock />} title="Nothing leaves this machine">
        No account, no telemetry, no update check. Only an agent itself may use the network: the built-in chat
        talks with the model provider whose key you set, a command of yours does what it does.
      </Alert>
      {status.data?.about.warnings.map((warning) => (
        <Alert key={`${warning.code} ${warning.message}`} color="yellow" title={warning.message}>
          <Code bg="transparent">{warning.code}</Code>
        </Alert>
      ))}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Appearance />
        {status.data !== undefined && <About status={status.data} />}
      </SimpleGrid>
      <StorageSection health={status.data?.health.components.storage} />
      <BudgetSection />
      <SecretSection />
      <TextInput
        data-page-filter
        aria-label="Search settings"
        placeholder="Search settings"
        leftSection={<IconSearch size={14} />}
        w={300}
        value={search}
        onChange={(event) => change({ search: event.currentTarget.value || undefined }, { replace: true })}
      />
      {settings.error !== null && (
        <ErrorCard
          error={settings.error}
          what="The settings could not be loaded"
          onRetry={() => void settings.refetch()}
        />
      )}
      {settings.isPending && <Skeleton h={320} />}
      {settings.data !== undefined && groups.length === 0 && (
        <NoMatches
          text={`No setting matches “${search}”`}
          action={
            <Button variant="default" onClick={() => change({ search: undefined })}>
              Clear the search
            </Button>
          }
        />
      )}
      {groups.map((group) => (
        <SettingTable key={group.name} name={group.name} settings={group.settings} />
      ))}
    </Stack>
  );
}

function Appearance() {
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

function About({ status }: { status: Status }) {
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

const SOURCES: Readonly<Record<Setting['source'], { label: string; color: string }>> = {
  default: { label: 'default', color: 'gray' },
  environment: { label: 'environment', color: 'petrol' },
  file: { label: 'settings.json', color: 'grape' },
};

function SettingTable({ name, settings }: { name: string; settings: readonly Setting[] }) {
  return (
    <Card component="section" aria-label={name} p={0}>
      <Title order={2} size="h5" px="md" pt="sm" pb={4} tt="capitalize">
        {name}
      </Title>
      <Table.ScrollContainer minWidth={640} type="native">
        <Table layout="fixed" horizontalSpacing="md">
          <Table.Thead>
            <Table.Tr>
              <Table.Th w="30%">Setting</Table.Th>
              <Table.Th>What it does</Table.Th>
              <Table.Th w="22%">Value</Table.Th>
              <Table.Th w={148}>From</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {settings.map((setting) => (
              <Table.Tr key={setting.name}>
                <Table.Td>
                  <Code bg="transparent" px={0}>
                    {setting.name}
                  </Code>
                </Table.Td>
                <Table.Td>
                  <Text size="sm" c="dimmed">
                    {setting.description}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
                    {setting.value === '' ? 'not set' : setting.value}
                  </Text>
                  {setting.source !== 'default' && setting.defaultValue !== '' && (
                    <Text size="xs" c="dimmed">
                      default {setting.defaultValue}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td>
                  <Badge variant="light" size="sm" tt="none" color={SOURCES[setting.source].color}>
                    {SOURCES[setting.source].label}
                  </Badge>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Card>
  );
}
