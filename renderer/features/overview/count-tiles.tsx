import { Group, Text, UnstyledButton } from '@mantine/core';
import type { AgentState } from '#contract';
import { StatusShape } from '../../components/status-shape.tsx';
import { STATUS_LOOKS, toneColor } from '../../components/status-vocabulary.ts';
import classes from './count-tiles.module.css';
import type { Tile } from './summary.ts';

/** How many agents are in which state; each tile filters the list of agents. */
export function CountTiles({
  tiles,
  chosen,
  onChoose,
}: {
  tiles: readonly Tile[];
  chosen: AgentState | undefined;
  onChoose: (state: AgentState | undefined) => void;
}) {
  return (
    <fieldset className={classes.tiles} aria-label="Agents by state">
      {tiles.map(({ state, count }) => {
        const look = STATUS_LOOKS[state];
        const color = count > 0 ? toneColor(look.tone) : undefined;
        return (
          <UnstyledButton
            key={state}
            className={classes.tile ?? ''}
            aria-pressed={chosen === state}
            data-empty={count === 0 || undefined}
            onClick={() => onChoose(chosen === state ? undefined : state)}
          >
            <Group gap={6} wrap="nowrap" style={{ color }}>
              <StatusShape shape={look.shape} size={13} />
              <Text span size="xs" fw={500} inherit={false} c="inherit" truncate>
                {look.label}
              </Text>
            </Group>
            <Text span className={`${classes.count} tabular`}>
              {count}
            </Text>
          </UnstyledButton>
        );
      })}
    </fieldset>
  );
}
