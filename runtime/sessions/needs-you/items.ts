import { fault, type NeedsYouItem } from '../../contract/index.ts';
import type { EventDraft } from '../../events/event-bus.ts';
import type { Filter, PutOperation, Storage } from '../../storage/storage.ts';
import { everyDocument, listDocuments } from '../list-documents.ts';
import type { NeedsYou } from './needs-you.ts';

const NEEDS_YOU_COLLECTION = 'needs_you';

/** What was answered or withdrawn is kept so long, as a history. */
const HISTORY_MS = 30 * 86_400_000;
/** Items that one commit deletes. */
const DELETE_AT_ONCE = 1000;

/** The documents of the items. */
export class ItemStore {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Rejects with `needs_you.not_found`. */
  async load(id: string): Promise<{ item: NeedsYouItem; version: number }> {
    const document = await this.#storage.get<NeedsYouItem>(NEEDS_YOU_COLLECTION, id);
    if (document !== undefined) return { item: document.value, version: document.version };
    throw fault('needs_you.not_found', `There is no item ${id}: its session was deleted, or it is old.`, {
      id,
    });
  }

  list: NeedsYou['list'] = async (query) => {
    const where: Filter[] = [{ field: 'state', is: query.state }];
    if (query.sessionId !== undefined) where.push({ field: 'sessionId', is: query.sessionId });
    if (query.agentId !== undefined) where.push({ field: 'agentId', is: query.agentId });
    const { items, nextCursor } = await listDocuments<NeedsYouItem>(this.#storage, NEEDS_YOU_COLLECTION, {
      where,
      orderBy: { field: 'createdAt', direction: query.state === 'waiting' ? 'ascending' : 'descending' },
      limit: query.limit,
      cursor: query.cursor,
    });
    return {
      items: items.map(({ value }) => value),
      ...(nextCursor === undefined ? {} : { nextCursor }),
    };
  };

  async *all(where: Filter): AsyncGenerator<NeedsYouItem> {
    for await (const { value } of everyDocument<NeedsYouItem>(this.#storage, NEEDS_YOU_COLLECTION, [where]))
      yield value;
  }

  async delete(ids: string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += DELETE_AT_ONCE) {
      await this.#storage.commit(
        ids
          .slice(from, from + DELETE_AT_ONCE)
          .map((id) => ({ kind: 'delete', collection: NEEDS_YOU_COLLECTION, id })),
      );
    }
  }
}

/** The put of an item; without `expectVersion` it replaces whatever is there. */
export function putItem(item: NeedsYouItem, now: number, expectVersion?: number): PutOperation {
  return {
    kind: 'put',
    collection: NEEDS_YOU_COLLECTION,
    id: item.id,
    value: item,
    index: {
      state: item.state,
      sessionId: item.sessionId,
      agentId: item.agentId,
      createdAt: item.createdAt,
    },
    ...(expectVersion === undefined ? {} : { expectVersion }),
    ...(item.state === 'waiting' ? {} : { expiresAt: now + HISTORY_MS }),
  };
}

export function itemEvent(
  topic: 'needs_you.asked' | 'needs_you.answered' | 'needs_you.withdrawn',
  item: NeedsYouItem,
  correlationId: string,
): EventDraft {
  return { topic, subject: item.sessionId, correlationId, data: item };
}

/** Throws what a second or a late answer is told. */
export function refuseSettled(item: NeedsYouItem): void {
  if (item.state === 'answered') {
    const chosen = item.options.find(({ id }) => id === item.answer?.optionId);
    const by = item.answer?.by === 'policy' ? 'by a policy of yours' : 'already';
    throw fault('needs_you.already_answered', `This was answered ${by}: ${chosen?.name ?? 'unknown'}.`, {
      id: item.id,
      answer: item.answer,
    });
  }
  if (item.state === 'withdrawn') throw withdrawn(item);
}

export function withdrawn(item: NeedsYouItem): Error {
  return fault('needs_you.withdrawn', `Nobody waits for this any more: ${item.withdrawnBecause}.`, {
    id: item.id,
    because: item.withdrawnBecause,
  });
}
