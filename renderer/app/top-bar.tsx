import {
  ActionIcon,
  Anchor,
  Breadcrumbs,
  Button,
  Group,
  Kbd,
  Menu,
  Text,
  Tooltip,
  UnstyledButton,
} from '@mantine/core';
import { useOs } from '@mantine/hooks';
import {
  IconBroadcast,
  IconCheck,
  IconDeviceDesktop,
  IconHelp,
  IconMoon,
  IconPlayerPauseFilled,
  IconSearch,
  IconSun,
} from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { COLOR_SCHEMES, useColorScheme } from '../lib/color-scheme.ts';
import { formatClock } from '../lib/format.ts';
import { useLiveStatus } from '../lib/live-events.ts';
import { setLivePaused, useLivePausedAt } from '../lib/live-pause.ts';
import { useBreadcrumb } from '../lib/page-title.ts';
import classes from './top-bar.module.css';

const THEME_ICONS = { auto: IconDeviceDesktop, light: IconSun, dark: IconMoon };

/** The header: where one is, whether it is live, the search, the theme. */
export function TopBar({ onSearch, onHelp }: { onSearch: () => void; onHelp: () => void }) {
  const os = useOs();
  return (
    <Group h="100%" px="md" gap="sm" wrap="nowrap" justify="space-between">
      <Trail />
      <Group gap={6} wrap="nowrap" flex="none">
        <LiveToggle />
        <UnstyledButton className={classes.search ?? ''} onClick={onSearch} aria-haspopup="dialog">
          <IconSearch size={14} aria-hidden />
          <Text size="xs" span className={classes.searchText ?? ''}>
            Search or jump to…
          </Text>
          <Kbd>{os === 'macos' ? '⌘ K' : 'Ctrl K'}</Kbd>
        </UnstyledButton>
        <ThemeMenu />
        <Tooltip label="Keyboard shortcuts (?)">
          <ActionIcon color="gray" aria-label="Keyboard shortcuts" onClick={onHelp}>
            <IconHelp size={18} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </Group>
    </Group>
  );
}

function Trail() {
  const crumbs = useBreadcrumb();
  return (
    <Breadcrumbs separatorMargin={6} component="nav" aria-label="Breadcrumb" className={classes.trail ?? ''}>
      {crumbs.map((crumb) =>
        crumb.to === undefined ? (
          <Text key={crumb.label} size="sm" fw={500} lh={1.5} truncate aria-current="page">
            {crumb.label}
          </Text>
        ) : (
          <Anchor key={crumb.label} component={Link} to={crumb.to} size="sm" c="dimmed">
            {crumb.label}
          </Anchor>
        ),
      )}
    </Breadcrumbs>
  );
}

/** Live or paused. While paused nothing on the pages moves; resuming reads everything again. */
function LiveToggle() {
  const pausedAt = useLivePausedAt();
  const { state } = useLiveStatus();
  const connected = state === 'live';
  if (pausedAt !== undefined) {
    return (
      <Tooltip label="The pages stand still. Go on following what happens.">
        <Button
          variant="light"
          color="yellow"
          size="compact-xs"
          leftSection={<IconPlayerPauseFilled size={12} />}
          onClick={() => setLivePaused(false)}
        >
          Paused at {formatClock(pausedAt)}
        </Button>
      </Tooltip>
    );
  }
  return (
    <Tooltip label={connected ? 'The pages follow what happens. Pause them.' : 'Not connected'}>
      <Button
        variant="subtle"
        color="gray"
        size="compact-xs"
        leftSection={<IconBroadcast size={14} className={connected ? classes.live : undefined} />}
        onClick={() => setLivePaused(true)}
        data-live-state={state}
      >
        {connected ? 'Live' : state === 'connecting' ? 'Connecting' : 'Offline'}
      </Button>
    </Tooltip>
  );
}

function ThemeMenu() {
  const [scheme, setScheme] = useColorScheme();
  const [opened, setOpened] = useState(false);
  const Icon = THEME_ICONS[scheme];
  return (
    <Menu position="bottom-end" opened={opened} onChange={setOpened}>
      <Menu.Target>
        <Tooltip label="Theme" disabled={opened}>
          <ActionIcon color="gray" aria-label="Theme">
            <Icon size={18} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        {COLOR_SCHEMES.map(({ value, label }) => {
          const ItemIcon = THEME_ICONS[value];
          return (
            <Menu.Item
              key={value}
              leftSection={<ItemIcon size={16} />}
              rightSection={value === scheme ? <IconCheck size={14} aria-label="chosen" /> : undefined}
              onClick={() => setScheme(value)}
            >
              {label}
            </Menu.Item>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}
