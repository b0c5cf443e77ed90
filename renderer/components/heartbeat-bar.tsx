import { Tooltip } from '@mantine/core';
import { memo, useState } from 'react';
import type { Agent } from '#contract';
import { formatClock, formatCount, formatDuration } from '../lib/format.ts';
import classes from './heartbeat-bar.module.css';

type Heartbeat = Agent['heartbeats'][number];

/** An answer later than this is drawn as slow; the runtime decides what that means for the state of the agent. */
const SLOW_MS = 1_000;

/**
 * The last probes of an agent, the newest on the right. Height tells as much as colour: low where nothing is known,
 * middle for an answer, full for none. Arrow keys walk through the slots.
 */
export const HeartbeatBar = memo(function HeartbeatBar({
  heartbeats,
  label,
  slots = 60,
  large = false,
}: {
  heartbeats: readonly Heartbeat[];
  /** Whose it is: "Heartbeats of echo". */
  label: string;
  slots?: number;
  /** Higher, and the height of an answer tells how late it came. */
  large?: boolean;
}) {
  const [cursor, setCursor] = useState<number | undefined>();
  const shown = heartbeats.slice(-slots);
  const empty = slots - shown.length;
  const beat = cursor === undefined ? undefined : shown[cursor - empty];
  const description = cursor === undefined ? summary(shown) : slotText(beat);

  const move = (to: number): void => setCursor(Math.max(0, Math.min(slots - 1, to)));

  return (
    <Tooltip label={slotText(beat)} opened={cursor !== undefined} position="top" withinPortal>
      <div
        className={classes.bar}
        data-large={large || undefined}
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-readonly="true"
        aria-valuemin={1}
        aria-valuemax={slots}
        aria-valuenow={(cursor ?? slots - 1) + 1}
        aria-valuetext={description}
        onFocus={(event) => {
          if (event.currentTarget.matches(':focus-visible')) setCursor(slots - 1);
        }}
        onBlur={() => setCursor(undefined)}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          move(Math.floor(((event.clientX - box.left) / box.width) * slots));
        }}
        onPointerLeave={() => setCursor(undefined)}
        onKeyDown={(event) => {
          const from = cursor ?? slots - 1;
          const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: slots - 1 }[event.key];
          if (to === undefined) return;
          event.preventDefault();
          move(to);
        }}
      >
        {Array.from({ length: slots }, (_, slot) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: a slot is its place; what is in it moves through.
            key={slot}
            className={classes.slot}
            data-kind={kindOf(shown[slot - empty])}
            data-cursor={slot === cursor || undefined}
            style={large ? { height: heightOf(shown[slot - empty]) } : undefined}
          />
        ))}
      </div>
    </Tooltip>
  );
});

function kindOf(beat: Heartbeat | undefined): 'none' | 'ok' | 'slow' | 'missed' {
  if (beat === undefined) return 'none';
  if (!beat.ok) return 'missed';
  return (beat.latencyMs ?? 0) > SLOW_MS ? 'slow' : 'ok';
}

/** An answer after 1 ms and less stands at the bottom, one after 10 s at the top; in between each tenfold is a step. */
function heightOf(beat: Heartbeat | undefined): string | undefined {
  if (beat === undefined) return undefined;
  if (!beat.ok) return '100%';
  const share = Math.log10(Math.max(1, beat.latencyMs ?? 1)) / 4;
  return `${Math.round(20 + 75 * Math.min(1, share))}%`;
}

function slotText(beat: Heartbeat | undefined): string {
  if (beat === undefined) return 'No probe';
  const answer = beat.ok ? 'answered' : 'no answer';
  const latency = beat.latencyMs === undefined ? '' : ` in ${formatDuration(beat.latencyMs)}`;
  return `${formatClock(beat.at)} · ${answer}${beat.ok ? latency : ''}`;
}

function summary(beats: readonly Heartbeat[]): string {
  if (beats.length === 0) return 'No probe yet';
  const answered = beats.filter((beat) => beat.ok).length;
  return `${answered} of the last ${formatCount(beats.length, 'probe')} answered`;
}
