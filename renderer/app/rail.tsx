import { ActionIcon, Badge, Box, Group, Indicator, NavLink, Stack, Text, Tooltip } from '@mantine/core';
import { IconLayoutSidebarLeftCollapse, IconLayoutSidebarLeftExpand } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useRouterState } from '@tanstack/react-router';
import { api } from '../lib/api.ts';
import icon from './icon.svg';
import { PAGES, type PageEntry, SETTINGS_PAGE } from './pages.ts';
import classes from './rail.module.css';

/** The pages on the left: 220 pixels with names, 56 without. */
export function Rail({ collapsed, onToggle }: { collapsed: boolean; onToggle: () => void }) {
  const toggle = collapsed ? 'Expand the rail (Ctrl B)' : 'Collapse the rail (Ctrl B)';
  const ToggleIcon = collapsed ? IconLayoutSidebarLeftExpand : IconLayoutSidebarLeftCollapse;
  return (
    <>
      <Group
        className={classes.brand ?? ''}
        gap={10}
        wrap="nowrap"
        justify={collapsed ? 'center' : 'flex-start'}
      >
        <img src={icon} alt="" width={24} height={24} />
        {!collapsed && (
          <Text fw={600} size="md" truncate>
            SmallTalk Console
          </Text>
        )}
      </Group>
      <Stack gap={2} p={8} flex={1}>
        {PAGES.map((page) => (
          <RailLink key={page.to} page={page} collapsed={collapsed} />
        ))}
        <Box flex={1} />
        <RailLink page={SETTINGS_PAGE} collapsed={collapsed} />
        <Group justify={collapsed ? 'center' : 'flex-end'} pt={4}>
          <Tooltip label={toggle} position="right">
            <ActionIcon color="gray" aria-label={toggle} aria-expanded={!collapsed} onClick={onToggle}>
              <ToggleIcon size={18} stroke={1.6} />
            </ActionIcon>
          </Tooltip>
        </Group>
      </Stack>
    </>
  );
}

/** More than this is told as "99+". */
const MOST_COUNTED = 99;

function RailLink({ page, collapsed }: { page: PageEntry; collapsed: boolean }) {
  const waiting = useWaiting(page.to === '/needs-you');
  const path = useRouterState({ select: (state) => state.location.pathname });
  const active = page.to === '/' ? path === '/' : path === page.to || path.startsWith(`${page.to}/`);
  return (
    <Tooltip label={page.label} position="right" disabled={!collapsed}>
      <NavLink
        component={Link}
        to={page.to}
        className={classes.link ?? ''}
        label={collapsed ? undefined : page.label}
        aria-label={waiting > 0 ? `${page.label}, ${waiting} waiting` : page.label}
        aria-current={active ? 'page' : undefined}
        active={active}
        data-collapsed={collapsed || undefined}
        leftSection={
          <Indicator
            size={8}
            color="var(--tone-attention)"
            disabled={!collapsed || waiting === 0}
            aria-hidden
            display="flex"
          >
            <page.icon size={18} stroke={1.7} />
          </Indicator>
        }
        rightSection={
          !collapsed &&
          waiting > 0 && (
            <Badge size="sm" circle={waiting < 10} color="var(--tone-attention)" autoContrast>
              {waiting > MOST_COUNTED ? `${MOST_COUNTED}+` : waiting}
            </Badge>
          )
        }
      />
    </Tooltip>
  );
}

/** How many items wait for the user. */
function useWaiting(enabled: boolean): number {
  const { data } = useQuery(
    api.needsYou.list.queryOptions({ input: { state: 'waiting', limit: 100 }, enabled }),
  );
  // What another link has read is there for this one, too.
  return enabled ? (data?.items.length ?? 0) : 0;
}
