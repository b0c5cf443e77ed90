import type { AgentState } from '../../contract/index.ts';

/**
 * What can happen to an agent. The supervisor turns what it sees (a process, an answer, a click) into one of these; which
 * state follows is decided here and nowhere else.
 * - `launched`: a process was started, it has not answered yet · `restart-asked`: the next process is wanted now, by the
 *   user or by the half-open try of an open breaker
 * - `ready`: it answered `initialize` and the first probe · `ready-unprobed`: it answered `initialize`, but no probe
 * - `turn-began`: the first turn began · `turns-ended`: the last one ended, and the newest probe was answered in time ·
 *   `turns-ended-unproven`: the last one ended, and no probe was answered, or the newest one late
 * - `waits`: something of a running turn waits for the user · `waits-no-more`: nothing of it does any more
 * - `answered-idle`, `answered-busy`, `answered-waiting`: a probe was answered in time, without a running turn, with one,
 *   with one that waits for the user
 * - `answered-slowly`: a probe was answered, but late · `silent`: a probe was not answered in time
 * - `exited`: the process ended with an error and is to be started again · `exited-cleanly`: it ended with exit code 0
 * - `start-refused`: the system could not start a process at the moment; it is to be tried again
 * - `breaker-opened`: it failed once too often · `launch-failed`: there is nothing that could be started
 * - `stopped`: the user or the runtime ended it
 */
export type AgentSignal =
  | 'launched'
  | 'restart-asked'
  | 'ready'
  | 'ready-unprobed'
  | 'turn-began'
  | 'turns-ended'
  | 'turns-ended-unproven'
  | 'waits'
  | 'waits-no-more'
  | 'answered-idle'
  | 'answered-busy'
  | 'answered-waiting'
  | 'answered-slowly'
  | 'silent'
  | 'exited'
  | 'exited-cleanly'
  | 'start-refused'
  | 'breaker-opened'
  | 'launch-failed'
  | 'stopped';

type Row = Partial<Record<AgentState, AgentState>>;

/** The same step out of several states. */
function from(states: readonly AgentState[], to: AgentState): Row {
  return Object.fromEntries(states.map((state) => [state, to]));
}

/** States in which there is no process. */
const WITHOUT_PROCESS = ['stopped', 'crashed', 'crash-loop', 'interrupted'] as const;
/** States in which a process runs and has been ready. */
const SERVING = ['healthy', 'busy', 'needs-you', 'degraded', 'unresponsive'] as const;
/** States in which a process runs; `unknown` is one that is starting, `restarting` one that is starting again. */
const ALIVE = ['unknown', 'restarting', ...SERVING] as const;

/**
 * The transitions: by signal, then by state. What is not in the table does not change the state. Three rules are kept by it:
 * - `healthy` is entered only by an answered probe, or at the end of a turn when the newest probe was answered in time.
 *   An agent that answers no probes is `degraded` when idle, and `busy` or `needs-you` with a turn.
 * - `unresponsive` is left only by an answer or by the end of the process, whatever becomes of its turns.
 * - `interrupted` is a first state only: the app ended in mid-work, and the agent was not started again since.
 */
export const TRANSITIONS: Readonly<Record<AgentSignal, Row>> = {
  // An agent that comes back stays `restarting` until it serves again: `unknown` would hide the failure.
  launched: { ...from(['unknown', ...WITHOUT_PROCESS], 'unknown'), restarting: 'restarting' },
  'restart-asked': from([...ALIVE, ...WITHOUT_PROCESS], 'restarting'),
  ready: from(['unknown', 'restarting'], 'healthy'),
  'ready-unprobed': from(['unknown', 'restarting'], 'degraded'),
  'turn-began': from(['healthy', 'degraded'], 'busy'),
  'turns-ended': from(['busy', 'needs-you'], 'healthy'),
  'turns-ended-unproven': from(['busy', 'needs-you'], 'degraded'),
  waits: from(['busy', 'degraded'], 'needs-you'),
  'waits-no-more': from(['needs-you'], 'busy'),
  'answered-idle': from(['busy', 'degraded', 'unresponsive'], 'healthy'),
  'answered-busy': from(['healthy', 'degraded', 'unresponsive'], 'busy'),
  'answered-waiting': from(['healthy', 'busy', 'degraded', 'unresponsive'], 'needs-you'),
  // What the user can do something about is shown before what he can only wait for: `needs-you` stays.
  'answered-slowly': from(['healthy', 'busy', 'unresponsive'], 'degraded'),
  silent: from(['healthy', 'busy', 'needs-you', 'degraded'], 'unresponsive'),
  exited: from(ALIVE, 'restarting'),
  'exited-cleanly': from(ALIVE, 'stopped'),
  'start-refused': from([...ALIVE, ...WITHOUT_PROCESS], 'restarting'),
  'breaker-opened': from(ALIVE, 'crash-loop'),
  'launch-failed': from([...ALIVE, ...WITHOUT_PROCESS], 'crashed'),
  stopped: from([...ALIVE, 'crashed', 'crash-loop', 'interrupted'], 'stopped'),
};

/** The state after a signal; the same state when the signal means nothing in it. */
export function nextState(state: AgentState, signal: AgentSignal): AgentState {
  return TRANSITIONS[signal][state] ?? state;
}

/** The state of an agent whose app has just started, by its configuration and what was kept of it. */
export function firstState(known: {
  autostart: boolean;
  desired: 'running' | 'stopped';
  inTurn: boolean;
  isBreakerOpen: boolean;
}): { state: AgentState; reason: string } {
  if (known.desired === 'stopped') return { state: 'stopped', reason: 'Stopped by the user' };
  if (!known.autostart) {
    return known.inTurn
      ? { state: 'interrupted', reason: 'The app ended while it was answering a prompt' }
      : { state: 'stopped', reason: 'It does not start by itself' };
  }
  return known.isBreakerOpen
    ? { state: 'crash-loop', reason: 'It kept crashing before the app was started' }
    : { state: 'unknown', reason: 'Not started yet' };
}
