import { isCoded } from '../base/errors.ts';
import { fault } from '../contract/index.ts';
import type { Filter, ListPage, ListQuery, Storage, StoredDocument } from '../storage/storage.ts';

/** A page of documents for a caller from outside: rejects with `request.invalid` when its cursor is none of this list. */
export async function listDocuments<T>(
  storage: Storage,
  collection: string,
  query: Omit<ListQuery, 'cursor'> & { cursor?: string | undefined },
): Promise<ListPage<T>> {
  const { cursor, ...rest } = query;
  try {
    return await storage.list<T>(collection, { ...rest, ...(cursor === undefined ? {} : { cursor }) });
  } catch (error) {
    // All else is checked already, so it is the cursor that the storage cannot take.
    if (cursor === undefined || !isCoded(error, 'storage.invalid')) throw error;
    throw fault('request.invalid', 'The cursor is not one that this list gave.', {}, { cause: error });
  }
}

/** Documents that a walk over many reads at a time. */
const WALK_PAGE = 200;

/** Every document that the filters let through, page by page. */
export async function* everyDocument<T>(
  storage: Storage,
  collection: string,
  where: Filter[] = [],
): AsyncGenerator<StoredDocument<T>> {
  let cursor: string | undefined;
  do {
    const page: ListPage<T> = await storage.list<T>(collection, {
      where,
      limit: WALK_PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}
