import type { Clock } from '../../base/clock.ts';
import type { CodedError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { AgentConfig } from '../../contract/index.ts';
import { createRedactor } from '../../settings/redact.ts';
import type { SessionTold } from '../agents.ts';
import type { AgentProcesses } from '../processes/agent-processes.ts';
import { AgentConnection } from '../protocol/agent-connection.ts';
import type { AgentSessionStore } from '../protocol/agent-session-store.ts';
import type { FrameRecorder } from '../protocol/frame-recorder.ts';
import { type LaunchContext, resolveLaunch } from '../setup/agent-launch.ts';
import { resolveMcpServers } from '../setup/mcp-servers.ts';

export interface OpenOptions {
  generation: number;
  frames: FrameRecorder;
  logger: Logger;
  /** The protocol is broken for good, although the process runs. */
  onBroken: (reason: CodedError) => void;
}

/**
 * From the configuration of an agent to a running process with a connection to it. Rejects with `agent.command_not_found`,
 * `agent.command_not_executable`, `agent.working_directory_missing`, `agent.secret_missing`, `secret.unreadable`,
 * `agent.start_refused` or `agent.failed`, and then nothing runs.
 */
export type OpenConnection = (config: AgentConfig, options: OpenOptions) => Promise<AgentConnection>;

export function createOpenConnection(
  dependencies: LaunchContext & {
    processes: Pick<AgentProcesses, 'launch'>;
    sessions: AgentSessionStore;
    clock: Clock;
    onTold: (sessionId: string, told: SessionTold) => void;
  },
): OpenConnection {
  const { processes, sessions, clock, onTold } = dependencies;
  return async (config, { generation, frames, logger, onBroken }) => {
    const command = await resolveLaunch(config, dependencies);
    const mcpServers = await resolveMcpServers(config, dependencies);
    const redact = createRedactor(command.secrets);
    const process = await processes.launch({ agentId: config.id, generation, command, redact });
    return new AgentConnection({
      process,
      agent: { id: config.id, generation },
      command,
      cwd: command.cwd,
      mcpServers,
      frames,
      sessions,
      clock,
      logger,
      redact,
      onBroken,
      onTold,
      ...(command.initializeTimeoutMs === undefined
        ? {}
        : { initializeTimeoutMs: command.initializeTimeoutMs }),
    });
  };
}
