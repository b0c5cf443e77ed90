import {
  Alert,
  Button,
  Code,
  Group,
  SimpleGrid,
  Skeleton,
  Stack,
  Tabs,
  Text,
  TextInput,
} from '@mantine/core';
import { IconSearch, IconShieldLock } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { NoMatches } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { api } from '../../lib/api.ts';
import { choiceOf, type RawSearch, textOf, useUrlState } from '../../lib/url-state.ts';
import { BudgetSection } from './budget-section.tsx';
import { About, Appearance } from './general-section.tsx';
import { SecretSection } from './secret-section.tsx';
import { groupSettings } from './setting-groups.ts';
import { SettingTable } from './setting-table.tsx';
import { StorageSection } from './storage-section.tsx';

const SECTIONS = {
  general: 'General',
  storage: 'Storage',
  budgets: 'Budgets',
  secrets: 'Secrets',
  all: 'All settings',
} as const;
type Section = keyof typeof SECTIONS;
const SECTION_NAMES = Object.keys(SECTIONS) as Section[];

function parseSettingsState(search: RawSearch) {
  const wanted = textOf(search, 'search');
  const section = choiceOf(search, 'section', SECTION_NAMES);
  return { search: wanted, section: section ?? (wanted === undefined ? 'general' : 'all') };
}

/** What is in force and where it comes from; what agents may use and know; the look of this window. */
export function SettingsPage() {
  const [{ search = '', section }, change] = useUrlState(parseSettingsState);
  const status = useQuery(api.status.get.queryOptions());
  return (
    <Stack maw={1080} mx="auto">
      <PageHeader
        title="Settings"
        description="How the console looks, where the data is, and what agents may use."
      />
      {status.data?.about.warnings.map((warning) => (
        <Alert key={`${warning.code} ${warning.message}`} color="yellow" title={warning.message}>
          <Code bg="transparent">{warning.code}</Code>
        </Alert>
      ))}
      <Tabs
        value={section}
        onChange={(value) => change({ section: SECTION_NAMES.find((name) => name === value) })}
        keepMounted={false}
      >
        <Tabs.List mb="md" aria-label="Parts of the settings">
          {SECTION_NAMES.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {SECTIONS[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="general">
          <Stack>
            <Alert color="petrol" icon={<IconShieldLock />} title="Nothing leaves this machine">
              No account, no telemetry, no update check. Only an agent itself may use the network: the
              built-in chat talks with the model provider whose key you set, a command of yours does what it
              does.
            </Alert>
            <SimpleGrid cols={{ base: 1, md: 2 }}>
              <Appearance />
              {status.data !== undefined && <About status={status.data} />}
            </SimpleGrid>
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="storage">
          <StorageSection health={status.data?.health.components.storage} />
        </Tabs.Panel>
        <Tabs.Panel value="budgets">
          <BudgetSection />
        </Tabs.Panel>
        <Tabs.Panel value="secrets">
          <SecretSection />
        </Tabs.Panel>
        <Tabs.Panel value="all">
          <AllSettings
            search={search}
            onSearch={(value) => change({ section: 'all', search: value }, { replace: true })}
          />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function AllSettings({
  search,
  onSearch,
}: {
  search: string;
  onSearch: (search: string | undefined) => void;
}) {
  const settings = useQuery(api.settings.list.queryOptions());
  const groups = groupSettings(settings.data?.items ?? [], search);
  return (
    <Stack>
      <Group justify="space-between" align="flex-end">
        <Text size="sm" c="dimmed">
          Each is an environment variable or a line of settings.json, read when the runtime starts.
        </Text>
        <TextInput
          data-page-filter
          aria-label="Search settings"
          placeholder="Search settings"
          leftSection={<IconSearch size={14} />}
          w={300}
          value={search}
          onChange={(event) => onSearch(event.currentTarget.value || undefined)}
        />
      </Group>
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
            <Button variant="default" onClick={() => onSearch(undefined)}>
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
