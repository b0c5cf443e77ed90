import {
  Button,
  Checkbox,
  Code,
  Group,
  Select,
  Skeleton,
  Stack,
  Text,
  TextInput,
  UnstyledButton,
} from '@mantine/core';
import { useWindowEvent } from '@mantine/hooks';
import {
  IconArrowNarrowLeft,
  IconArrowNarrowRight,
  IconChevronRight,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlugConnected,
  IconSearch,
  IconVolume,
  type TablerIcon,
} from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useMemo, useRef, useState } from 'react';
import type { Agent, ProtocolFrame } from '#contract';
import { CopyButton } from '../../components/copy.tsx';
import { EmptyState, NoMatches } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { formatBytes, formatClock, formatDuration, formatIso, formatNumber } from '../../lib/format.ts';
import { type FrameRow, framesShown, methodsOf, newerThan, prettyText } from './frame-rows.ts';
import classes from './frames-tab.module.css';
import { useFrames } from './use-frames.ts';

const ROW_HEIGHT = 30;

const DIRECTIONS: Readonly<
  Record<ProtocolFrame['direction'], { label: string; meaning: string; icon: TablerIcon }>
> = {
  sent: { label: 'Sent', meaning: 'sent to the agent', icon: IconArrowNarrowRight },
  received: { label: 'Received', meaning: 'received from the agent', icon: IconArrowNarrowLeft },
  noise: { label: 'Noise', meaning: 'a line on its standard output that is no message', icon: IconVolume },
};

const DIRECTION_DATA = (Object.keys(DIRECTIONS) as ProtocolFrame['direction'][]).map((value) => ({
  value,
  label: DIRECTIONS[value].label,
}));

/** What goes over the wire between us and the agent, the newest first, as it happens. */
export function FramesTab({ agent }: { agent: Agent }) {
  /** What stood there when it was paused. */
  const [held, setHeld] = useState<readonly FrameRow[] | undefined>();
  const [direction, setDirection] = useState<ProtocolFrame['direction'] | undefined>();
  const [method, setMethod] = useState<string | undefined>();
  const [text, setText] = useState('');
  const [probes, setProbes] = useState(false);
  const live = useFrames(agent.id);
  const { loaded, error, refetch } = live;
  const rows = held ?? live.rows;
  const paused = held !== undefined;
  const pause = (): void => setHeld((current) => current ?? live.rows);
  const toggle = (): void => setHeld((current) => (current === undefined ? live.rows : undefined));
  useWindowEvent('keydown', (event) => {
    if (event.key !== ' ' || event.defaultPrevented || isForControl(event.target)) return;
    event.preventDefault();
    toggle();
  });
  const methods = useMemo(() => methodsOf(rows), [rows]);
  const shown = useMemo(
    () => framesShown(rows, { direction, method, text, probes }),
    [rows, direction, method, text, probes],
  );
  const clearFilters = (): void => {
    setDirection(undefined);
    setMethod(undefined);
    setText('');
    setProbes(true);
  };
  return (
    <Stack gap="sm">
      <Group gap="xs" wrap="nowrap">
        <Select
          w={104}
          aria-label="Direction"
          placeholder="Both ways"
          clearable
          data={DIRECTION_DATA}
          value={direction ?? null}
          onChange={(value) => setDirection(DIRECTION_DATA.find((each) => each.value === value)?.value)}
        />
        <Select
          w={140}
          aria-label="Method"
          placeholder="Any method"
          clearable
          searchable
          data={methods}
          value={method ?? null}
          onChange={(value) => setMethod(value ?? undefined)}
        />
        <TextInput
          flex={1}
          miw={80}
          type="search"
          aria-label="Text in frames"
          placeholder="Text"
          leftSection={<IconSearch size={14} />}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <Button
          flex="none"
          px={10}
          variant="default"
          leftSection={paused ? <IconPlayerPlay size={14} /> : <IconPlayerPause size={14} />}
          title={paused ? 'Show the newest and follow (Space)' : 'Stand still (Space)'}
          onClick={toggle}
        >
          {paused ? pausedLabel(newerThan(live.rows, held)) : 'Pause'}
        </Button>
      </Group>
      {error !== null && <ErrorCard error={error} what="The frames could not be loaded" onRetry={refetch} />}
      {!loaded ? (
        error === null && <Skeleton h={240} />
      ) : rows.length === 0 ? (
        <EmptyState icon={<IconPlugConnected />} title="No frames yet">
          A frame is one message between the console and the agent; start the agent to see them.
        </EmptyState>
      ) : shown.length === 0 ? (
        <NoMatches
          text={probes ? 'No frames match the filters' : 'No frames but probes match the filters'}
          action={
            <Button variant="default" onClick={clearFilters}>
              Show all frames
            </Button>
          }
        />
      ) : (
        <FrameList rows={shown} paused={paused} onAway={pause} />
      )}
      <Group justify="space-between">
        <Text size="xs" c="dimmed">
          {formatNumber(shown.length)} of {formatNumber(rows.length)} frames · secrets are redacted
        </Text>
        <Checkbox
          size="xs"
          label="Probes too"
          checked={probes}
          onChange={(event) => setProbes(event.currentTarget.checked)}
        />
      </Group>
    </Stack>
  );
}

function pausedLabel(fresh: number): string {
  return fresh === 0 ? 'Paused' : `Paused · ${formatNumber(fresh)} new`;
}

/** The key is meant for a field, a control or a dialog. */
function isForControl(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest('input, textarea, select, button, a, pre, [role="dialog"], [role="menu"]') !== null
  );
}

function FrameList({
  rows,
  paused,
  onAway,
}: {
  rows: readonly FrameRow[];
  paused: boolean;
  /** The user reads something: nothing may move away under the eyes. */
  onAway: () => void;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const [expanded, setExpanded] = useState<ReadonlySet<number>>(new Set());
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => rows[index]?.frame.number ?? index,
    overscan: 8,
  });
  // The newest come in at the top; the browser would keep what was there in its place.
  useEffect(() => {
    if (!paused && scroller.current !== null && rows.length > 0) scroller.current.scrollTop = 0;
  }, [rows, paused]);
  const toggle = (number: number): void => {
    onAway();
    setExpanded((current) => {
      const next = new Set(current);
      if (!next.delete(number)) next.add(number);
      return next;
    });
  };
  return (
    <div
      ref={scroller}
      className={classes.scroller}
      onScroll={({ currentTarget }) => {
        if (currentTarget.scrollTop > ROW_HEIGHT) onAway();
      }}
    >
      <ol
        className={classes.list}
        aria-label="Protocol frames"
        style={{ height: virtualizer.getTotalSize() }}
      >
        {virtualizer.getVirtualItems().map((item) => {
          const row = rows[item.index];
          return row === undefined ? null : (
            <li
              key={item.key}
              ref={virtualizer.measureElement}
              data-index={item.index}
              className={classes.item}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <FrameLine row={row} expanded={expanded.has(row.frame.number)} onToggle={toggle} />
            </li>
          );
        })}
      </ol>
    </div>
  );
}

const FrameLine = memo(function FrameLine({
  row,
  expanded,
  onToggle,
}: {
  row: FrameRow;
  expanded: boolean;
  onToggle: (number: number) => void;
}) {
  const { frame, kind, durationMs } = row;
  const { icon: Icon, meaning } = DIRECTIONS[frame.direction];
  return (
    <>
      <UnstyledButton
        className={classes.line ?? ''}
        data-direction={frame.direction}
        aria-expanded={expanded}
        onClick={() => onToggle(frame.number)}
      >
        <IconChevronRight
          size={12}
          className={classes.chevron}
          data-open={expanded || undefined}
          aria-hidden
        />
        <time dateTime={formatIso(frame.at)} title={formatIso(frame.at)}>
          {formatClock(frame.at)}
        </time>
        <Icon size={15} className={classes.direction} role="img" aria-label={meaning} />
        <span className={classes.what}>
          <b>{frame.method ?? (kind === 'noise' ? 'noise' : kind)}</b>{' '}
          {kind === 'noise' ? frame.text : kind === 'answer' ? 'answer' : ''}
          {frame.isError && <span className={classes.error}> error</span>}
        </span>
        {durationMs !== undefined && (
          <span title="From the request to this answer">{formatDuration(durationMs)}</span>
        )}
        <span className={classes.bytes}>{formatBytes(frame.bytes)}</span>
      </UnstyledButton>
      {expanded && <FrameText frame={frame} />}
    </>
  );
});

function FrameText({ frame }: { frame: ProtocolFrame }) {
  const text = prettyText(frame);
  // `bytes` are those of the frame as it was; redaction makes it shorter or longer by a little, cutting by much.
  const isCut = frame.bytes > frame.text.length + 1024;
  return (
    <Group align="flex-start" gap={4} wrap="nowrap" p="xs" pt={4}>
      <Stack gap={4} flex={1} miw={0}>
        <Code block mah={360} style={{ overflow: 'auto' }} tabIndex={0} aria-label={`Frame ${frame.number}`}>
          {text}
        </Code>
        <Text size="xs" c="dimmed">
          frame {formatNumber(frame.number)} · generation {formatNumber(frame.generation)}
          {frame.requestId !== undefined && ` · request ${frame.requestId}`}
          {isCut && ` · only the beginning of ${formatBytes(frame.bytes)}`}
        </Text>
      </Stack>
      <CopyButton value={text} label="Copy frame" />
    </Group>
  );
}
