import {
  ActionIcon,
  Badge,
  Box,
  Group,
  Indicator,
  NavLink,
  Stack,
  Text,
  Tooltip,
  VisuallyHidden,
} from '@mantine/core';
import { IconLayoutSidebarLeftCollapse, IconLayoutSidebarLeftExpand } from '@tabler/icons-react';
import { Link, useRouterState } from '@tanstack/react-router';
import icon from './icon.svg';
import { PAGES, type PageEntry, SETTINGS_PAGE } from './pages.ts';
import classes from './rail.module.css';

/** The pages on the left: 220 pixels with names, 56 without. */
export function Rail({
  collapsed,
  waiting,
  onToggle,
}: {
  collapsed: boolean;
  /** How many items wait for the user. */
  waiting: number;
  onToggle: () => void;
}) {
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
          <RailLink
            key={page.to}
            page={page}
            collapsed={collapsed}
            waiting={page.to === '/needs-you' ? waiting : 0}
          />
        ))}
        <Box flex={1} />
        <RailLink page={SETTINGS_PAGE} collapsed={collapsed} waiting={0} />
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

function countInWords(count: number): string {
  return count > MOST_COUNTED ? `${MOST_COUNTED}+` : String(count);
}

function RailLink({ page, collapsed, waiting }: { page: PageEntry; collapsed: boolean; waiting: number }) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const active = page.to === '/' ? path === '/' : path === page.to || path.startsWith(`${page.to}/`);
  const name = waiting > 0 ? `${page.label} ${countInWords(waiting)} waiting` : page.label;
  return (
    <Tooltip label={name} position="right" disabled={!collapsed}>
      <NavLink
        component={Link}
        to={page.to}
        className={classes.link ?? ''}
        label={collapsed ? undefined : page.label}
        aria-label={collapsed ? name : undefined}
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
              {countInWords(waiting)}
              <VisuallyHidden> waiting</VisuallyHidden>
            </Badge>
          )
        }
      />
    </Tooltip>
  );
}
