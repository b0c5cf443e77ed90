/** How a failure is caused on purpose, in any agent. */
import { type Clock, delay } from '../../base/clock.ts';
import type { AgentDrill } from '../../contract/index.ts';
import type { AgentGeneration } from './agent-generation.ts';

/** The drill `slow`: in turns, the process group stands still and goes on, so that the probes are answered late. */
const SLOW_TURNS = 5;
const STANDING_STILL_MS = 1800;
const GOING_ON_MS = 200;
/** The drill `flood`: probes that are sent at once. */
const FLOOD_PROBES = 5000;

/**
 * What can be rehearsed with an agent, whether it knows of drills itself or not. The times of a drill are taken from its
 * probes: one that answers none can only be made to crash.
 */
export function rehearsable(generation: AgentGeneration | undefined): AgentDrill[] {
  if (generation?.isReady === true && !generation.isProbed) return ['crash'];
  // Windows cannot make a process stand still.
  return process.platform === 'win32' ? ['crash', 'flood'] : ['crash', 'hang', 'slow', 'flood'];
}

/**
 * Resolves when all of the failure was caused. A drill that the agent knows is done by itself, because it then happens
 * where a real one would. Aborting ends it, with the process going on. Rejects when the agent refuses, or has ended.
 */
export async function rehearse(
  kind: AgentDrill,
  generation: AgentGeneration,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { connection } = generation;
  switch (kind) {
    case 'crash':
      connection.process.signal('SIGKILL');
      return;
    case 'hang':
      connection.process.signal('SIGSTOP');
      return;
    case 'slow':
      return connection.ownDrills.includes('slow')
        ? connection.drill('slow')
        : beSlow(generation, clock, signal);
    case 'flood':
      if (connection.ownDrills.includes('flood')) return connection.drill('flood');
      await Promise.all(Array.from({ length: FLOOD_PROBES }, () => connection.ping()));
  }
}

async function beSlow(generation: AgentGeneration, clock: Clock, signal: AbortSignal): Promise<void> {
  const { process: agent } = generation.connection;
  try {
    for (let turn = 0; turn < SLOW_TURNS && generation.isRunning; turn++) {
      agent.signal('SIGSTOP');
      generation.probeNow();
      await delay(clock, STANDING_STILL_MS, signal);
      if (generation.isRunning) agent.signal('SIGCONT');
      await delay(clock, GOING_ON_MS, signal);
    }
  } finally {
    if (generation.isRunning) agent.signal('SIGCONT');
  }
}
