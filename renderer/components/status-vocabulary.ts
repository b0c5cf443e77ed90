import type { AgentState, Job, SessionStatus, TurnState } from '#contract';

/** Every status that the console shows, of whatever: each has one shape, one colour and one word. */
export type StatusKind = AgentState | SessionStatus | TurnState | Job['state'];

/** The outline that carries the meaning where colour cannot. Drawn in `status-shape.tsx`. */
export type StatusShapeName =
  | 'circle-check'
  | 'dot'
  | 'ring'
  | 'diamond-exclamation'
  | 'triangle'
  | 'hexagon-clock'
  | 'circular-arrow'
  | 'square-pause'
  | 'octagon-cross'
  | 'half-circle'
  | 'hollow-circle'
  | 'dashed-circle';

/** The tone names a pair of colours in `app/theme.css`, one for each theme, both with enough contrast. */
export type StatusTone = 'good' | 'active' | 'attention' | 'warning' | 'bad' | 'paused' | 'neutral';

export interface StatusLook {
  readonly label: string;
  readonly shape: StatusShapeName;
  readonly tone: StatusTone;
  /** What it means, for a tooltip and for the legend. */
  readonly meaning: string;
}

export const STATUS_LOOKS: Readonly<Record<StatusKind, StatusLook>> = {
  healthy: {
    label: 'Healthy',
    shape: 'circle-check',
    tone: 'good',
    meaning: 'It answered the last probe and is idle.',
  },
  idle: { label: 'Idle', shape: 'dot', tone: 'neutral', meaning: 'Nothing runs.' },
  busy: { label: 'Busy', shape: 'ring', tone: 'active', meaning: 'A turn is running.' },
  'needs-you': {
    label: 'Needs you',
    shape: 'diamond-exclamation',
    tone: 'attention',
    meaning: 'It waits for your answer.',
  },
  degraded: {
    label: 'Degraded',
    shape: 'triangle',
    tone: 'warning',
    meaning: 'It answers slowly or with errors.',
  },
  unresponsive: {
    label: 'Unresponsive',
    shape: 'hexagon-clock',
    tone: 'bad',
    meaning: 'The process is alive, but it does not answer.',
  },
  restarting: {
    label: 'Restarting',
    shape: 'circular-arrow',
    tone: 'active',
    meaning: 'It ended and is started again after a pause.',
  },
  'crash-loop': {
    label: 'Crash loop',
    shape: 'square-pause',
    tone: 'bad',
    meaning: 'It ended too often: it is tried again after a long pause, or when you ask.',
  },
  crashed: {
    label: 'Crashed',
    shape: 'octagon-cross',
    tone: 'bad',
    meaning: 'The process ended with an error.',
  },
  interrupted: {
    label: 'Interrupted',
    shape: 'half-circle',
    tone: 'paused',
    meaning: 'The app or the agent stopped in the middle of the work.',
  },
  stopped: {
    label: 'Stopped',
    shape: 'hollow-circle',
    tone: 'neutral',
    meaning: 'Stopped by you, or ended by itself.',
  },
  unknown: { label: 'Unknown', shape: 'dashed-circle', tone: 'neutral', meaning: 'Not known yet.' },
  running: { label: 'Running', shape: 'ring', tone: 'active', meaning: 'It is under way.' },
  completed: { label: 'Completed', shape: 'circle-check', tone: 'good', meaning: 'It ended well.' },
  succeeded: { label: 'Succeeded', shape: 'circle-check', tone: 'good', meaning: 'It ended well.' },
  cancelled: { label: 'Cancelled', shape: 'hollow-circle', tone: 'neutral', meaning: 'You cancelled it.' },
  failed: { label: 'Failed', shape: 'octagon-cross', tone: 'bad', meaning: 'It ended with an error.' },
};

/** The states of an agent, the worst first: the order of tiles and lists. A group shows its worst member. */
export const AGENT_STATES_WORST_FIRST: readonly AgentState[] = [
  'needs-you',
  'crash-loop',
  'crashed',
  'unresponsive',
  'degraded',
  'restarting',
  'interrupted',
  'busy',
  'healthy',
  'unknown',
  'stopped',
];

/** The colour of a tone, as CSS. */
export function toneColor(tone: StatusTone): string {
  return `var(--tone-${tone})`;
}
