/** The agents as the product composes them, over SQLite in a folder of their own, for the benchmark. */
import { join } from 'node:path';
import { createAgents } from '../../runtime/agents/agent-supervisor.ts';
import type { Agents } from '../../runtime/agents/agents.ts';
import { SEEDED } from '../../runtime/agents/setup/agent-registry.ts';
import { systemClock } from '../../runtime/base/clock.ts';
import { randomId } from '../../runtime/base/ids.ts';
import { silentLogger } from '../../runtime/base/logger.ts';
import type { Agent, LiveEvents } from '../../runtime/contract/index.ts';
import { createEventBus } from '../../runtime/events/create-event-bus.ts';
import { loadSettings } from '../../runtime/settings/load-settings.ts';
import { createSecretStore } from '../../runtime/settings/secret-store.ts';
import { openStorage } from '../../runtime/storage/open-storage.ts';

const READY_TIMEOUT_MS = 60_000;

export interface MeasuredAgents extends AsyncDisposable {
  agents: Agents;
  /** When the agent, in this generation or a later one, was said to be healthy, on the monotonic clock. */
  ready(id: string, generation: number): Promise<number>;
  /** Resolves when the agent is in the state. */
  inState(id: string, state: Agent['state']): Promise<void>;
}

/** `backOff: 'none'` restarts at once after each failure; otherwise as the product does. */
export async function startMeasuredAgents(options: {
  dataDir: string;
  keepSpare: boolean;
  backOff: 'none' | 'of the product';
}): Promise<MeasuredAgents> {
  const { dataDir, keepSpare } = options;
  const settings = loadSettings({ env: { DATA_DIR: dataDir } });
  const storage = await openStorage({ type: 'sqlite', dataDir });
  // No first agent: each case brings its own.
  await storage.commit([{ kind: 'put', ...SEEDED, value: {} }]);
  const bus = createEventBus({
    storage,
    clock: systemClock,
    makeId: randomId,
    logger: silentLogger,
    retentionHours: 24,
    registrySize: 1000,
  });
  await bus.start();
  const waiting = new Set<(change: LiveEvents['agent.state.changed'], at: number) => void>();
  bus.subscribe({ name: 'bench', topics: ['agent.state.changed'] }, ({ data }) => {
    const at = performance.now();
    for (const look of waiting) look(data as LiveEvents['agent.state.changed'], at);
  });
  const agents = createAgents({
    storage,
    bus,
    clock: systemClock,
    makeId: randomId,
    logger: silentLogger,
    settings,
    secrets: createSecretStore({ file: join(dataDir, 'secrets.json'), clock: systemClock }),
    clientInfo: { name: 'bench', version: '1' },
    keepSpare,
    ...(options.backOff === 'none' ? { backOff: { firstMs: 0, baseMs: 0, longestMs: 0 } } : {}),
  });
  await agents.start();

  function seen(isIt: (change: LiveEvents['agent.state.changed']) => boolean, what: string): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const look = (change: LiveEvents['agent.state.changed'], at: number) => {
      if (isIt(change)) resolve(at);
    };
    const timer = setTimeout(() => reject(new Error(`${what} did not come`)), READY_TIMEOUT_MS);
    waiting.add(look);
    return promise.finally(() => {
      clearTimeout(timer);
      waiting.delete(look);
    });
  }

  return {
    agents,
    ready: (id, generation) =>
      seen(
        (change) => change.id === id && change.to === 'healthy' && change.generation >= generation,
        `The generation ${generation} of ${id}`,
      ),
    async inState(id, state) {
      const changed = seen(
        (change) => change.id === id && change.to === state,
        `The state ${state} of ${id}`,
      );
      if (agents.get(id).state !== state) await changed;
      else changed.catch(() => undefined);
    },
    async [Symbol.asyncDispose]() {
      await agents.stop();
      await bus.stop();
      await storage.close();
    },
  };
}
