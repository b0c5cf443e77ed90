import { type Agent, type AgentState, agentState } from '#contract';
import { AGENT_STATES_WORST_FIRST } from '../../components/status-vocabulary.ts';
import { choiceOf, type RawSearch, textOf } from '../../lib/url-state.ts';

export const SORTS = ['state', 'name', 'since', 'turns', 'memory', 'cpu', 'restarts'] as const;
export type AgentSort = (typeof SORTS)[number];

export interface AgentsState {
  /** The agent whose details are open. */
  readonly agent: string | undefined;
  readonly tab: AgentTab | undefined;
  readonly sort: AgentSort | undefined;
  readonly search: string | undefined;
  readonly state: AgentState | undefined;
}

export const AGENT_TABS = ['now', 'health', 'exits', 'sessions', 'configuration', 'frames'] as const;
export type AgentTab = (typeof AGENT_TABS)[number];

/** What the address of the Agents page says. */
export function parseAgentsState(raw: RawSearch): AgentsState {
  return {
    agent: textOf(raw, 'agent'),
    tab: choiceOf(raw, 'tab', AGENT_TABS),
    sort: choiceOf(raw, 'sort', SORTS),
    search: textOf(raw, 'search'),
    state: choiceOf(raw, 'state', agentState.options),
  };
}

const COMPARE: Readonly<Record<AgentSort, (a: Agent, b: Agent) => number>> = {
  state: (a, b) => AGENT_STATES_WORST_FIRST.indexOf(a.state) - AGENT_STATES_WORST_FIRST.indexOf(b.state),
  name: (a, b) => a.name.localeCompare(b.name),
  since: (a, b) => b.since - a.since,
  turns: (a, b) => b.runningTurns - a.runningTurns,
  memory: (a, b) => (b.resources?.memoryBytes ?? -1) - (a.resources?.memoryBytes ?? -1),
  cpu: (a, b) => (b.resources?.cpuPercent ?? -1) - (a.resources?.cpuPercent ?? -1),
  restarts: (a, b) => b.restarts - a.restarts,
};

/** Whether the column stands with its greatest first. */
export function sortsDown(sort: AgentSort): boolean {
  return sort === 'turns' || sort === 'memory' || sort === 'cpu' || sort === 'restarts';
}

/** The agents that the page lists, in its order; agents that are equal in it stand by name. */
export function agentsShown(
  agents: readonly Agent[],
  { search, state, sort = 'state' }: AgentsState,
): Agent[] {
  const wanted = search?.toLowerCase();
  return agents
    .filter((agent) => state === undefined || agent.state === state)
    .filter(
      (agent) =>
        wanted === undefined ||
        [agent.name, agent.description, agent.id].some((text) => text.toLowerCase().includes(wanted)),
    )
    .toSorted((a, b) => COMPARE[sort](a, b) || COMPARE.name(a, b));
}
