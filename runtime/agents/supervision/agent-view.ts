import type { Agent } from '../../contract/index.ts';
import type { StoredAgent } from '../setup/agent-registry.ts';
import type { AgentDrills } from './agent-drills.ts';
import type { AgentHistory } from './agent-history.ts';
import type { AgentStatus } from './agent-status.ts';
import type { AgentTurns } from './agent-turns.ts';
import type { ProcessKeeper } from './process-keeper.ts';
import type { Recovery } from './recovery.ts';
import { rehearsable } from './rehearsals.ts';
import { BREAKER_FAILURES } from './restart-policy.ts';

export interface AgentParts {
  stored: StoredAgent;
  status: AgentStatus;
  history: AgentHistory;
  recovery: Recovery;
  drills: AgentDrills;
  turns: AgentTurns;
  keeper: ProcessKeeper;
}

/** An agent as the contract shows it. */
export function viewOf({ stored, status, history, recovery, drills, turns, keeper }: AgentParts): Agent {
  const { generation } = keeper;
  return {
    ...stored.config,
    version: stored.version,
    state: status.state,
    reason: status.reason,
    since: status.since,
    generation: history.generation,
    ...defined({
      pid: generation?.connection.pid,
      startedAt: generation?.startedAt,
      nextRestartAt: recovery.nextRestartAt,
      halfOpenAt: recovery.halfOpenAt,
      agentInfo: generation?.connection.agentInfo,
      capabilities: generation?.connection.capabilities,
      quietSince: turns.quietSince,
      resources: keeper.resources,
    }),
    authMethods: [...(generation?.connection.authMethods ?? [])],
    isProbed: generation?.isReady !== true || generation.isProbed,
    runningTurns: turns.count,
    waitingForYou: turns.waiting,
    restarts: keeper.restarts,
    attempt: recovery.attempt,
    failures: recovery.history.failures,
    breakerLimit: BREAKER_FAILURES,
    drills: rehearsable(generation),
    drillResults: drills.results,
    exits: history.exits,
    heartbeats: keeper.heartbeats.list(),
  };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what is undefined: an absent property is left out of a view, not set to nothing. */
function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
