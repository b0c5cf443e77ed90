import type { Clock } from '../../base/clock.ts';
import { fault } from '../../contract/index.ts';
import type { AgentConnection } from '../protocol/agent-connection.ts';
import type { AgentStatus } from './agent-status.ts';
import type { ProcessKeeper } from './process-keeper.ts';

/** A prompt waits so long for an agent that is starting, restarting or silent. */
const PROMPT_WAIT_MS = 10_000;

export interface ServingOptions {
  clock: Clock;
  name: string;
  status: AgentStatus;
  keeper: Pick<ProcessKeeper, 'connection' | 'isStopping' | 'launchFailure'>;
}

/**
 * The connection of an agent that serves; waits for one that is about to. Rejects with `agent.stopped`,
 * `agent.crash_loop`, `agent.crashed` or what the launch failed with, `agent.unresponsive` or `agent.not_ready` when the
 * wait is over, and with the reason of the signal.
 */
export async function servingConnection(
  options: ServingOptions,
  signal: AbortSignal,
): Promise<AgentConnection> {
  const { clock, name, status, keeper } = options;
  const deadline = clock.monotonic() + PROMPT_WAIT_MS;
  for (;;) {
    signal.throwIfAborted();
    switch (keeper.isStopping ? 'stopped' : status.state) {
      case 'healthy':
      case 'busy':
      case 'needs-you':
      case 'degraded': {
        const { connection } = keeper;
        if (connection !== undefined) return connection;
        break;
      }
      case 'stopped':
      case 'interrupted':
        throw fault('agent.stopped', `${name} is stopped (${status.reason}). Start it first.`);
      case 'crash-loop':
        throw fault('agent.crash_loop', `${name} keeps crashing. ${status.reason}.`);
      case 'crashed': {
        throw keeper.launchFailure ?? fault('agent.crashed', `${name} has crashed. ${status.reason}.`);
      }
    }
    const remaining = deadline - clock.monotonic();
    if (remaining <= 0) {
      throw status.state === 'unresponsive'
        ? fault('agent.unresponsive', `${name} does not answer. ${status.reason}.`)
        : fault('agent.not_ready', `${name} is not ready. ${status.reason}.`);
    }
    await status.nextChange(remaining, signal);
  }
}
