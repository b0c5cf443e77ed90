import '@mantine/spotlight/styles.css';
import { Text, useMantineColorScheme } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { createSpotlight, Spotlight } from '@mantine/spotlight';
import {
  IconArchive,
  IconBolt,
  IconDeviceDesktop,
  IconDiamond,
  IconHelp,
  IconMessage,
  IconMessagePlus,
  IconMoon,
  IconPlayerPause,
  IconPlayerPlay,
  IconRefresh,
  IconRobot,
  IconSearch,
  IconSun,
} from '@tabler/icons-react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useEffect, useState } from 'react';
import { useAgentCommands as useCommandsToAgents } from '../components/agent-commands.tsx';
import { StatusBadge } from '../components/status-badge.tsx';
import { toastError, toastSuccess } from '../components/toast.tsx';
import { api, client } from '../lib/api.ts';
import { shortId } from '../lib/format.ts';
import { setLivePaused, useLivePausedAt } from '../lib/live-pause.ts';
import { PAGES, SETTINGS_PAGE } from './pages.ts';
import classes from './palette.module.css';
import { useWaiting } from './use-waiting.ts';

const [store, palette] = createSpotlight();

const ICON = { size: 18, stroke: 1.6 } as const;
const FOUND_AT_MOST = 8;

interface Command {
  readonly id: string;
  readonly label: string;
  readonly description?: string;
  readonly icon: ReactNode;
  readonly right?: ReactNode;
  readonly run: () => void;
}

/** Search, go, act: opened with Ctrl/⌘ K. */
export function Palette({
  opened,
  onClose,
  onHelp,
}: {
  opened: boolean;
  onClose: () => void;
  onHelp: () => void;
}) {
  const [query, setQuery] = useState('');
  useEffect(() => {
    if (opened) palette.open();
    else palette.close();
  }, [opened]);

  const wanted = query.trim().toLowerCase();
  const go = matching(useGoCommands(), wanted);
  const act = matching(useActCommands(onHelp), wanted);
  const waiting = matching(useWaitingCommands(), wanted).slice(0, FOUND_AT_MOST);
  const retries = matching(useRetryCommands(), wanted).slice(0, FOUND_AT_MOST);
  const agents = useAgentCommands(wanted);
  const sessions = useSessionCommands(query.trim(), opened);

  const groups = [
    { label: 'Needs you', commands: waiting },
    { label: 'Go to', commands: go },
    { label: 'Do', commands: [...retries, ...act] },
    { label: 'Agents', commands: agents },
    { label: 'Sessions', commands: sessions },
  ].filter((group) => group.commands.length > 0);

  return (
    <Spotlight.Root
      store={store}
      shortcut={null}
      query={query}
      onQueryChange={setQuery}
      onSpotlightClose={onClose}
      scrollable
      maxHeight={420}
      overlayProps={{ backgroundOpacity: 0.35, blur: 0 }}
      classNames={{ action: classes.action ?? '' }}
      attributes={{ content: { 'aria-label': 'Search, go, act' } }}
    >
      <Spotlight.Search
        placeholder="Search pages, actions, agents, sessions by title or id"
        aria-label="Search"
        leftSection={<IconSearch {...ICON} />}
      />
      <Spotlight.ActionsList>
        {groups.length === 0 && <Spotlight.Empty>Nothing matches “{query}”.</Spotlight.Empty>}
        {groups.map((group) => (
          <Spotlight.ActionsGroup key={group.label} label={group.label}>
            {group.commands.map((command) => (
              <Spotlight.Action
                key={command.id}
                label={command.label}
                leftSection={command.icon}
                rightSection={command.right}
                onClick={command.run}
                {...(command.description !== undefined && { description: command.description })}
              />
            ))}
          </Spotlight.ActionsGroup>
        ))}
      </Spotlight.ActionsList>
    </Spotlight.Root>
  );
}

function matching(commands: readonly Command[], wanted: string): readonly Command[] {
  return wanted === '' ? commands : commands.filter(({ label }) => label.toLowerCase().includes(wanted));
}

function useGoCommands(): readonly Command[] {
  const navigate = useNavigate();
  return [...PAGES, SETTINGS_PAGE].map((page) => ({
    id: page.to,
    label: page.label,
    icon: <page.icon {...ICON} />,
    run: () => void navigate({ to: page.to }),
  }));
}

/** What waits for the user: each leads to where it is answered. */
function useWaitingCommands(): readonly Command[] {
  const navigate = useNavigate();
  const { data } = useQuery(api.agents.list.queryOptions());
  return useWaiting().map((item) => ({
    id: `answer ${item.id}`,
    label: `Answer: ${item.title}`,
    description: data?.items.find(({ id }) => id === item.agentId)?.name ?? item.agentId,
    icon: <IconDiamond {...ICON} color="var(--tone-attention)" />,
    run: () => void navigate({ to: '/needs-you', hash: item.id }),
  }));
}

/** Agents that wait for their next try, or have given up: each can be told to try now. */
function useRetryCommands(): readonly Command[] {
  const commands = useCommandsToAgents();
  const { data } = useQuery(api.agents.list.queryOptions());
  return (data?.items ?? [])
    .filter(({ state }) => state === 'restarting' || state === 'crash-loop')
    .map((agent) => ({
      id: `retry ${agent.id}`,
      label: `Retry now: ${agent.name}`,
      description: agent.reason,
      icon: <IconBolt {...ICON} />,
      run: () => commands.retry(agent),
    }));
}

function useActCommands(onHelp: () => void): readonly Command[] {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { setColorScheme } = useMantineColorScheme();
  const paused = useLivePausedAt() !== undefined;
  return [
    {
      id: 'new-session',
      label: 'New session',
      icon: <IconMessagePlus {...ICON} />,
      run: () => {
        client.sessions.create({}).then(
          (session) => navigate({ to: '/sessions/$id', params: { id: session.id } }),
          (error) => toastError(error, 'The session was not created'),
        );
      },
    },
    {
      id: 'back-up-now',
      label: 'Back up now',
      icon: <IconArchive {...ICON} />,
      run: () => {
        client.backups.create().then(
          () => toastSuccess('The backup has started'),
          (error) => toastError(error, 'The backup was not started'),
        );
      },
    },
    {
      id: 'pause',
      label: paused ? 'Resume the live view' : 'Pause the live view',
      icon: paused ? <IconPlayerPlay {...ICON} /> : <IconPlayerPause {...ICON} />,
      run: () => setLivePaused(!paused),
    },
    {
      id: 'refresh',
      label: 'Refresh',
      icon: <IconRefresh {...ICON} />,
      run: () => void queries.invalidateQueries(),
    },
    { id: 'light', label: 'Theme: light', icon: <IconSun {...ICON} />, run: () => setColorScheme('light') },
    { id: 'dark', label: 'Theme: dark', icon: <IconMoon {...ICON} />, run: () => setColorScheme('dark') },
    {
      id: 'auto',
      label: 'Theme: as the system',
      icon: <IconDeviceDesktop {...ICON} />,
      run: () => setColorScheme('auto'),
    },
    { id: 'help', label: 'Keyboard shortcuts', icon: <IconHelp {...ICON} />, run: onHelp },
  ];
}

function useAgentCommands(wanted: string): readonly Command[] {
  const navigate = useNavigate();
  const { data } = useQuery(api.agents.list.queryOptions());
  if (wanted === '') return [];
  return (data?.items ?? [])
    .filter((agent) => agent.name.toLowerCase().includes(wanted) || agent.id.toLowerCase().includes(wanted))
    .slice(0, FOUND_AT_MOST)
    .map((agent) => ({
      id: agent.id,
      label: agent.name,
      description: agent.description,
      icon: <IconRobot {...ICON} />,
      right: <StatusBadge status={agent.state} size="xs" />,
      run: () => void navigate({ to: '/agents/$id', params: { id: agent.id } }),
    }));
}

function useSessionCommands(search: string, opened: boolean): readonly Command[] {
  const navigate = useNavigate();
  const [settled] = useDebouncedValue(search, 150);
  const { data } = useQuery(
    api.sessions.list.queryOptions({
      input: { limit: FOUND_AT_MOST, ...(settled !== '' && { search: settled }) },
      enabled: opened,
      placeholderData: keepPreviousData,
    }),
  );
  return (data?.items ?? []).map((session) => ({
    id: session.id,
    label: session.title,
    icon: <IconMessage {...ICON} />,
    right: (
      <Text size="xs" c="dimmed" ff="monospace">
        {shortId(session.id)}
      </Text>
    ),
    run: () => void navigate({ to: '/sessions/$id', params: { id: session.id } }),
  }));
}
