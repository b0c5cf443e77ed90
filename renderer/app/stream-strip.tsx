import { Button, Group, Text } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { adviceFor } from '../lib/error-advice.ts';
import { formatClock } from '../lib/format.ts';
import { reconnectLiveEvents, useLiveStatus } from '../lib/live-events.ts';
import { useNow } from '../lib/now.ts';
import classes from './stream-strip.module.css';

/** A break shorter than this is not worth a word. */
const QUIET_MS = 3_000;

/** Says that what is on the screen may be out of date: amber after 3 s, red after 10 s. */
export function StreamStrip() {
  const { state, since, lastDataAt, error } = useLiveStatus();
  const broken = state === 'reconnecting' || state === 'lost';
  const noticed = useNow((now) => broken && now - since >= QUIET_MS);
  return (
    // The region is always there, so that a screen reader announces what comes into it.
    <div role="status">
      {noticed && (
        <Group className={classes.strip ?? ''} data-state={state} gap="sm" wrap="nowrap">
          <IconPlugConnectedX size={16} aria-hidden />
          <Text size="sm" fw={500} flex="none">
            {state === 'reconnecting'
              ? 'Reconnecting to the runtime…'
              : lastDataAt === undefined
                ? 'The runtime cannot be reached.'
                : `The runtime cannot be reached: data from ${formatClock(lastDataAt)}.`}
          </Text>
          {state === 'lost' && error !== undefined && <Text size="sm">{adviceFor(error)}</Text>}
          <Button ml="auto" flex="none" variant="default" size="compact-xs" onClick={reconnectLiveEvents}>
            Reconnect now
          </Button>
        </Group>
      )}
    </div>
  );
}
