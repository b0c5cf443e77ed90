/** The configurations of the agents, as they are stored. */
import type { Logger } from '../../base/logger.ts';
import { type AgentConfig, agentConfig, fault } from '../../contract/index.ts';
import type { EventBus } from '../../events/event-bus.ts';
import type { PutOperation, Storage, StoredDocument } from '../../storage/storage.ts';

const COLLECTION = 'agents';
/** Remembers that the store was given its first agent, so that a user who deletes it does not get it again. */
export const SEEDED = { collection: 'agent_setup', id: 'seeded' };
const PAGE = 500;

export interface StoredAgent {
  config: AgentConfig;
  /** Of the document. */
  version: number;
}

export class AgentRegistry {
  readonly #storage: Pick<Storage, 'get' | 'list'>;
  readonly #bus: Pick<EventBus, 'commit'>;
  readonly #logger: Logger;

  constructor(dependencies: {
    storage: Pick<Storage, 'get' | 'list'>;
    bus: Pick<EventBus, 'commit'>;
    logger: Logger;
  }) {
    this.#storage = dependencies.storage;
    this.#bus = dependencies.bus;
    this.#logger = dependencies.logger;
  }

  /** All agents, the oldest first. A configuration that cannot be read is reported and left out, and stays stored. */
  async load(): Promise<StoredAgent[]> {
    const agents: StoredAgent[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#storage.list(COLLECTION, {
        orderBy: { field: 'createdAt', direction: 'ascending' },
        limit: PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const document of page.items) {
        const agent = this.#read(document);
        if (agent !== undefined) agents.push(agent);
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return agents;
  }

  /** True for a store that has never had an agent. */
  async isFresh(): Promise<boolean> {
    return (await this.#storage.get(SEEDED.collection, SEEDED.id)) === undefined;
  }

  /** Saves new agents, all or none, each with its event. */
  async add(configs: AgentConfig[], correlationId: string): Promise<StoredAgent[]> {
    const { results } = await this.#bus.commit(
      [...configs.map((config) => putOperation(config, 0)), { kind: 'put', ...SEEDED, value: {} }],
      configs.map(({ id, name }) => ({
        topic: 'agent.created',
        subject: id,
        correlationId,
        data: { id, name },
      })),
    );
    return configs.map((config, index) => ({ config, version: versionOf(results, index, config.id) }));
  }

  /**
   * Replaces the configuration of an agent, with its event. Rejects with `storage.version_conflict` when somebody else
   * changed or removed it meanwhile.
   */
  async update(config: AgentConfig, expectedVersion: number, correlationId: string): Promise<StoredAgent> {
    const { id, name } = config;
    const { results } = await this.#bus.commit(
      [putOperation(config, expectedVersion)],
      [{ topic: 'agent.changed', subject: id, correlationId, data: { id, name } }],
    );
    return { config, version: versionOf(results, 0, id) };
  }

  async remove({ id, name }: Pick<AgentConfig, 'id' | 'name'>, correlationId: string): Promise<void> {
    await this.#bus.commit(
      [{ kind: 'delete', collection: COLLECTION, id }],
      [{ topic: 'agent.deleted', subject: id, correlationId, data: { id, name } }],
    );
  }

  #read(document: StoredDocument): StoredAgent | undefined {
    const config = agentConfig.safeParse(document.value);
    if (config.success) return { config: config.data, version: document.version };
    this.#logger.error('The stored configuration of an agent cannot be read; the agent is left out', {
      agentId: document.id,
      problem: config.error.message,
    });
    return undefined;
  }
}

function putOperation(config: AgentConfig, expectVersion: number): PutOperation {
  return {
    kind: 'put',
    collection: COLLECTION,
    id: config.id,
    value: config,
    index: { name: config.name, createdAt: config.createdAt },
    expectVersion,
  };
}

function versionOf(results: readonly { version?: number }[], index: number, id: string): number {
  const version = results[index]?.version;
  if (version === undefined) throw fault('storage.failed', `No version was given to the agent ${id}.`);
  return version;
}
