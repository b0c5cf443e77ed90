import type * as z from 'zod';
import type { AgentConfig, Secret, secretRoutes } from '../../contract/index.ts';
import type { SecretStore } from '../../settings/secret-store.ts';
import { secretNames } from './secret-references.ts';

type SecretList = z.infer<NonNullable<(typeof secretRoutes.list)['~orpc']['outputSchema']>>;

/** The secrets with the agents that use them, as the console shows them. Rejects as {@link SecretStore} does. */
export interface Secrets {
  list(): Promise<SecretList>;
  set(name: string, value: string): Promise<Secret>;
  delete(name: string): Promise<void>;
}

/** `agents`: the configurations as they are now. */
export function createSecrets(dependencies: {
  store: SecretStore;
  agents: () => readonly Pick<AgentConfig, 'id' | 'launch' | 'mcpServers'>[];
}): Secrets {
  const { store, agents } = dependencies;
  const usersOf = (name: string) =>
    agents()
      .filter((config) => secretNames(config).includes(name))
      .map(({ id }) => id);

  return {
    list: async () => ({
      items: (await store.list()).map((kept) => ({ ...kept, usedBy: usersOf(kept.name) })),
      protection: store.protection,
    }),
    set: async (name, value) => ({ ...(await store.set(name, value)), usedBy: usersOf(name) }),
    delete: (name) => store.delete(name),
  };
}
