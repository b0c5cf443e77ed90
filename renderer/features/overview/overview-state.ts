import { type AgentState, agentState } from '#contract';
import { choiceOf, type RawSearch } from '../../lib/url-state.ts';

/** How far back the charts go. The runtime keeps one day. */
export const TIME_RANGES = {
  '5m': { label: '5 m', minutes: 5 },
  '15m': { label: '15 m', minutes: 15 },
  '1h': { label: '1 h', minutes: 60 },
  '6h': { label: '6 h', minutes: 360 },
  '24h': { label: '24 h', minutes: 1440 },
} as const;
export type TimeRange = keyof typeof TIME_RANGES;

const DEFAULT_RANGE: TimeRange = '15m';

export interface OverviewState {
  /** Only agents in this state are listed. */
  readonly state: AgentState | undefined;
  readonly range: TimeRange;
}

/** What the address of the Overview says. */
export function parseOverviewState(search: RawSearch): OverviewState {
  return {
    state: choiceOf(search, 'state', agentState.options),
    range: choiceOf(search, 'range', Object.keys(TIME_RANGES) as TimeRange[]) ?? DEFAULT_RANGE,
  };
}
