import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { health as healthSchema } from '../contract/index.ts';
import { createHealth, type HealthProbes } from './health.ts';

const AGENTS = { total: 9, healthy: 9, failed: 0, disconnected: 0, recovering: 0, successfulRecoveries: 2 };
const BUS = { accepting: true, published: 5, delivered: 7, subscriptions: 1, averagePropagationMs: 0.4 };
const STORAGE = { totalSessions: 3, sizeBytes: 4096, backendType: 'sqlite' };

function monitor(probes: Partial<HealthProbes> = {}) {
  const clock = new VirtualClock();
  const health = createHealth({
    clock,
    storage: async () => STORAGE,
    eventBus: () => BUS,
    agents: () => AGENTS,
    sessions: () => ({ active: 1, limit: 100, runningTurns: 0 }),
    ...probes,
  });
  return { clock, health };
}

const agentsFailed = (failed: number) => ({ agents: () => ({ ...AGENTS, failed }) });
const sessionsActive = (active: number) => ({
  sessions: () => ({ active, limit: 100, runningTurns: 0 }),
});
const down = () => {
  throw new Error('gone');
};

describe('health', () => {
  it('has the documented shape', async () => {
    const { clock, health } = monitor();
    await clock.advance(1500);
    const answer = await health.health();
    expect(healthSchema.parse(answer)).toEqual(answer);
    expect(answer).toEqual({
      status: 'healthy',
      timestamp: '2026-01-01T00:00:01.500Z',
      uptime: 1.5,
      components: {
        storage: { status: 'healthy', details: STORAGE },
        eventBus: {
          status: 'healthy',
          details: {
            totalEventsPublished: 5,
            totalEventsDelivered: 7,
            activeSubscriptions: 1,
            avgPropagationLatencyMs: 0.4,
          },
        },
        agentMonitor: {
          status: 'healthy',
          details: {
            totalAgents: 9,
            healthyAgents: 9,
            disconnectedAgents: 0,
            recoveringAgents: 0,
            successfulRecoveries: 2,
          },
        },
        sessions: {
          status: 'healthy',
          details: { activeSessions: 1, maxConcurrentSessions: 100, runningTurns: 0 },
        },
      },
    });
  });

  it.each([
    ['nothing is wrong', {}, 'healthy'],
    ['one agent failed', agentsFailed(1), 'degraded'],
    ['three agents failed', agentsFailed(3), 'degraded'],
    ['four agents failed', agentsFailed(4), 'unhealthy'],
    ['79 % of the sessions are active', sessionsActive(79), 'healthy'],
    ['80 % of the sessions are active', sessionsActive(80), 'degraded'],
    ['all sessions are active', sessionsActive(100), 'degraded'],
    ['the storage is down', { storage: async () => down() }, 'unhealthy'],
    [
      'the storage is degraded',
      { storage: async () => ({ ...STORAGE, degraded: 'The storage cannot be reached.' }) },
      'unhealthy',
    ],
    ['the bus does not accept', { eventBus: () => ({ ...BUS, accepting: false }) }, 'unhealthy'],
    ['a probe throws', { agents: down }, 'unhealthy'],
    ['an agent and the sessions are degraded', { ...agentsFailed(1), ...sessionsActive(90) }, 'degraded'],
  ] as const)('when %s', async (_, probes, status) => {
    expect((await monitor(probes).health.health()).status).toBe(status);
  });

  it('says what is down, and still tells the rest', async () => {
    const { components } = await monitor({ storage: async () => down() }).health.health();
    expect(components.storage).toEqual({
      status: 'unhealthy',
      message: 'gone',
      details: { totalSessions: 0, sizeBytes: 0, backendType: 'unknown' },
    });
    expect(components.eventBus.status).toBe('healthy');
  });

  it('does not wait for a probe that hangs', async () => {
    const { clock, health } = monitor({ storage: () => new Promise(() => undefined) });
    const answer = health.health();
    await clock.advance(2000);
    expect((await answer).components.storage).toMatchObject({ status: 'unhealthy' });
    expect(clock.pending).toBe(0);
  });

  it('looks once for many who ask at the same time, and again later', async () => {
    let looks = 0;
    const { clock, health } = monitor({
      storage: async () => {
        looks += 1;
        return STORAGE;
      },
    });
    await Promise.all([health.health(), health.health(), health.ready()]);
    expect(looks).toBe(1);
    await clock.advance(501);
    await health.health();
    expect(looks).toBe(2);
  });
});

describe('ready', () => {
  it.each([
    ['nothing is wrong', {}, true],
    ['agents failed and sessions are full', { ...agentsFailed(9), ...sessionsActive(100) }, true],
    ['the storage is down', { storage: async () => down() }, false],
    [
      'the storage is degraded',
      { storage: async () => ({ ...STORAGE, degraded: 'The storage cannot be reached.' }) },
      false,
    ],
    ['the bus does not accept', { eventBus: () => ({ ...BUS, accepting: false }) }, false],
  ] as const)('when %s', async (_, probes, ready) => {
    expect((await monitor(probes).health.ready()).ready).toBe(ready);
  });
});
