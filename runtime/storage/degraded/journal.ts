import { makePrivateFolder } from '../../base/durable-file.ts';
import type { MakeId } from '../../base/ids.ts';
import { timeOrderedId } from '../../base/ids.ts';
import type { StorageOptions } from '../storage.ts';
import { JournalFile, journalFiles } from './journal-file.ts';

/** The storage that a journal's commits are meant for. */
export interface JournalTarget {
  type: string;
  location: string;
}

/** Gives the folder back. */
interface Lock {
  release(): void;
}

/**
 * The journals of one storage in a folder that several may share. The folder is locked for as long as there is a journal,
 * so that no two processes drain the same one; without an outage nothing is made, locked or read.
 */
export class Journal {
  readonly #folder: string;
  readonly #now: () => number;
  readonly #makeId: MakeId;
  readonly #onFault: StorageOptions['onFault'];
  #lock: Promise<Lock> | undefined;
  /** The oldest first; new commits go into the last. */
  #files: JournalFile[] = [];
  #oldestAt: number | undefined;
  /** Journals of other storages that were found. */
  elsewhere: JournalTarget[] = [];

  constructor(options: {
    folder: string;
    now: () => number;
    makeId: MakeId;
    onFault: StorageOptions['onFault'];
  }) {
    this.#folder = options.folder;
    this.#now = options.now;
    this.#makeId = options.makeId;
    this.#onFault = options.onFault;
  }

  /** Commits that the storage has not taken over yet. */
  get commits(): number {
    return this.#files.reduce((sum, file) => sum + file.commits, 0);
  }

  /** Bytes that they take on the disk. */
  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0);
  }

  /** When the oldest of them was made: milliseconds since the epoch. */
  get oldestAt(): number | undefined {
    return this.commits === 0 ? undefined : this.#oldestAt;
  }

  get files(): readonly JournalFile[] {
    return this.#files;
  }

  get isEmpty(): boolean {
    return this.#files.every((file) => file.isEmpty);
  }

  /** How many commits earlier processes have left, for whatever storage; changes nothing. */
  async countLeft(): Promise<number> {
    const paths = await journalFiles(this.#folder);
    if (paths.length === 0) return 0;
    await this.#takeLock();
    let commits = 0;
    for (const path of paths) {
      const file = await JournalFile.open(path, () => undefined);
      commits += file?.commits ?? 0;
      await file?.close();
    }
    return commits;
  }

  /**
   * Opens the journals that earlier processes have left for this storage. Rejects with `storage.locked` when another
   * process has them.
   */
  async openLeft(target: JournalTarget): Promise<void> {
    this.elsewhere = [];
    const paths = await journalFiles(this.#folder);
    if (paths.length === 0) return;
    await this.#takeLock();
    for (const path of paths) {
      const file = await JournalFile.open(path, (line) =>
        this.#onFault?.({
          code: 'storage.corrupt_record',
          record: `journal ${path} line ${line}`,
          message:
            line === 1
              ? `The journal ${path} is damaged where it says which storage it belongs to: the commits in it, which were acknowledged while that was away, cannot be taken over. It is left as it is.`
              : `Line ${line} of the journal ${path} is damaged: a commit that was acknowledged while the storage was away cannot be taken over. The line is kept in ${path}.damaged.`,
        }),
      );
      if (file === undefined) continue;
      const { type, location } = file.header;
      if (type === target.type && location === target.location) this.#files.push(file);
      else {
        if (file.commits > 0) this.elsewhere.push({ type, location });
        await file.close();
      }
    }
    // Those of others are theirs to drain: perhaps by the next storage of this very process.
    if (this.#files.length === 0) await this.#releaseLock();
    await this.#noteOldest();
  }

  /** Calls `written` once the line is on the disk, or `failed` when it cannot be, the last line first. */
  append(line: string, target: JournalTarget, written: () => void, failed: (error: Error) => void): void {
    let file = this.#files.at(-1);
    if (file === undefined) {
      const createdAt = this.#now();
      const id = timeOrderedId(createdAt, this.#makeId);
      file = JournalFile.create(this.#folder, { journal: 1, id, ...target, createdAt }, async () => {
        await this.#takeLock();
      });
      this.#files.push(file);
    }
    if (this.isEmpty) this.#oldestAt = this.#now();
    file.append(line, written, failed);
  }

  /** The oldest commit that is not in the storage was made then. */
  drainedTo(at: number): void {
    this.#oldestAt = at;
  }

  /** Everything is in the storage: nothing is left on the disk. */
  async remove(): Promise<void> {
    while (this.#files[0] !== undefined) {
      await this.#files[0].remove();
      this.#files.shift();
    }
    await this.#releaseLock();
  }

  /** What is not drained stays on the disk, for the next open. */
  async close(): Promise<void> {
    for (const file of this.#files) await file.close();
    this.#files = [];
    await this.#releaseLock();
  }

  async #noteOldest(): Promise<void> {
    for (const file of this.#files) {
      for await (const { commit } of file.undrained()) {
        this.#oldestAt = commit.at;
        return;
      }
    }
  }

  #takeLock(): Promise<Lock> {
    this.#lock ??= lockFolder(this.#folder).catch((error: unknown) => {
      this.#lock = undefined;
      throw error;
    });
    return this.#lock;
  }

  async #releaseLock(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    (await lock)?.release();
  }
}

async function lockFolder(folder: string): Promise<Lock> {
  await makePrivateFolder(folder);
  // Loaded when there is an outage: it brings a native module along.
  const { OwnerLock } = await import('../owner-lock.ts');
  return OwnerLock.take(folder);
}
