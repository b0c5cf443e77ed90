import type { CheckedOperation } from './checked-input.ts';
import type { CommitId, OperationResult, Storage } from './storage.ts';

/** A storage that takes operations which were checked already, from a wrapper that had to look at them itself. */
export interface TakesChecked extends Storage {
  commitChecked(
    operations: readonly CheckedOperation[],
    id?: CommitId,
  ): Promise<{ results: OperationResult[] }>;
}

export function takesChecked(storage: Storage): storage is TakesChecked {
  return 'commitChecked' in storage;
}
