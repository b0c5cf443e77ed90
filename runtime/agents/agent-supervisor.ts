import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { type MakeId, timeOrderedId } from '../base/ids.ts';
import { lifecycle } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import type { AgentState } from '../contract/index.ts';
import type { EventBus, EventDraft } from '../events/event-bus.ts';
import type { SecretStore } from '../settings/secret-store.ts';
import type { Storage } from '../storage/storage.ts';
import type { AgentCounts, Agents, SessionTold } from './agents.ts';
import { createAgentProcesses } from './processes/agent-processes.ts';
import type { SpawnProcess } from './processes/started-process.ts';
import { AgentSessionStore } from './protocol/agent-session-store.ts';
import { type LaunchContext, type LaunchSettings, resolveLaunch } from './setup/agent-launch.ts';
import { AgentRegistry } from './setup/agent-registry.ts';
import { createAgentSetup } from './setup/agent-setup.ts';
import { inheritedEnvironment } from './setup/inherited-environment.ts';
import { createSearchPaths } from './setup/search-path.ts';
import { AgentRecords } from './supervision/agent-record.ts';
import { AgentRoster } from './supervision/agent-roster.ts';
import { createOpenConnection } from './supervision/open-connection.ts';
import { ResourceSampler } from './supervision/resource-sampler.ts';
import type { BackOff } from './supervision/restart-policy.ts';
import { SupervisedAgent, type SupervisionSettings } from './supervision/supervised-agent.ts';

export interface AgentsDependencies {
  storage: Pick<Storage, 'get' | 'list' | 'commit'>;
  bus: Pick<EventBus, 'publish' | 'commit' | 'tell'>;
  clock: Clock;
  logger: Logger;
  settings: LaunchSettings & SupervisionSettings;
  secrets: Pick<SecretStore, 'get'>;
  makeId: MakeId;
  /** From 0 to below 1; default `Math.random`. */
  random?: () => number;
  /** Before a process that failed is started again; default: as `restart-policy.ts` says. */
  backOff?: BackOff;
  /** When given, agents are spawned with it, without the launcher and the spare process. */
  spawn?: SpawnProcess;
  /** Whether a process is kept ready that can become any built-in agent; default: yes. */
  keepSpare?: boolean;
  /** What the agents inherit; default `process.env`. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** How the product names itself to the agents. */
  clientInfo: { name: string; version: string };
}

/** Where each state counts in {@link AgentCounts}. */
const COUNTED_AS: Record<AgentState, 'healthy' | 'failed' | 'disconnected' | 'recovering'> = {
  healthy: 'healthy',
  busy: 'healthy',
  'needs-you': 'healthy',
  degraded: 'healthy',
  unresponsive: 'failed',
  'crash-loop': 'failed',
  crashed: 'failed',
  restarting: 'recovering',
  unknown: 'disconnected',
  stopped: 'disconnected',
  interrupted: 'disconnected',
};

/** The agents of this runtime: their configurations, their processes, and a supervisor for each. */
export function createAgents(dependencies: AgentsDependencies): Agents {
  const { storage, bus, clock, makeId, settings, secrets, spawn, clientInfo } = dependencies;
  const logger = dependencies.logger.with({ component: 'agents' });
  const environment = dependencies.environment ?? process.env;
  let onTold: (sessionId: string, told: SessionTold) => void = () => undefined;

  const processes = createAgentProcesses({
    dataDir: settings.dataDir,
    clock,
    logger,
    makeId,
    ...(spawn === undefined ? {} : { spawn }),
    ...(dependencies.keepSpare === undefined ? {} : { keepSpare: dependencies.keepSpare }),
  });
  const searchPaths = createSearchPaths({
    environment: inheritedEnvironment(environment),
    clock,
    logger,
    makeId,
  });
  const launchContext: LaunchContext = {
    settings,
    environment,
    secrets,
    searchPath: async () => (await searchPaths.get()).folders,
  };
  const sessionStore = new AgentSessionStore({ storage, clock, logger });
  const records = new AgentRecords({ storage, bus, logger });
  const open = createOpenConnection({
    ...launchContext,
    processes,
    sessions: sessionStore,
    clock,
    onTold: (sessionId, told) => onTold(sessionId, told),
  });
  const setup = createAgentSetup({
    ...launchContext,
    settings,
    searchPaths,
    processes,
    clock,
    logger,
    makeId,
    clientInfo,
  });
  const roster = new AgentRoster({
    registry: new AgentRegistry({ storage, bus, logger }),
    records,
    clock,
    makeId,
    logger,
    async checkLaunch(config) {
      await resolveLaunch(config, launchContext);
    },
    supervise: (stored, record) =>
      new SupervisedAgent(stored, record, {
        clock,
        logger,
        settings,
        makeId,
        random: dependencies.random ?? Math.random,
        ...(dependencies.backOff === undefined ? {} : { backOff: dependencies.backOff }),
        clientInfo,
        open,
        records,
        publish,
        tell: (draft) => bus.tell(draft),
      }),
  });
  const sampler = new ResourceSampler(clock, async () => {
    await Promise.all(roster.list().map((agent) => agent.sampleResources()));
  });

  /** Supervision goes on whatever becomes of an event: what it tells is in the state of the agent, too. */
  function publish(draft: EventDraft): void {
    bus
      .publish(draft)
      .catch((error: unknown) =>
        logger.error('An event could not be published', { topic: draft.topic, error: messageOf(error) }),
      );
  }

  const service = lifecycle({
    async start() {
      await processes.start();
      if (processes.reaped.length > 0) {
        publish({
          topic: 'agent.orphans.reaped',
          correlationId: timeOrderedId(clock.now(), makeId),
          data: { processes: [...processes.reaped] },
        });
      }
      await roster.begin();
      sampler.start();
    },
    async stop() {
      sampler.stop();
      try {
        await roster.shutDown();
      } finally {
        await processes.stop();
      }
    },
  });

  return {
    ...service,

    list: () => roster.list().map((agent) => agent.view()),
    get: (id) => roster.find(id).view(),

    counts() {
      const all = roster.list();
      const counts: AgentCounts = {
        total: all.length,
        healthy: 0,
        failed: 0,
        disconnected: 0,
        recovering: 0,
        successfulRecoveries: roster.restarts,
      };
      for (const { state } of all) counts[COUNTED_AS[state]] += 1;
      return counts;
    },

    create: async (input) => (await roster.create(input)).view(),
    createDemoFleet: async () => (await roster.createDemoFleet()).map((agent) => agent.view()),
    update: async (change) => (await roster.update(change)).view(),
    delete: (id) => roster.remove(id),
    test: (input, signal) => setup.test(input, signal),
    detect: (signal) =>
      setup.detect(
        roster.list().map(({ config }) => config),
        signal,
      ),

    async authenticate(id, methodId) {
      await roster.find(id).authenticate(methodId);
      return roster.find(id).view();
    },
    async startAgent(id) {
      await roster.find(id).start();
      return roster.find(id).view();
    },
    async stopAgent(id) {
      await roster.find(id).stop('Stopped by the user');
      return roster.find(id).view();
    },
    async restartAgent(id) {
      await roster.find(id).restart('Restarted by the user');
      return roster.find(id).view();
    },
    async retryAgent(id) {
      await roster.find(id).retry('Tried again by the user');
      return roster.find(id).view();
    },
    async drill(id, kind) {
      roster.find(id).drill(kind);
      return roster.find(id).view();
    },
    frames: (id, after) => roster.find(id).frames.list(after),

    prompt: async (request) => roster.find(request.agentId).prompt(request),

    async setMode(agentId, sessionId, modeId) {
      await roster.find(agentId).connectionOfSessions().setMode(sessionId, modeId);
    },
    async setOption(agentId, sessionId, optionId, value) {
      await roster.find(agentId).connectionOfSessions().setOption(sessionId, optionId, value);
    },
    watchSessions(listener) {
      onTold = listener;
    },
    setWaiting(agentId, count) {
      // An item may outlive its agent.
      roster
        .list()
        .find(({ config }) => config.id === agentId)
        ?.setWaiting(count);
    },

    forgetSession(sessionId) {
      for (const agent of roster.list()) agent.forgetSession(sessionId);
      // Also when no process runs that had it open.
      void sessionStore.delete(sessionId);
    },

    pause: (reason) => roster.pause(reason),
    async reload() {
      await sessionStore.clear();
      await roster.reload();
    },
  };
}
