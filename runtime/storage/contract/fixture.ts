import type { CodedError } from '../../base/errors.ts';
import type { SnapshotRecord, Storage, StorageOptions } from '../storage.ts';

/** One storage for one case. */
export interface StorageUnderTest {
  readonly storage: Storage;
  /** Closes it and opens its data again, as the next start of the process would. */
  reopen(): Promise<Storage>;
  /** One more on the same data; for adapters that say that several processes may share it. */
  another?(): Storage;
  /** Removes its data; it is closed by then. */
  dispose(): Promise<void>;
}

/** For the adapters whose data outlives them: another storage on the same data takes the place of one that is closed. */
export function storageUnderTest(make: () => Storage, dispose: () => Promise<void>): StorageUnderTest {
  let storage = make();
  return {
    get storage() {
      return storage;
    },
    async reopen() {
      await storage.close();
      storage = make();
      await storage.open();
      return storage;
    },
    ...(storage.supports.sharedByProcesses ? { another: make } : {}),
    dispose,
  };
}

/** What the cases of the contract get to work with. */
export interface ContractFixture {
  create(options: StorageOptions): Promise<StorageUnderTest>;
  readonly clock: TestClock;
  /** The open storage of the case that is running. */
  readonly storage: Storage;
  reopen(): Promise<Storage>;
  /** One more on the data of the case, not open yet; closed after the case. */
  another(): Storage;
}

/** A clock that the case moves by hand. */
export class TestClock {
  static readonly START = Date.UTC(2026, 0, 1);
  time = TestClock.START;
  readonly now = (): number => this.time;
}

/** All records of a snapshot. */
export async function recordsOf(storage: Storage, generation?: string): Promise<SnapshotRecord[]> {
  const records: SnapshotRecord[] = [];
  const options = generation === undefined ? {} : { generation };
  for await (const batch of storage.snapshot(options)) records.push(...batch);
  return records;
}

/** What a call rejected with; fails the case when it did not reject. */
export async function rejection(call: Promise<unknown>): Promise<CodedError> {
  try {
    await call;
  } catch (error) {
    return error as CodedError;
  }
  throw new Error('The call did not reject.');
}

/** Makes, fills, seals and activates a generation that holds the given records. */
export async function replaceBy(
  storage: Storage,
  reason: string,
  records: SnapshotRecord[],
): Promise<string> {
  const writer = await storage.generations.create(reason);
  await writer.write(records);
  await writer.seal();
  await storage.generations.activate(writer.id);
  return writer.id;
}
