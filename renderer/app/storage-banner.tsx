import { Button, Group, Progress, Text, VisuallyHidden } from '@mantine/core';
import {
  IconArrowsSplit2,
  IconDatabaseOff,
  IconDatabaseX,
  IconRefresh,
  type TablerIcon,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useRouterState } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { StorageOutage } from '#contract';
import { toastSuccess } from '../components/toast.tsx';
import { api } from '../lib/api.ts';
import { formatBytes, formatClock, formatCount, formatDuration, formatNumber } from '../lib/format.ts';
import { useLiveEvents } from '../lib/live-events.ts';
import { useLiveInterval } from '../lib/live-pause.ts';
import { useNow } from '../lib/now.ts';
import classes from './storage-banner.module.css';

/** While something is going on, the figures are read this often, in ms. */
const CLOSE_LOOK_MS = 1_000;

/**
 * Over every page while the storage is away, takes the journal over, or has left something to decide. Nothing otherwise.
 */
export function StorageBanner() {
  const status = useQuery(api.status.get.queryOptions());
  const storage = status.data?.storage;
  // An observer of its own, because the others do not need to look that closely.
  useQuery({
    ...api.status.get.queryOptions({ refetchInterval: useLiveInterval(CLOSE_LOOK_MS) }),
    enabled: storage !== undefined && storage.state !== 'normal',
  });
  useLiveEvents('storage.recovered', ({ data }) => {
    const taken = data.commits === 1 ? '1 change has' : `${formatNumber(data.commits)} changes have`;
    toastSuccess(`The storage is back after ${formatDuration(data.durationMs)}: ${taken} been taken over.`);
  });
  return (
    <>
      {/* Always there, so that a screen reader announces what comes into it; without the figures, which change all the time. */}
      <VisuallyHidden role="status">{storage !== undefined && ANNOUNCED[storage.state]}</VisuallyHidden>
      {storage !== undefined && <Content storage={storage} />}
    </>
  );
}

const ANNOUNCED: Readonly<Record<StorageOutage['state'], string | undefined>> = {
  normal: undefined,
  degraded: 'The storage cannot be reached.',
  draining: 'The storage is back and takes over the journal.',
};

function Content({ storage }: { storage: StorageOutage }) {
  const pathname = useRouterState({ select: (router) => router.location.pathname });
  if (storage.state === 'degraded') return <Lost storage={storage} />;
  if (storage.state === 'draining') return <Draining storage={storage} />;
  if (storage.setAside !== undefined) {
    return (
      <Banner
        kind="lost"
        icon={IconDatabaseX}
        action={
          <Button
            component={Link}
            to="/backups"
            search={{ restore: 'newest' } as never}
            variant="default"
            size="compact-xs"
          >
            Restore the newest backup…
          </Button>
        }
      >
        <b>The data file was damaged and has been set aside; the console has started without data.</b>{' '}
        {storage.setAside}
      </Banner>
    );
  }
  if (storage.conflicts > 0 && pathname !== '/conflicts') {
    return (
      <Banner
        kind="notice"
        icon={IconArrowsSplit2}
        action={
          <Button component={Link} to="/conflicts" variant="default" size="compact-xs">
            Choose what to keep…
          </Button>
        }
      >
        <b>{formatCount(storage.conflicts, 'change')} made while the storage was away</b>{' '}
        {storage.conflicts === 1 ? 'meets another one' : 'meet others'} made elsewhere. Both versions are
        kept.
      </Banner>
    );
  }
  return null;
}

function Lost({ storage }: { storage: StorageOutage }) {
  const { degradedSince = 0, journalCommits, journalBytes, oldestAt } = storage;
  const age = useNow((now) => wholeSeconds(now - degradedSince));
  const oldest = useNow((now) =>
    oldestAt === undefined ? '' : `, the oldest ${wholeSeconds(now - oldestAt)} ago`,
  );
  return (
    <Banner kind="lost" icon={IconDatabaseOff}>
      <b>
        The storage cannot be reached since {formatClock(degradedSince)} ({age}).
      </b>{' '}
      {journalCommits === 0
        ? 'Changes go into a journal on this machine.'
        : `${formatCount(journalCommits, 'change')} (${formatBytes(journalBytes)}${oldest}) wait in the journal on this machine; none is lost.`}{' '}
      Pages show what is in memory; older data is there again once the storage is back. {storage.problem}
    </Banner>
  );
}

function Draining({ storage }: { storage: StorageOutage }) {
  const { done, total } = storage.draining ?? { done: 0, total: 0 };
  const share = total === 0 ? 100 : (done / total) * 100;
  return (
    <Banner
      kind="notice"
      icon={IconRefresh}
      action={<Progress value={share} w={160} size="md" aria-label="Journal taken over" />}
    >
      <b>The storage is back</b> and takes over the journal: {formatNumber(done)} of{' '}
      {formatCount(total, 'change')}, {formatBytes(storage.journalBytes)} to go.
    </Banner>
  );
}

function Banner({
  kind,
  icon: Icon,
  action,
  children,
}: {
  kind: 'lost' | 'notice';
  icon: TablerIcon;
  action?: ReactNode;
  children: ReactNode;
}) {
  return (
    <Group
      component="section"
      aria-label="Storage"
      className={classes.banner ?? ''}
      data-kind={kind}
      gap="sm"
      wrap="nowrap"
    >
      <Icon size={18} aria-hidden style={{ flex: 'none' }} />
      <Text size="sm" component="div" className={classes.text ?? ''} lineClamp={4}>
        {children}
      </Text>
      {action !== undefined && (
        <Group ml="auto" flex="none">
          {action}
        </Group>
      )}
    </Group>
  );
}

/** A duration that is counted up on the screen. */
function wholeSeconds(milliseconds: number): string {
  return formatDuration(Math.max(1, Math.floor(milliseconds / 1000)) * 1000);
}
