/** What the rest of the runtime sees of the storage in force, and of the way to another one. */
import type { Job, StorageChoice, StorageOverview, StorageTest } from '../contract/index.ts';

export interface Moves {
  /** Rejects with what the storage rejects with, when it cannot be asked. */
  describe(): Promise<StorageOverview>;
  /**
   * Tries to reach a storage, and makes and changes nothing there. Rejects with `request.invalid` and with what `open` of
   * the storage rejects with.
   */
  test(choice: StorageChoice): Promise<StorageTest>;
  /**
   * Copies everything to another storage, compares, and goes over to it. The result of the job is a `MoveResult`. However
   * it ends, the one or the other is in force, whole. Rejects with `request.invalid`, `storage.pinned`, `storage.same` or
   * `job.conflict`.
   */
  move(choice: StorageChoice, context: { correlationId: string }): Promise<Job>;
}
