import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../base/clock.ts';
import { isCoded, messageOf } from '../base/errors.ts';
import { type MakeId, timeOrderedId } from '../base/ids.ts';
import type { Logger } from '../base/logger.ts';
import type { SessionAgent } from '../contract/index.ts';
import type { SessionRecord } from './session-record.ts';
import type { SessionStore } from './session-store.ts';

/** An agent may tell a hundred times a second what its context window holds; a session is written once. */
const WRITE_INTERVAL_MS = 1000;

/** What is kept of a session. */
type Told = SessionAgent & { title?: string };

interface Telling {
  /** What is not written yet; undefined when all is. */
  told: Told | undefined;
  /** Runs while the next write has to wait. */
  timer: Timer | undefined;
}

/** Keeps what agents tell of their sessions (modes, commands, options, context window, a title) in the documents of the sessions. */
export class SessionTellings {
  readonly #store: SessionStore;
  readonly #clock: Clock;
  readonly #makeId: MakeId;
  readonly #logger: Logger;
  readonly #tellings = new Map<string, Telling>();

  constructor(options: { store: SessionStore; clock: Clock; makeId: MakeId; logger: Logger }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#makeId = options.makeId;
    this.#logger = options.logger;
  }

  /** What is absent has not changed. */
  tell(sessionId: string, told: Told): void {
    const telling = this.#tellings.get(sessionId) ?? { told: undefined, timer: undefined };
    this.#tellings.set(sessionId, telling);
    telling.told = { ...telling.told, ...told };
    if (telling.timer === undefined) this.#writeSoon(sessionId, telling);
  }

  /** Resolves when what was told of a session is in its document. Rejects with what the storage says. */
  async flush(sessionId: string): Promise<void> {
    await this.#store.queue.run(sessionId, () => this.#write(sessionId));
  }

  /**
   * What is waiting, to be written together with something else of the session. `into` gives a record with it; call
   * `failed` when that was not stored. Call both in the queue of the session.
   */
  take(sessionId: string): { into(record: SessionRecord): SessionRecord; failed(): void } {
    const telling = this.#tellings.get(sessionId);
    const told = telling?.told;
    if (telling === undefined || told === undefined) {
      return { into: (record) => record, failed: () => undefined };
    }
    telling.told = undefined;
    return {
      into: (record) => withTold(record, told),
      failed: () => {
        // Written by its timer, or with the next that is told.
        this.#putBack(telling, told);
        if (telling.timer === undefined) this.#writeSoon(sessionId, telling);
      },
    };
  }

  /** Writes what is waiting, as far as that is possible, and forgets the rest. */
  async end(): Promise<void> {
    await Promise.allSettled([...this.#tellings.keys()].map((id) => this.flush(id)));
    this.clear();
  }

  clear(): void {
    for (const { timer } of this.#tellings.values()) timer?.cancel();
    this.#tellings.clear();
  }

  #writeSoon(sessionId: string, telling: Telling): void {
    telling.timer = this.#clock.after(WRITE_INTERVAL_MS, () => {
      telling.timer = undefined;
      if (this.#tellings.get(sessionId) !== telling) return;
      if (telling.told === undefined) this.#tellings.delete(sessionId);
      else this.#writeSoon(sessionId, telling);
    });
    this.flush(sessionId).catch((error: unknown) =>
      this.#logger.warn('What an agent told of a session could not be stored; it is tried again', {
        sessionId,
        error: messageOf(error),
      }),
    );
  }

  async #write(sessionId: string): Promise<void> {
    const telling = this.#tellings.get(sessionId);
    if (telling?.told === undefined) return;
    const { told } = telling;
    telling.told = undefined;
    try {
      await this.#store.change(sessionId, timeOrderedId(this.#clock.now(), this.#makeId), (record) => {
        const next = withTold(record, told);
        if (isDeepStrictEqual(next, record)) return undefined;
        return { record: { ...next, updatedAt: this.#clock.now() } };
      });
    } catch (error) {
      if (isCoded(error, 'session.not_found')) return;
      this.#putBack(telling, told);
      throw error;
    }
  }

  /** Before what came since. */
  #putBack(telling: Telling, told: Told): void {
    telling.told = { ...told, ...telling.told };
  }
}

/** The title that an agent finds for a session says more than its first prompt; one that the user gave stays. */
function withTold(record: SessionRecord, { title, ...agent }: Told): SessionRecord {
  return {
    ...record,
    ...(Object.keys(agent).length === 0 ? {} : { agent: { ...record.agent, ...agent } }),
    ...(title === undefined || record.titledBy === 'user' ? {} : { title, titledBy: 'agent' as const }),
  };
}
