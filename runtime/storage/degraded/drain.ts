import type { CodedError } from '../../base/errors.ts';
import { isCoded } from '../../base/errors.ts';
import type { CommitId, Operation, OperationResult, Storage } from '../storage.ts';
import { conflictingDocument, conflictsOf, withoutConflicts } from './conflicts.ts';
import type { JournalFile } from './journal-file.ts';
import type { JournaledCommit } from './journal-lines.ts';

/**
 * How far a journal was drained is made durable this often. What came after that is sent again when the drain was cut, and
 * must still be among the {@link REMEMBERED_COMMITS} that the storage recognises.
 */
const SAVE_EVERY = 256;

export interface DrainOptions {
  storage: Pick<Storage, 'get' | 'list'>;
  /** Commits within a deadline. */
  commit: (operations: Operation[], id: CommitId) => Promise<OperationResult[]>;
  now: () => number;
  /** Before each commit. */
  onNext: (commit: JournaledCommit) => void;
  /** After each commit; may throw to end the drain there. */
  onCommit: () => void;
  /** A document was set aside (`collection/id`). */
  onConflict: (key: string) => void;
  /** The storage gave other versions or sequences than were answered from the journal. */
  onRenumbered: (commit: JournaledCommit) => void;
  /** The storage will never take this commit; it lies in `<file>.refused`. */
  onRefused: (commit: JournaledCommit, error: CodedError) => void;
}

/**
 * Sends what is in a journal to the storage, one after the other and each under its own id, so that what had been carried
 * out already is not doubled. Rejects with whatever ended it; what was taken over till then stays taken over.
 */
export async function drain(file: JournalFile, options: DrainOptions): Promise<void> {
  // Else each attempt on a full disk would get further ahead of what the next process knows of it.
  if (!file.isPositionSaved) await file.savePosition();
  const journal = file.header.id;
  const conflicting = await conflictsOf(options.storage, journal);
  let unsaved = 0;

  const send = async (commit: JournaledCommit): Promise<void> => {
    for (;;) {
      const touchesConflict = commit.operations.some(
        (operation) =>
          (operation.kind === 'put' || operation.kind === 'delete') &&
          conflicting.has(`${operation.collection}/${operation.id}`),
      );
      const operations = touchesConflict
        ? await withoutConflicts(options.storage, commit, { journal, conflicting, now: options.now() })
        : commit.operations;
      try {
        const results = await options.commit(operations, commit.id);
        if (!touchesConflict && !isAsAnswered(results, commit.numbers)) options.onRenumbered(commit);
        return;
      } catch (error) {
        const key = conflictingDocument(error);
        if (key !== undefined && !conflicting.has(key)) {
          conflicting.add(key);
          options.onConflict(key);
        } else if (isCoded(error, 'storage.invalid')) {
          await file.setRefusedAside(commit);
          options.onRefused(commit, error);
          return;
        } else throw error;
      }
    }
  };

  try {
    for await (const { commit, end } of file.undrained()) {
      options.onNext(commit);
      await send(commit);
      file.advance(end);
      unsaved += 1;
      if (unsaved >= SAVE_EVERY) {
        await file.savePosition();
        unsaved = 0;
      }
      options.onCommit();
    }
  } catch (error) {
    if (unsaved > 0) await file.savePosition();
    throw error;
  }
}

function isAsAnswered(results: readonly OperationResult[], numbers: readonly number[]): boolean {
  return numbers.every((number, i) => (results[i]?.version ?? results[i]?.sequence ?? 0) === number);
}
