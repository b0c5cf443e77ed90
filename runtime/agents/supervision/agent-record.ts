/** What is known of an agent over the life of the app: the collection `agent_states`, a document for each agent. */
import * as z from 'zod';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { agentDrillResult, agentExit } from '../../contract/index.ts';
import type { EventBus } from '../../events/event-bus.ts';
import type { Storage } from '../../storage/storage.ts';

const COLLECTION = 'agent_states';
export const KEPT_EXITS = 20;
export const KEPT_DRILLS = 20;

/** A part that cannot be read is left out alone, so that damage to one of them does not give a generation number twice. */
const agentRecord = z.object({
  name: z.string().catch('').default(''),
  kind: z.literal('agent').catch('agent').default('agent'),
  /** The greatest number that a process may have had. */
  generation: z.int().nonnegative().default(0),
  exits: z.array(agentExit).max(KEPT_EXITS).catch([]).default([]),
  drillResults: z.array(agentDrillResult).max(KEPT_DRILLS).catch([]).default([]),
  /** Of the window of the breaker: milliseconds since the Unix epoch, the oldest first. */
  failures: z.array(z.number()).catch([]).default([]),
  /** How often in a row the breaker has opened. */
  openings: z.int().nonnegative().catch(0).default(0),
  /** The breaker is open until then: milliseconds since the Unix epoch. */
  halfOpenAt: z.number().optional().catch(undefined),
  /** The process that ran when this was written. */
  running: z.object({ generation: z.int().positive(), pid: z.int().positive() }).optional().catch(undefined),
  /** Recoveries of all time. */
  restarts: z.int().nonnegative().catch(0).default(0),
  /** `stopped` by the user, until he starts it again. */
  desired: z.enum(['running', 'stopped']).catch('running').default('running'),
  /** A turn ran when this was written; kept only of agents that are not started by themselves. */
  inTurn: z.boolean().catch(false).default(false),
});
export type AgentRecord = z.infer<typeof agentRecord>;

/** Saves the record of one agent. */
export interface RecordWriter {
  /**
   * Saves what `read` gives when the write begins. Resolves when a write that began after the call has ended, with whether
   * it is durable: a failure is logged, and made up for by the next. Calls that come while one is under way share the next.
   */
  save(): Promise<boolean>;
}

export class AgentRecords {
  readonly #storage: Pick<Storage, 'get'>;
  readonly #bus: Pick<EventBus, 'commit'>;
  readonly #logger: Logger;

  constructor(dependencies: {
    storage: Pick<Storage, 'get'>;
    bus: Pick<EventBus, 'commit'>;
    logger: Logger;
  }) {
    this.#storage = dependencies.storage;
    this.#bus = dependencies.bus;
    this.#logger = dependencies.logger;
  }

  /** What was kept of an agent; an empty record when there is nothing, or when it cannot be read (which is logged). */
  async load(agentId: string): Promise<AgentRecord> {
    const stored = await this.#storage.get(COLLECTION, agentId);
    const record = agentRecord.safeParse(stored?.value ?? {});
    if (record.success) return record.data;
    this.#logger.error('The stored state of an agent cannot be read; it begins anew', {
      agentId,
      problem: record.error.message,
    });
    return agentRecord.parse({});
  }

  writer(agentId: string, read: () => AgentRecord): RecordWriter {
    let underWay: Promise<boolean> | undefined;
    let next: Promise<boolean> | undefined;
    const write = async () => {
      try {
        const value = read();
        await this.#bus.commit(
          [{ kind: 'put', collection: COLLECTION, id: agentId, value, index: { name: value.name } }],
          [],
        );
        return true;
      } catch (error) {
        this.#logger.error('The state of an agent could not be saved', { agentId, error: messageOf(error) });
        return false;
      }
    };
    const begin = () => {
      const done = write().finally(() => {
        if (underWay === done) underWay = undefined;
      });
      underWay = done;
      return done;
    };
    return {
      save() {
        if (next !== undefined) return next;
        if (underWay === undefined) return begin();
        next = underWay.then(() => {
          next = undefined;
          return begin();
        });
        return next;
      },
    };
  }

  async remove(agentId: string): Promise<void> {
    await this.#bus.commit([{ kind: 'delete', collection: COLLECTION, id: agentId }], []);
  }
}
