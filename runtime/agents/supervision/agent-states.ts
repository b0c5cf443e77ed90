import type { AgentState } from '../../contract/index.ts';

/**
 * What can happen to an agent. The supervisor turns what it sees (a process, an answer, a click) into one of these; which
 * state follows is decided here and nowhere else.
 * - `launched`: a process was started, it has not answered yet · `restart-asked`: the user wants the next process now
 * - `ready`: it answered `initialize` and the first probe · `ready-unprobed`: it answered `initialize`, but no probe
 * - `turn-began`, `turns-ended`: the first turn began, the last one ended
 * - `answered-idle`, `answered-busy`: a probe was answered in time, without or with a running turn
 * - `answered-slowly`: a probe was answered, but late · `silent`: a probe was not answered in time
 * - `exited`: the process ended with an error and is to be started again · `exited-cleanly`: it ended with exit code 0
 * - `breaker-opened`: it ended with an error once too often · `launch-failed`: there is nothing that could be started
 * - `stopped`: the user or the runtime ended it
 */
export type AgentSignal =
  | 'launched'
  | 'restart-asked'
  | 'ready'
  | 'ready-unprobed'
  | 'turn-began'
  | 'turns-ended'
  | 'answered-idle'
  | 'answered-busy'
  | 'answered-slowly'
  | 'silent'
  | 'exited'
  | 'exited-cleanly'
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
 * The transitions: by signal, then by state. What is not in the table does not change the state. `needs-you` (a permission
 * waits for the user) and `interrupted` are states that nothing enters yet; every way out of them is here already.
 */
export const TRANSITIONS: Readonly<Record<AgentSignal, Row>> = {
  // An agent that comes back stays `restarting` until it serves again: `unknown` would hide the failure.
  launched: { ...from(['unknown', ...WITHOUT_PROCESS], 'unknown'), restarting: 'restarting' },
  'restart-asked': from([...ALIVE, ...WITHOUT_PROCESS], 'restarting'),
  ready: from(['unknown', 'restarting'], 'healthy'),
  'ready-unprobed': from(['unknown', 'restarting'], 'degraded'),
  'turn-began': from(['healthy', 'degraded'], 'busy'),
  // A silent agent stays so until a probe is answered, whatever becomes of its turns.
  'turns-ended': from(['busy', 'needs-you'], 'healthy'),
  'answered-idle': from(['busy', 'degraded', 'unresponsive'], 'healthy'),
  'answered-busy': from(['healthy', 'degraded', 'unresponsive'], 'busy'),
  'answered-slowly': from(['healthy', 'busy'], 'degraded'),
  silent: from(['healthy', 'busy', 'needs-you', 'degraded'], 'unresponsive'),
  exited: from(ALIVE, 'restarting'),
  'exited-cleanly': from(ALIVE, 'stopped'),
  'breaker-opened': from(ALIVE, 'crash-loop'),
  'launch-failed': from([...ALIVE, ...WITHOUT_PROCESS], 'crashed'),
  stopped: from([...ALIVE, 'crashed', 'crash-loop', 'interrupted'], 'stopped'),
};

/** The state after a signal; the same state when the signal means nothing in it. */
export function nextState(state: AgentState, signal: AgentSignal): AgentState {
  return TRANSITIONS[signal][state] ?? state;
}
