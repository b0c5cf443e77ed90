import { join } from 'node:path';
import { fault } from '../../contract/error-codes.ts';
import type { DataIndex, DocumentEntry } from './data-index.ts';
import { documentPath } from './file-names.ts';
import { type ReadValue, ValueReader } from './value-reader.ts';

/** Who keeps files that change, for those who hold versions. */
interface VersionKeeper {
  hold(held: HeldVersions): void;
  release(held: HeldVersions): void;
  /** Resolves when what is being carried out now is, and `kept` was told of it. */
  carriedOutNow(): Promise<void>;
}

/**
 * Reads versions of one moment at leisure. From when it is made until it is ended, files that change are kept by another
 * name, which this is told by `kept`; so it must be ended.
 */
export class HeldVersions {
  /** The folder of the generation. */
  readonly folder: string;
  readonly #store: VersionKeeper;
  readonly #reader = new ValueReader();
  readonly #kept = new Map<string, string[]>();
  #gone = false;

  constructor(store: VersionKeeper, index: DataIndex) {
    this.folder = index.folder;
    this.#store = store;
    store.hold(this);
  }

  /** The value of a version, or undefined when its file is damaged. */
  async valueOf(entry: DocumentEntry): Promise<ReadValue | undefined> {
    const found = this.#find(entry);
    if (found !== undefined) return found;
    // It may just be changing, and where its former bytes are kept not be known yet.
    await this.#store.carriedOutNow();
    return this.#find(entry);
  }

  /** The file of a log as it was, or one that was only appended to since. */
  async logFile(path: string): Promise<string> {
    await this.#store.carriedOutNow();
    this.check();
    return this.#kept.get(path)?.[0] ?? join(this.folder, path);
  }

  kept(path: string, kept: string): void {
    const list = this.#kept.get(path);
    if (list === undefined) this.#kept.set(path, [kept]);
    else list.push(kept);
  }

  /** The files are not there any more, or will not be. */
  lose(): void {
    this.#gone = true;
  }

  /** Throws `storage.failed` when the files are gone. */
  check(): void {
    if (!this.#gone) return;
    throw fault(
      'storage.failed',
      'The snapshot was ended: its generation is gone, or the storage had to recover.',
    );
  }

  end(): void {
    this.#store.release(this);
  }

  #find(entry: DocumentEntry): ReadValue | undefined {
    this.check();
    const found = this.#reader.document(this.folder, entry);
    if (found !== undefined) return found;
    for (const kept of this.#kept.get(documentPath(entry.collection, entry.id)) ?? []) {
      const former = this.#reader.file(kept, entry.crc);
      if (former !== undefined) return former;
    }
    return undefined;
  }
}
