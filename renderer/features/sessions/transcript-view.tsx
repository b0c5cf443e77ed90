import { Button } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconArrowDown } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import type { SessionDetail } from '#contract';
import classes from './transcript-view.module.css';
import { reuseBlocks, type TurnBlock, turnBlocks } from './turn-blocks.ts';
import { TurnView } from './turn-view.tsx';

/** Closer to the end than this, in pixels, the view follows what is added. */
const FOLLOW_DISTANCE = 48;
/** Height of a turn that has not been drawn yet, in pixels. */
const ESTIMATED_HEIGHT = 220;

/**
 * The turns of a session. Only those in view are in the page, so that thousands stay fast; the newest stays in view
 * unless the user scrolled up.
 */
export function TranscriptView({
  session,
  agentName,
  onSendAgain,
}: {
  session: SessionDetail;
  agentName: string;
  onSendAgain: ((block: TurnBlock) => void) | undefined;
}) {
  const scroller = useRef<HTMLElement>(null);
  const [following, setFollowing] = useState(true);
  const blocks = useStableBlocks(session);
  const lastBlock = blocks.at(-1);
  const reducedMotion = useMediaQuery('(prefers-reduced-motion: reduce)');
  const virtualizer = useVirtualizer({
    count: blocks.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ESTIMATED_HEIGHT,
    getItemKey: (index) => blocks[index]?.id ?? index,
    overscan: 4,
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: FOLLOW_DISTANCE,
    onChange: (instance) => setFollowing(instance.isAtEnd(FOLLOW_DISTANCE)),
  });

  // A transcript opens at its end.
  const opened = useRef(false);
  useEffect(() => {
    if (opened.current || blocks.length === 0) return;
    opened.current = true;
    virtualizer.scrollToEnd({ behavior: 'instant' });
  }, [blocks.length, virtualizer]);

  // A composer that grows takes room from below; who follows the newest goes on seeing it.
  const keepEnd = useEffectEvent(() => {
    if (following) virtualizer.scrollToEnd({ behavior: 'instant' });
  });
  useEffect(() => {
    if (scroller.current === null) return;
    const observer = new ResizeObserver(() => keepEnd());
    observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);

  return (
    <div className={classes.frame}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <section ref={scroller} className={classes.scroller} aria-label="Transcript" tabIndex={0}>
        <div className={classes.size} style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const block = blocks[item.index];
            return (
              block !== undefined && (
                <div
                  key={item.key}
                  ref={virtualizer.measureElement}
                  data-index={item.index}
                  className={classes.item}
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <TurnView
                    block={block}
                    number={item.index + 1}
                    agentName={agentName}
                    waitsForYou={block === lastBlock && session.waitingForYou > 0}
                    onSendAgain={block === lastBlock ? onSendAgain : undefined}
                  />
                </div>
              )
            );
          })}
        </div>
      </section>
      {!following && (
        <Button
          className={classes.jump}
          size="xs"
          radius="xl"
          leftSection={<IconArrowDown size={14} />}
          onClick={() => virtualizer.scrollToEnd({ behavior: reducedMotion ? 'instant' : 'smooth' })}
        >
          Jump to newest
        </Button>
      )}
    </div>
  );
}

/** The blocks of the session; those that say the same as before are the same objects. */
function useStableBlocks(session: SessionDetail): TurnBlock[] {
  const [state, setState] = useState(() => ({ session, blocks: turnBlocks(session) }));
  if (state.session === session) return state.blocks;
  const blocks =
    state.session.messages === session.messages && state.session.turns === session.turns
      ? state.blocks
      : reuseBlocks(state.blocks, turnBlocks(session));
  setState({ session, blocks });
  return blocks;
}
