/** The whole room over a storage, a virtual clock and agents that answer what the test says. */
import { VirtualClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { silentLogger } from '../base/logger.ts';
import { createEventBus } from '../events/create-event-bus.ts';
import { openStorage } from '../storage/open-storage.ts';
import { createBudgets } from './budgets/create-budgets.ts';
import { createSessions, type SessionsDependencies } from './create-sessions.ts';
import { createNeedsYou } from './needs-you/create-needs-you.ts';
import { createScriptedAgents } from './scripted-agents.fixture.ts';
import { SessionStore } from './session-store.ts';

const SETTINGS: SessionsDependencies['settings'] = {
  sessionTtlSeconds: 3600,
  sessionExpirationDays: 7,
  sessionCleanupIntervalSeconds: 300,
  maxConcurrentSessions: 5,
  maxSessionSizeBytes: 1000,
  sessionIdLength: 32,
  agentStateMessageHistory: 10,
  agentStateMaxSizeMb: 10,
};

/** Nothing is started yet but the bus. */
export async function openRoom(options: {
  type: 'memory' | 'sqlite';
  dataDir: string;
  clock?: VirtualClock;
  settings?: Partial<SessionsDependencies['settings']>;
}) {
  const { type, dataDir, clock = new VirtualClock() } = options;
  const storage = await openStorage({ type, dataDir, now: () => clock.now() });
  const bus = createEventBus({
    storage,
    clock,
    makeId: randomId,
    logger: silentLogger,
    retentionHours: 24,
    registrySize: 100,
  });
  await bus.start();
  const agents = createScriptedAgents(['echo', 'other']);

  /** One more runtime over the same data: what a start after a kill finds. */
  function make() {
    const shared = { storage, bus, agents, clock, makeId: randomId, logger: silentLogger };
    const store = new SessionStore(storage, bus);
    const budgets = createBudgets(shared);
    const needsYou = createNeedsYou({ ...shared, store, budgets });
    const settings = { ...SETTINGS, ...options.settings };
    const sessions = createSessions({ ...shared, store, needsYou, budgets, settings });
    return { sessions, needsYou, budgets };
  }

  const first = make();
  return {
    clock,
    storage,
    bus,
    agents,
    make,
    ...first,
    /** Answers what is pending. */
    async close() {
      const stopped = first.sessions.stop();
      for (const prompt of agents.pending) prompt.answer({ stopReason: 'cancelled' });
      await stopped;
      await bus.stop();
      await storage.close();
    },
  };
}
