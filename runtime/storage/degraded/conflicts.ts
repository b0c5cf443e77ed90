import { createHash } from 'node:crypto';
import { isCoded } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { Operation, PutOperation, Storage, StoredDocument } from '../storage.ts';
import type { JournaledCommit } from './journal-lines.ts';

/** Where both versions of a document wait for the user who chooses between them. */
export const CONFLICT_COLLECTION = 'storage_conflicts';

const PAGE = 200;

/** A version of a document. Without `value` it is that there is none. */
export interface ConflictSide {
  version: number;
  value?: unknown;
}

/** Changed here while the storage was away, and elsewhere meanwhile. */
export interface StoredConflict {
  collection: string;
  documentId: string;
  /** Milliseconds since the epoch: when it was changed here, and when that could not be taken over. */
  journaledAt: number;
  foundAt: number;
  mine: ConflictSide & { index?: PutOperation['index']; expiresAt?: number };
  /** What was there when it was found. */
  theirs: ConflictSide;
}

/** A conflict as it is now: `theirs` is what the storage holds at this moment. */
export interface OpenConflict extends StoredConflict {
  id: string;
}

/**
 * One for each document and journal: of several changes the last one counts, because each was made to the one before.
 */
function conflictId(journal: string, collection: string, id: string): string {
  return createHash('sha256').update(`${journal}\n${collection}\n${id}`).digest('hex').slice(0, 32);
}

/**
 * A journaled commit without what conflicts: the documents in `conflicting` (`collection/id`) are set aside by it instead
 * of changed, and all else of it, its log entries above all, is carried out.
 */
export async function withoutConflicts(
  storage: Pick<Storage, 'get'>,
  commit: JournaledCommit,
  context: { journal: string; conflicting: ReadonlySet<string>; now: number },
): Promise<Operation[]> {
  const kept: Operation[] = [];
  const last = new Map<
    string,
    { operation: Operation & { collection: string; id: string }; version: number }
  >();
  for (const [i, operation] of commit.operations.entries()) {
    if (operation.kind === 'append' || operation.kind === 'trim') kept.push(operation);
    else {
      const key = `${operation.collection}/${operation.id}`;
      if (context.conflicting.has(key)) last.set(key, { operation, version: commit.numbers[i] ?? 0 });
      else kept.push(operation);
    }
  }
  for (const { operation, version } of last.values()) {
    const { collection, id } = operation;
    const there = await storage.get(collection, id);
    const value: StoredConflict = {
      collection,
      documentId: id,
      journaledAt: commit.at,
      foundAt: context.now,
      mine: operation.kind === 'put' ? mineOf(operation, version) : { version: 0 },
      theirs: sideOf(there),
    };
    kept.push({
      kind: 'put',
      collection: CONFLICT_COLLECTION,
      id: conflictId(context.journal, collection, id),
      value,
      index: { journal: context.journal, foundAt: context.now },
    });
  }
  return kept;
}

/** The documents (`collection/id`) that a journal has set aside already: what it says of them later follows them. */
export async function conflictsOf(storage: Pick<Storage, 'list'>, journal: string): Promise<Set<string>> {
  const keys = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await storage.list<StoredConflict>(CONFLICT_COLLECTION, {
      where: [{ field: 'journal', is: journal }],
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const { value } of page.items) keys.add(`${value.collection}/${value.documentId}`);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return keys;
}

/** The conflicts that wait, the oldest first, at most 200; each with what is there now. */
export async function listConflicts(storage: Pick<Storage, 'get' | 'list'>): Promise<OpenConflict[]> {
  const { items } = await storage.list<StoredConflict>(CONFLICT_COLLECTION, {
    orderBy: { field: 'foundAt', direction: 'ascending' },
    limit: PAGE,
  });
  return Promise.all(
    items.map(async ({ id, value }) => ({
      ...value,
      id,
      theirs: sideOf(await storage.get(value.collection, value.documentId)),
    })),
  );
}

/**
 * What settles a conflict. `theirVersion` is the version that the user has seen and chosen against: if it is another one by
 * now, the commit rejects with `storage.version_conflict`. Rejects with `storage.conflict_not_found`.
 */
export async function resolutionOf(
  storage: Pick<Storage, 'get'>,
  id: string,
  choice: { keep: 'mine' | 'theirs'; theirVersion: number },
): Promise<{ conflict: StoredConflict; operations: Operation[] }> {
  const found = await storage.get<StoredConflict>(CONFLICT_COLLECTION, id);
  if (found === undefined) {
    throw fault('storage.conflict_not_found', 'There is no such conflict: it has been settled already.', {
      id,
    });
  }
  const conflict = found.value;
  const settle: Operation = {
    kind: 'delete',
    collection: CONFLICT_COLLECTION,
    id,
    expectVersion: found.version,
  };
  if (choice.keep === 'theirs') return { conflict, operations: [settle] };
  const target = {
    collection: conflict.collection,
    id: conflict.documentId,
    expectVersion: choice.theirVersion,
  };
  const { mine } = conflict;
  const write: Operation =
    mine.version === 0
      ? { kind: 'delete', ...target }
      : {
          kind: 'put',
          ...target,
          value: mine.value,
          ...(mine.index === undefined ? {} : { index: mine.index }),
          ...(mine.expiresAt === undefined ? {} : { expiresAt: mine.expiresAt }),
        };
  return { conflict, operations: [write, settle] };
}

/** The document (`collection/id`) that a commit was refused for; undefined when it was refused for something else. */
export function conflictingDocument(error: unknown): string | undefined {
  if (!isCoded(error, 'storage.version_conflict')) return undefined;
  const { collection, id } = error.data;
  return typeof collection === 'string' && typeof id === 'string' ? `${collection}/${id}` : undefined;
}

function mineOf({ value, index, expiresAt }: PutOperation, version: number): StoredConflict['mine'] {
  return {
    version,
    value,
    ...(index === undefined ? {} : { index }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

function sideOf(document: StoredDocument | undefined): ConflictSide {
  return document === undefined ? { version: 0 } : { version: document.version, value: document.value };
}
