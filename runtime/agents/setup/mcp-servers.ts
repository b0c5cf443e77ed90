import type { McpServer as AcpMcpServer } from '@agentclientprotocol/sdk';
import type { AgentConfig, McpServer } from '../../contract/index.ts';
import type { LaunchContext } from './agent-launch.ts';
import { expandHome, findExecutable } from './executables.ts';
import { readSecrets, withSecrets } from './secret-references.ts';

/**
 * The MCP servers of a configuration as ACP takes them, secrets filled in. Commands by name become absolute, as ACP
 * demands; one that is not found stays as it is, because it is the agent that starts it and says so. Rejects with
 * `agent.secret_missing` or `secret.unreadable`.
 */
export async function resolveMcpServers(
  config: Pick<AgentConfig, 'launch' | 'mcpServers'>,
  context: Pick<LaunchContext, 'secrets' | 'searchPath'>,
): Promise<AcpMcpServer[]> {
  if (config.mcpServers.length === 0) return [];
  const values = await readSecrets(config, context.secrets);
  const folders = config.mcpServers.some(({ type }) => type === 'stdio') ? await context.searchPath() : [];
  return Promise.all(config.mcpServers.map((server) => toAcp(server, values, folders)));
}

async function toAcp(
  server: McpServer,
  values: ReadonlyMap<string, string>,
  folders: string[],
): Promise<AcpMcpServer> {
  const { name } = server;
  if (server.type !== 'stdio') {
    return { type: server.type, name, url: server.url, headers: listed(withSecrets(server.headers, values)) };
  }
  const command = expandHome(server.command);
  return {
    name,
    command: /[\\/]/.test(command) ? command : ((await findExecutable(command, folders)) ?? command),
    args: server.args,
    env: listed(withSecrets(server.env, values)),
  };
}

function listed(variables: Record<string, string>): { name: string; value: string }[] {
  return Object.entries(variables).map(([name, value]) => ({ name, value }));
}
