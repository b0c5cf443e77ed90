import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Health, HealthStatus } from '../contract/index.ts';

/** A probe that takes longer counts as a component that is down. */
const PROBE_TIMEOUT_MS = 2000;
/** Answers are good for this long: looking must cost nothing, however many dashboards look. */
const FRESH_MS = 500;
/** From this share of the sessions limit on, the state is degraded. */
const CAPACITY_SHARE = 0.8;
/** More failed agents than this make the whole unhealthy. */
const TOLERABLE_FAILED_AGENTS = 3;

/** What health looks at. A probe that throws, rejects or hangs reports its component as down. */
export interface HealthProbes {
  clock: Clock;
  storage: () => Promise<{
    totalSessions: number;
    sizeBytes: number;
    backendType: string;
    /** Degradation mode: the storage cannot be reached, or has not taken the journal over yet; what there is to say. */
    degraded?: string;
  }>;
  eventBus: () => {
    /** False before its start and after its stop. */
    accepting: boolean;
    published: number;
    delivered: number;
    subscriptions: number;
    averagePropagationMs: number;
  };
  agents: () => {
    total: number;
    healthy: number;
    failed: number;
    disconnected: number;
    recovering: number;
    successfulRecoveries: number;
  };
  sessions: () => { active: number; limit: number; runningTurns: number };
}

export interface HealthMonitor {
  /** Something has changed: the next answer is from a new look. */
  forget(): void;
  /** Never rejects. */
  health(): Promise<Health>;
  /** Ready = storage open, bus accepting, not in degradation mode. Never rejects. */
  ready(): Promise<{ ready: boolean; components: Pick<Health['components'], 'storage' | 'eventBus'> }>;
}

type Components = Health['components'];

const NO_STORAGE = { totalSessions: 0, sizeBytes: 0, backendType: 'unknown' };
const NO_EVENT_BUS = {
  totalEventsPublished: 0,
  totalEventsDelivered: 0,
  activeSubscriptions: 0,
  avgPropagationLatencyMs: 0,
};
const NO_AGENTS = {
  totalAgents: 0,
  healthyAgents: 0,
  disconnectedAgents: 0,
  recoveringAgents: 0,
  successfulRecoveries: 0,
};
const NO_SESSIONS = { activeSessions: 0, maxConcurrentSessions: 0, runningTurns: 0 };

/** Health by the rules of SPEC §4: the whole is as healthy as its worst component. */
export function createHealth(probes: HealthProbes): HealthMonitor {
  const { clock } = probes;
  const startedAt = clock.monotonic();
  let last: { at: number; components: Promise<Components> } | undefined;

  function components(): Promise<Components> {
    const now = clock.monotonic();
    if (last === undefined || now - last.at > FRESH_MS) last = { at: now, components: look() };
    return last.components;
  }

  async function look(): Promise<Components> {
    const [storage, eventBus, agentMonitor, sessions] = await Promise.all([
      storageComponent(),
      eventBusComponent(),
      agentComponent(),
      sessionsComponent(),
    ]);
    return { storage, eventBus, agentMonitor, sessions };
  }

  /** The answer of a probe, in time; otherwise the component is down, and says why. */
  async function component<T, D>(
    probe: () => T | Promise<T>,
    nothing: D,
    judge: (answer: T) => { status: HealthStatus; message?: string; details: D },
  ): Promise<{ status: HealthStatus; message?: string; details: D }> {
    try {
      return judge(await inTime(clock, probe));
    } catch (error) {
      return { status: 'unhealthy', message: messageOf(error), details: nothing };
    }
  }

  const storageComponent = () =>
    component(probes.storage, NO_STORAGE, ({ totalSessions, sizeBytes, backendType, degraded }) => ({
      ...(degraded === undefined
        ? { status: 'healthy' as const }
        : { status: 'unhealthy' as const, message: degraded }),
      details: { totalSessions, sizeBytes, backendType },
    }));

  const eventBusComponent = () =>
    component(probes.eventBus, NO_EVENT_BUS, (bus) => ({
      ...(bus.accepting
        ? { status: 'healthy' as const }
        : { status: 'unhealthy' as const, message: 'The event bus does not accept events.' }),
      details: {
        totalEventsPublished: bus.published,
        totalEventsDelivered: bus.delivered,
        activeSubscriptions: bus.subscriptions,
        avgPropagationLatencyMs: bus.averagePropagationMs,
      },
    }));

  const agentComponent = () =>
    component(probes.agents, NO_AGENTS, (agents) => ({
      ...agentStatus(agents.failed),
      details: {
        totalAgents: agents.total,
        healthyAgents: agents.healthy,
        disconnectedAgents: agents.disconnected,
        recoveringAgents: agents.recovering,
        successfulRecoveries: agents.successfulRecoveries,
      },
    }));

  const sessionsComponent = () =>
    component(probes.sessions, NO_SESSIONS, ({ active, limit, runningTurns }) => ({
      ...(active >= limit * CAPACITY_SHARE
        ? { status: 'degraded' as const, message: `${active} of at most ${limit} sessions are active.` }
        : { status: 'healthy' as const }),
      details: { activeSessions: active, maxConcurrentSessions: limit, runningTurns },
    }));

  return {
    async health() {
      const found = await components();
      return {
        status: worst(Object.values(found).map(({ status }) => status)),
        timestamp: new Date(clock.now()).toISOString(),
        uptime: (clock.monotonic() - startedAt) / 1000,
        components: found,
      };
    },
    forget() {
      last = undefined;
    },
    async ready() {
      const { storage, eventBus } = await components();
      const ready = storage.status !== 'unhealthy' && eventBus.status !== 'unhealthy';
      return { ready, components: { storage, eventBus } };
    },
  };
}

function agentStatus(failed: number): { status: HealthStatus; message?: string } {
  if (failed === 0) return { status: 'healthy' };
  const message = failed === 1 ? '1 agent has failed.' : `${failed} agents have failed.`;
  return { status: failed > TOLERABLE_FAILED_AGENTS ? 'unhealthy' : 'degraded', message };
}

function worst(statuses: HealthStatus[]): HealthStatus {
  if (statuses.includes('unhealthy')) return 'unhealthy';
  return statuses.includes('degraded') ? 'degraded' : 'healthy';
}

function inTime<T>(clock: Clock, probe: () => T | Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(PROBE_TIMEOUT_MS, () =>
      reject(new Error(`There was no answer within ${PROBE_TIMEOUT_MS / 1000} s.`)),
    );
    new Promise<T>((settle) => settle(probe())).then(resolve, reject).finally(() => timer.cancel());
  });
}
