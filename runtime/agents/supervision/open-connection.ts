import type { Clock } from '../../base/clock.ts';
import type { CodedError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { AgentConfig } from '../../contract/index.ts';
import { createRedactor } from '../../settings/redact.ts';
import { type SpawnProcess, startAgentProcess } from '../processes/agent-process.ts';
import { AgentConnection } from '../protocol/agent-connection.ts';
import { type LaunchContext, resolveLaunch } from '../setup/agent-launch.ts';

/**
 * From the configuration of an agent to a running process with a connection to it. Rejects with `agent.command_not_found`,
 * `agent.command_not_executable`, `request.invalid` or `agent.failed`, and then nothing runs.
 */
export async function openConnection(
  config: AgentConfig,
  context: LaunchContext & {
    spawn: SpawnProcess;
    clock: Clock;
    logger: Logger;
    onBroken: (reason: CodedError) => void;
  },
): Promise<AgentConnection> {
  const { spawn, clock, logger, onBroken } = context;
  const command = await resolveLaunch(config, context);
  const redact = createRedactor(command.secrets);
  const process = await startAgentProcess({ command, spawn, clock, redact });
  return new AgentConnection({ process, cwd: command.cwd, clock, logger, redact, onBroken });
}
