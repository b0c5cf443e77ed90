import * as z from 'zod';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Storage } from '../../storage/storage.ts';

const COLLECTION = 'agent_sessions';

/** Under which id an agent keeps a session of ours on its own, to be resumed or loaded by a later process of it. */
const agentSession = z.object({
  agentId: z.string(),
  agentSessionId: z.string(),
  cwd: z.string(),
  at: z.number(),
});
export type AgentSession = z.infer<typeof agentSession>;

/**
 * The sessions that agents keep on their own, by session. It is a convenience: without an entry a session is primed with
 * its kept turns. So nothing here rejects; what the storage refuses is logged.
 */
export class AgentSessionStore {
  readonly #storage: Pick<Storage, 'get' | 'commit' | 'list'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #logger: Logger;

  constructor(dependencies: {
    storage: Pick<Storage, 'get' | 'commit' | 'list'>;
    clock: Pick<Clock, 'now'>;
    logger: Logger;
  }) {
    this.#storage = dependencies.storage;
    this.#clock = dependencies.clock;
    this.#logger = dependencies.logger;
  }

  async get(sessionId: string): Promise<AgentSession | undefined> {
    const found = await this.#tried('read', () => this.#storage.get(COLLECTION, sessionId));
    return agentSession.safeParse(found?.value).data;
  }

  async put(sessionId: string, session: Omit<AgentSession, 'at'>): Promise<void> {
    await this.#tried('written', () =>
      this.#storage.commit([
        {
          kind: 'put',
          collection: COLLECTION,
          id: sessionId,
          value: { ...session, at: this.#clock.now() } satisfies AgentSession,
        },
      ]),
    );
  }

  async delete(sessionId: string): Promise<void> {
    await this.#tried('removed', () =>
      this.#storage.commit([{ kind: 'delete', collection: COLLECTION, id: sessionId }]),
    );
  }

  /**
   * Forgets all of them. For when the data set was switched: what an agent has kept on its own may then be ahead of the
   * transcript that was restored, and `session/resume` would not tell.
   */
  async clear(): Promise<void> {
    await this.#tried('removed', async () => {
      let cursor: string | undefined;
      do {
        const page = await this.#storage.list(COLLECTION, {
          limit: 1000,
          ...(cursor === undefined ? {} : { cursor }),
        });
        if (page.items.length > 0) {
          await this.#storage.commit(
            page.items.map(({ id }) => ({ kind: 'delete', collection: COLLECTION, id })),
          );
        }
        cursor = page.nextCursor;
      } while (cursor !== undefined);
    });
  }

  async #tried<T>(done: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#logger.warn(`The id under which an agent keeps a session could not be ${done}`, {
        error: messageOf(error),
      });
      return undefined;
    }
  }
}
