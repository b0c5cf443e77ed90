/** A configuration names secrets; their values are looked up when a process is started, and are kept nowhere else. */
import { type AgentConfig, fault, type VariableValue } from '../../contract/index.ts';
import type { SecretStore } from '../../settings/secret-store.ts';

type Referring = Pick<AgentConfig, 'launch'> & Partial<Pick<AgentConfig, 'mcpServers'>>;
export type Variables = Readonly<Record<string, VariableValue>>;

/** The environment of the process, and the environment or the headers of each MCP server. */
export function variablesOf({ launch, mcpServers = [] }: Referring): Variables[] {
  return [
    ...(launch.kind === 'command' ? [launch.env] : []),
    ...mcpServers.map((server) => (server.type === 'stdio' ? server.env : server.headers)),
  ];
}

/** The names of the secrets that a configuration refers to, each once. */
export function secretNames(config: Referring): string[] {
  const names = variablesOf(config)
    .flatMap((some) => Object.values(some))
    .flatMap((value) => (typeof value === 'string' ? [] : [value.secret]));
  return [...new Set(names)];
}

/**
 * The secrets that a configuration refers to, by name. Rejects with `agent.secret_missing`, which names all that are
 * missing, or with `secret.unreadable`.
 */
export async function readSecrets(
  config: Referring,
  secrets: Pick<SecretStore, 'get'>,
): Promise<ReadonlyMap<string, string>> {
  const values = new Map<string, string>();
  const missing: string[] = [];
  for (const name of secretNames(config)) {
    const value = await secrets.get(name);
    if (value === undefined) missing.push(name);
    else values.set(name, value);
  }
  if (missing.length > 0) {
    throw fault(
      'agent.secret_missing',
      `The configuration names ${missing.length === 1 ? 'a secret that is' : 'secrets that are'} not kept here: ${missing.join(', ')}. Set ${missing.length === 1 ? 'it' : 'them'} under Settings.`,
      { names: missing },
    );
  }
  return values;
}

/** The variables with the values of the secrets in the place of their names. `values` has all of them. */
export function withSecrets(
  variables: Variables,
  values: ReadonlyMap<string, string>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : (values.get(value.secret) ?? ''),
    ]),
  );
}
