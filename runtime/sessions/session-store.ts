import { isCoded } from '../base/errors.ts';
import { fault, type Session } from '../contract/index.ts';
import type { EventBus, EventDraft } from '../events/event-bus.ts';
import type { Filter, Operation, Storage, StoredDocument } from '../storage/storage.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { everyDocument } from './list-documents.ts';
import {
  fromDocument,
  putSession,
  SESSION_COLLECTION,
  type SessionRecord,
  toSession,
  withDefaults,
} from './session-record.ts';

const MAX_ATTEMPTS = 5;

/** What is committed together with a session: entries of its transcript, and the events that tell of them. */
export interface Batch {
  operations: Operation[];
  drafts: EventDraft[];
}

/**
 * The documents of the sessions, and which of them are active. One for the whole room: what waits for the user and the
 * turns change the same sessions, and do so through its queue.
 */
export class SessionStore {
  readonly #storage: Storage;
  readonly #bus: EventBus;
  /** The ids of the sessions in the state `active`, for the limit. */
  readonly active = new Set<string>();
  /** Changes to one session happen one after the other. A task must not wait for another one of its session. */
  readonly queue = new KeyedQueue();

  constructor(storage: Storage, bus: EventBus) {
    this.#storage = storage;
    this.#bus = bus;
  }

  /** Rejects with `session.not_found`. */
  async load(id: string): Promise<StoredDocument<SessionRecord>> {
    const document = await this.#storage.get<SessionRecord>(SESSION_COLLECTION, id);
    if (document !== undefined) return { ...document, value: withDefaults(document.value) };
    throw fault('session.not_found', `There is no session ${id}: it was deleted, or the id is wrong.`, {
      id,
    });
  }

  /** Writes a new session. */
  async add(record: SessionRecord, batch: Batch, correlationId: string): Promise<Session> {
    const session = toSession(record, 1);
    // Counted before the commit, so that two at once cannot both take the last place.
    this.active.add(record.id);
    try {
      await this.#bus.commit(
        [putSession(record, 0), ...batch.operations],
        [{ topic: 'session.created', subject: record.id, correlationId, data: session }, ...batch.drafts],
      );
    } catch (error) {
      this.active.delete(record.id);
      throw error;
    }
    return session;
  }

  /**
   * Writes what `make` makes of a session, in one commit with its batch. `make` is called again when somebody else was
   * faster; it may throw to refuse, or answer undefined to leave the session as it is.
   */
  async change(
    id: string,
    correlationId: string,
    make: (record: SessionRecord, version: number) => { record: SessionRecord; batch?: Batch } | undefined,
  ): Promise<Session> {
    for (let attempt = 1; ; attempt++) {
      const document = await this.load(id);
      const next = make(document.value, document.version);
      if (next === undefined) return fromDocument(document);
      const session = toSession(next.record, document.version + 1);
      try {
        await this.#bus.commit(
          [putSession(next.record, document.version), ...(next.batch?.operations ?? [])],
          [
            ...(next.batch?.drafts ?? []),
            { topic: 'session.changed', subject: id, correlationId, data: session },
          ],
        );
        if (session.state === 'active') this.active.add(id);
        else this.active.delete(id);
        return session;
      } catch (error) {
        if (!isCoded(error, 'storage.version_conflict') || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  /** Every session that the filters let through. */
  matching(where: Filter[]): AsyncGenerator<StoredDocument<SessionRecord>> {
    return everyDocument<SessionRecord>(this.#storage, SESSION_COLLECTION, where);
  }

  /** Reads again which sessions are active. */
  async reload(): Promise<void> {
    this.active.clear();
    for await (const document of this.matching([{ field: 'state', is: 'active' }]))
      this.active.add(document.id);
  }
}
