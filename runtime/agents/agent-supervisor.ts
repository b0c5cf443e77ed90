import { spawn as nodeSpawn } from 'node:child_process';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { type MakeId, timeOrderedId } from '../base/ids.ts';
import { lifecycle } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import { type AgentConfig, type AgentState, agentConfig, fault } from '../contract/index.ts';
import type { EventBus, EventDraft } from '../events/event-bus.ts';
import type { Storage } from '../storage/storage.ts';
import type { AgentCounts, Agents } from './agents.ts';
import type { SpawnProcess } from './processes/agent-process.ts';
import { resolveLaunch } from './setup/agent-launch.ts';
import { AgentRegistry, type StoredAgent } from './setup/agent-registry.ts';
import { DEMO_FLEET, FIRST_AGENT, type FleetMember } from './setup/builtin-fleet.ts';
import { type AgentSettings, SupervisedAgent } from './supervision/supervised-agent.ts';

export interface AgentsDependencies {
  storage: Pick<Storage, 'get' | 'list'>;
  bus: Pick<EventBus, 'publish' | 'commit' | 'tell'>;
  clock: Clock;
  logger: Logger;
  settings: AgentSettings;
  makeId: MakeId;
  /** From 0 to below 1; default `Math.random`. */
  random?: () => number;
  /** Default: that of `node:child_process`. */
  spawn?: SpawnProcess;
  /** What the agents inherit; default `process.env`. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** How the product names itself to the agents. */
  clientInfo: { name: string; version: string };
}

const ID_LENGTH = 20;

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

/** The agents of this runtime: their configurations, and a supervisor for each. */
export function createAgents(dependencies: AgentsDependencies): Agents {
  const { bus, clock, makeId, settings } = dependencies;
  const logger = dependencies.logger.with({ component: 'agents' });
  const environment = dependencies.environment ?? process.env;
  const registry = new AgentRegistry({ ...dependencies, logger });
  /** In the order of the list: the oldest first. */
  const agents = new Map<string, SupervisedAgent>();
  let counted = 0;
  let changing: Promise<unknown> = Promise.resolve();

  function supervise(stored: StoredAgent): SupervisedAgent {
    const agent = new SupervisedAgent(stored, {
      clock,
      logger,
      settings,
      makeId,
      environment,
      spawn: dependencies.spawn ?? nodeSpawn,
      random: dependencies.random ?? Math.random,
      clientInfo: dependencies.clientInfo,
      publish,
      tell: (draft) => bus.tell(draft),
    });
    agents.set(stored.config.id, agent);
    return agent;
  }

  /** Supervision goes on whatever becomes of an event: what it tells is in the state of the agent, too. */
  function publish(draft: EventDraft): void {
    bus
      .publish(draft)
      .catch((error: unknown) =>
        logger.error('An event could not be published', { topic: draft.topic, error: messageOf(error) }),
      );
  }

  /** Changes to the list of agents, one after the other: a name is checked and taken in one step. */
  function serially<T>(work: () => Promise<T>): Promise<T> {
    const done = changing.then(work);
    changing = done.catch(() => undefined);
    return done;
  }

  /** Why the list may not be changed at the moment. */
  let paused: string | undefined;

  /** A change that somebody asked for: refused while the data set is being switched, because it would be left behind. */
  function change<T>(work: () => Promise<T>): Promise<T> {
    return serially(async () => {
      if (paused !== undefined) {
        throw fault('maintenance.active', `Agents cannot be added or removed at the moment: ${paused}.`);
      }
      return work();
    });
  }

  const correlationId = () => timeOrderedId(clock.now(), makeId);
  /** Creation times are made to differ, because they are the order of the list. */
  const nextCreatedAt = () =>
    Math.max(clock.now(), ...[...agents.values()].map(({ config }) => config.createdAt + 1));

  function find(id: string): SupervisedAgent {
    const agent = agents.get(id);
    if (agent === undefined) throw fault('agent.not_found', `There is no agent ${id}.`, { id });
    return agent;
  }

  const isNameTaken = (name: string) =>
    [...agents.values()].some(({ config }) => config.name.toLowerCase() === name.toLowerCase());

  /** Starts it in the background: that it cannot be started shows in its state. */
  function startSoon(agent: SupervisedAgent): void {
    agent.start().catch((error: unknown) =>
      logger.warn('An agent could not be started', {
        agentId: agent.config.id,
        error: messageOf(error),
      }),
    );
  }

  function configOf(member: FleetMember, createdAt: number): AgentConfig {
    return { ...member, autostart: true, createdAt };
  }

  async function load(): Promise<StoredAgent[]> {
    const stored = await registry.load();
    if (stored.length > 0 || !(await registry.isFresh())) return stored;
    return registry.add([configOf(FIRST_AGENT, clock.now())], correlationId());
  }

  const service = lifecycle({
    async start() {
      for (const stored of await load()) supervise(stored);
      for (const agent of agents.values()) if (agent.config.autostart) startSoon(agent);
    },
    async stop() {
      await changing;
      await Promise.all([...agents.values()].map((agent) => agent.stop('SmallTalk Console was closed')));
      agents.clear();
    },
  });

  return {
    ...service,

    list: () => [...agents.values()].map((agent) => agent.view()),
    get: (id) => find(id).view(),

    counts() {
      const counts: AgentCounts = {
        total: agents.size,
        healthy: 0,
        failed: 0,
        disconnected: 0,
        recovering: 0,
        successfulRecoveries: counted,
      };
      for (const agent of agents.values()) {
        counts[COUNTED_AS[agent.state]] += 1;
        counts.successfulRecoveries += agent.restarts;
      }
      return counts;
    },

    create: (input) =>
      change(async () => {
        if (isNameTaken(input.name)) {
          throw fault('agent.name_taken', `There is an agent named ${input.name} already.`, {
            name: input.name,
          });
        }
        const config = agentConfig.parse({ ...input, id: makeId(ID_LENGTH), createdAt: nextCreatedAt() });
        await resolveLaunch(config, { settings, environment });
        const [stored] = await registry.add([config], correlationId());
        const agent = supervise(stored as StoredAgent);
        if (config.autostart) await agent.start();
        return agent.view();
      }),

    createDemoFleet: () =>
      change(async () => {
        const missing = DEMO_FLEET.filter(({ id, name }) => !agents.has(id) && !isNameTaken(name));
        const createdAt = nextCreatedAt();
        const added = await registry.add(
          missing.map((member, index) => configOf(member, createdAt + index)),
          correlationId(),
        );
        for (const stored of added) supervise(stored);
        const fleet = DEMO_FLEET.flatMap(({ id }) => agents.get(id) ?? []);
        for (const agent of fleet) startSoon(agent);
        return fleet.map((agent) => agent.view());
      }),

    delete: (id) =>
      change(async () => {
        const agent = find(id);
        if (agent.runningTurns > 0) {
          throw fault('agent.in_use', `${agent.config.name} is answering a prompt. Cancel it first.`, { id });
        }
        await agent.stop('It was deleted');
        await registry.remove(agent.config, correlationId());
        agents.delete(id);
        counted += agent.restarts;
      }),

    async startAgent(id) {
      await find(id).start();
      return find(id).view();
    },
    async stopAgent(id) {
      await find(id).stop('Stopped by the user');
      return find(id).view();
    },
    async restartAgent(id) {
      await find(id).restart('Restarted by the user');
      return find(id).view();
    },
    async drill(id, kind) {
      await find(id).drill(kind);
      return find(id).view();
    },

    prompt: async (request) => find(request.agentId).prompt(request),

    forgetSession(sessionId) {
      for (const agent of agents.values()) agent.forgetSession(sessionId);
    },

    pause: (reason) =>
      serially(async () => {
        paused = reason;
      }),

    reload: () =>
      serially(async () => {
        paused = undefined;
        const stored = await load();
        const ids = new Set(stored.map(({ config }) => config.id));
        const gone = [...agents.values()].filter(({ config }) => !ids.has(config.id));
        const known = new Map(agents);
        agents.clear();
        const settled = await Promise.allSettled([
          ...gone.map((agent) => agent.stop('It is not in the data that is active now')),
          ...stored.map(async (entry) => {
            const agent = known.get(entry.config.id);
            if (agent === undefined) {
              const added = supervise(entry);
              if (added.config.autostart) startSoon(added);
              return;
            }
            agents.set(entry.config.id, agent);
            await agent.reconfigure(entry);
          }),
        ]);
        for (const agent of gone) counted += agent.restarts;
        for (const result of settled) {
          if (result.status === 'rejected') {
            logger.error('An agent did not follow the change of the data', {
              error: messageOf(result.reason),
            });
          }
        }
      }),
  };
}
