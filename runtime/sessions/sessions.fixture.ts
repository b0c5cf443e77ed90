/** The whole room over real storage in memory, a virtual clock and agents that answer what the test says. */
import { expect, vi } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { silentLogger } from '../base/logger.ts';
import type { RuntimeEvent } from '../contract/index.ts';
import { createEventBus } from '../events/create-event-bus.ts';
import { openStorage } from '../storage/open-storage.ts';
import { createBudgets } from './budgets/create-budgets.ts';
import { createSessions } from './create-sessions.ts';
import { createNeedsYou } from './needs-you/create-needs-you.ts';
import { createScriptedAgents, type PendingPrompt } from './scripted-agents.fixture.ts';
import { SessionStore } from './session-store.ts';

const SETTINGS = {
  sessionTtlSeconds: 3600,
  sessionExpirationDays: 7,
  sessionCleanupIntervalSeconds: 300,
  maxConcurrentSessions: 5,
  maxSessionSizeBytes: 1000,
  sessionIdLength: 32,
  agentStateMessageHistory: 10,
  agentStateMaxSizeMb: 10,
};

export const context = { correlationId: 'c1' };

/** Call `close` at the end: it answers what is pending, and fails when a timer is left. */
export async function openSessions(changed: Partial<typeof SETTINGS> = {}) {
  const clock = new VirtualClock();
  const storage = await openStorage({ type: 'memory', dataDir: '', now: () => clock.now() });
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
  const told: RuntimeEvent[] = [];

  /** One more runtime over the same data: what a start after a kill finds. Not started yet. */
  function make() {
    const shared = { storage, bus, agents, clock, makeId: randomId, logger: silentLogger };
    const store = new SessionStore(storage, bus);
    const budgets = createBudgets(shared);
    const needsYou = createNeedsYou({ ...shared, store, budgets });
    const settings = { ...SETTINGS, ...changed };
    const sessions = createSessions({ ...shared, store, needsYou, budgets, settings });
    return { sessions, needsYou, budgets };
  }

  const first = make();
  await first.sessions.start();
  bus.subscribe({ name: 'test', topics: ['>'] }, (event) => void told.push(event));

  return {
    clock,
    storage,
    bus,
    agents,
    told,
    make,
    ...first,
    /** The prompt that an agent was given last. */
    lastPrompt(): PendingPrompt {
      const prompt = agents.pending.at(-1);
      if (prompt === undefined) throw new Error('No agent was prompted');
      return prompt;
    },
    /** Resolves when the session is not busy any more. */
    settled: (id: string) =>
      vi.waitFor(async () => {
        const session = await first.sessions.get(id);
        expect(session.lastTurn?.state).not.toBe('running');
        return session;
      }),
    async close() {
      const stopped = first.sessions.stop();
      for (const prompt of agents.pending) prompt.answer({ stopReason: 'cancelled' });
      await stopped;
      await bus.stop();
      await storage.close();
      expect(clock.pending, 'timers are left').toBe(0);
    },
  };
}

export type OpenSessions = Awaited<ReturnType<typeof openSessions>>;
