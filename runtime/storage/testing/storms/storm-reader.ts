import { isCoded } from '../../../base/errors.ts';
import { fault } from '../../../contract/error-codes.ts';
import { DegradedStorage } from '../../degraded.ts';
import type { ListPage, ListQuery, LogEntry, ReadQuery, Storage, StoredDocument } from '../../storage.ts';

export type Reader = Pick<Storage, 'get' | 'list' | 'read'>;

/**
 * Reads as the product does, over what keeps a storage usable while it is away. What that answers then comes from its memory, where
 * it may be older than what others have written meanwhile: that counts as no answer.
 */
export class StormReader implements Reader {
  readonly storage: DegradedStorage;
  #changes = 0;

  /** `folder`: of its own. */
  constructor(storage: Storage, folder: string) {
    this.storage = new DegradedStorage({
      storage,
      folder,
      onModeChange: () => {
        this.#changes += 1;
      },
    });
  }

  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined> {
    return this.#whileThere(() => this.storage.get<T>(collection, id));
  }

  list<T>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    return this.#whileThere(() => this.storage.list<T>(collection, query));
  }

  read<T>(log: string, query?: ReadQuery): Promise<LogEntry<T>[]> {
    return this.#whileThere(() => this.storage.read<T>(log, query));
  }

  async #whileThere<T>(call: () => Promise<T>): Promise<T> {
    const before = this.#changes;
    if (this.storage.mode().state === 'normal') {
      try {
        const answer = await call();
        if (before === this.#changes) return answer;
      } catch (error) {
        if (!isCoded(error, 'storage.not_known_now')) throw error;
      }
    }
    throw fault('storage.unreachable', 'The storage is away, and what is remembered of it does not count.', {
      location: 'storm',
    });
  }
}
