import {
  IconArchive,
  IconDiamond,
  IconGauge,
  IconMessages,
  IconRobot,
  IconSettings,
  IconTimelineEvent,
  type TablerIcon,
} from '@tabler/icons-react';

export interface PageEntry {
  readonly label: string;
  readonly to: '/' | '/needs-you' | '/sessions' | '/agents' | '/events' | '/backups' | '/settings';
  readonly icon: TablerIcon;
  /** Pressed after `g`. */
  readonly key: string;
}

/** The pages in the rail, from the top down; Settings stands at the bottom. */
export const PAGES: readonly PageEntry[] = [
  { label: 'Overview', to: '/', icon: IconGauge, key: 'o' },
  { label: 'Needs you', to: '/needs-you', icon: IconDiamond, key: 'n' },
  { label: 'Sessions', to: '/sessions', icon: IconMessages, key: 's' },
  { label: 'Agents', to: '/agents', icon: IconRobot, key: 'a' },
  { label: 'Events', to: '/events', icon: IconTimelineEvent, key: 'e' },
  { label: 'Backups', to: '/backups', icon: IconArchive, key: 'b' },
];

export const SETTINGS_PAGE: PageEntry = {
  label: 'Settings',
  to: '/settings',
  icon: IconSettings,
  key: ',',
};
