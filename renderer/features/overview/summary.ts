import type {
  Agent,
  AgentState,
  Backup,
  BudgetNotice,
  Health,
  NeedsYouItem,
  Session,
  Status,
} from '#contract';
import { AGENT_STATES_WORST_FIRST, STATUS_LOOKS } from '../../components/status-vocabulary.ts';
import { formatBudget, formatCount } from '../../lib/format.ts';

/** States that always have a tile, the worst first; others get one only while an agent is in them. */
const STANDING_TILES: readonly AgentState[] = [
  'needs-you',
  'crash-loop',
  'unresponsive',
  'degraded',
  'busy',
  'healthy',
  'stopped',
];

/** A sentence with more kinds of trouble than this is not read in two seconds. */
const KINDS_NAMED = 3;

/** States in which an agent works as it should. */
const FINE: readonly AgentState[] = ['healthy', 'busy'];
/** States that are nobody's fault and need nothing. */
const AT_REST: readonly AgentState[] = ['stopped', 'unknown'];

export interface Tile {
  readonly state: AgentState;
  readonly count: number;
}

/** The counts of agents by state, the worst first. */
export function tilesOf(agents: readonly Agent[]): Tile[] {
  return AGENT_STATES_WORST_FIRST.map((state) => ({
    state,
    count: agents.filter((agent) => agent.state === state).length,
  })).filter(({ state, count }) => count > 0 || STANDING_TILES.includes(state));
}

export interface Sentence {
  readonly text: string;
  /** The worst state, whose shape stands before the sentence. */
  readonly state: AgentState;
}

/**
 * How everything is, in one sentence: "All 7 agents healthy", "1 needs you, 1 unresponsive". What waits for the user is
 * counted by item: one agent may ask for several things, and a budget asks when its agent is healthy again.
 */
export function sentenceOf(
  agents: readonly Agent[],
  health: Health | undefined,
  items: readonly NeedsYouItem[] = [],
): Sentence {
  const down = health && Object.entries(health.components).find(([, each]) => each.status === 'unhealthy');
  if (down !== undefined) {
    return { text: down[1].message ?? `${componentName(down[0])} is unhealthy`, state: 'crashed' };
  }
  if (agents.length === 0 && items.length === 0) return { text: 'No agents yet', state: 'unknown' };
  const wrong = tilesOf(agents)
    .map((tile) =>
      tile.state === 'needs-you' ? { ...tile, count: Math.max(tile.count, items.length) } : tile,
    )
    .filter(({ state, count }) => count > 0 && !FINE.includes(state) && !AT_REST.includes(state));
  const worst = wrong[0];
  if (worst !== undefined) {
    const words = wrong.map(({ state, count }) =>
      state === 'needs-you' && count > 1
        ? `${count} need you`
        : `${count} ${STATUS_LOOKS[state].label.toLowerCase()}`,
    );
    const rest = wrong.slice(KINDS_NAMED).reduce((sum, { count }) => sum + count, 0);
    const named = words.slice(0, KINDS_NAMED).join(', ');
    return { text: rest > 0 ? `${named} and ${rest} more` : named, state: worst.state };
  }
  const fine = agents.filter((agent) => FINE.includes(agent.state)).length;
  const resting = agents.length - fine;
  if (fine === 0) return { text: `${formatCount(resting, 'agent')} not running`, state: 'stopped' };
  if (resting > 0)
    return { text: `${formatCount(fine, 'agent')} healthy, ${resting} not running`, state: 'healthy' };
  return { text: fine === 1 ? 'Your agent is healthy' : `All ${fine} agents healthy`, state: 'healthy' };
}

/** What is still known when the runtime cannot be reached: nobody may take it for how things are now. */
export function lastKnown(sentence: Sentence): Sentence {
  return { text: `Not connected. Last known: ${sentence.text}`, state: 'unknown' };
}

function componentName(key: string): string {
  const names: Readonly<Record<string, string>> = {
    storage: 'The storage',
    eventBus: 'The event bus',
    agentMonitor: 'The agent monitor',
    sessions: 'The session service',
  };
  return names[key] ?? key;
}

/** One thing that waits for the user. */
export type Todo =
  | {
      readonly kind: 'item';
      readonly key: string;
      readonly item: NeedsYouItem;
      readonly name: string;
      readonly text: string;
    }
  | { readonly kind: 'budget'; readonly key: string; readonly text: string }
  | { readonly kind: 'agent'; readonly key: string; readonly agent: Agent; readonly text: string }
  | { readonly kind: 'session'; readonly key: string; readonly session: Session; readonly text: string }
  | { readonly kind: 'backup'; readonly key: string; readonly text: string }
  | { readonly kind: 'damaged'; readonly key: string; readonly backup: Backup; readonly text: string }
  | { readonly kind: 'warning'; readonly key: string; readonly text: string };

const TODOS_SHOWN = 5;
/** What makes an agent `needs-you` is listed by itself. */
const WAITING: readonly AgentState[] = ['crash-loop', 'crashed', 'unresponsive', 'degraded'];

/** At most five things to act on, the most urgent first, and how many more there are. */
export function todosOf(facts: {
  readonly agents: readonly Agent[];
  readonly items: readonly NeedsYouItem[];
  readonly budgets: readonly BudgetNotice[];
  /** Sessions that were cut off. */
  readonly sessions: readonly Session[];
  readonly backups: readonly Backup[] | undefined;
  readonly hasSessions: boolean;
  readonly warnings: Status['about']['warnings'];
}): { readonly shown: Todo[]; readonly more: number } {
  const nameOf = (id: string) => facts.agents.find((agent) => agent.id === id)?.name ?? id;
  const agents = WAITING.flatMap((state) => facts.agents.filter((agent) => agent.state === state)).map(
    (agent): Todo => ({
      kind: 'agent',
      key: `agent ${agent.id}`,
      agent,
      text: agent.reason === '' ? STATUS_LOOKS[agent.state].meaning : agent.reason,
    }),
  );
  const sessions = facts.sessions.map(
    (session): Todo => ({
      kind: 'session',
      key: `session ${session.id}`,
      session,
      text: 'Its last turn was cut off.',
    }),
  );
  const items = facts.items.map(
    (item): Todo => ({
      kind: 'item',
      key: `item ${item.id}`,
      item,
      name: nameOf(item.agentId),
      text: item.title,
    }),
  );
  const budgets = facts.budgets
    .filter(({ scope }) => scope === 'day' || scope === 'agent')
    .map(
      ({ scope, subject, unit, used, limit }): Todo => ({
        kind: 'budget',
        key: `budget ${scope} ${subject} ${unit}`,
        text: `${formatBudget(used, unit)} of ${formatBudget(limit, unit)} used today${scope === 'agent' ? ` by ${nameOf(subject)}` : ''}`,
      }),
    );
  const warnings = facts.warnings.map(
    ({ code, message }): Todo => ({ kind: 'warning', key: `warning ${code} ${message}`, text: message }),
  );
  const newest = facts.backups?.[0];
  const damaged: Todo[] =
    newest?.state === 'damaged'
      ? [
          {
            kind: 'damaged',
            key: 'damaged',
            backup: newest,
            text: `The newest backup is damaged${newest.problem ? `: ${newest.problem}` : '.'}`,
          },
        ]
      : [];
  const missing: Todo[] =
    facts.hasSessions && facts.backups?.length === 0
      ? [{ kind: 'backup', key: 'backup', text: 'There is no backup yet.' }]
      : [];
  const all = [...items, ...agents, ...damaged, ...sessions, ...budgets, ...warnings, ...missing];
  return { shown: all.slice(0, TODOS_SHOWN), more: Math.max(0, all.length - TODOS_SHOWN) };
}
