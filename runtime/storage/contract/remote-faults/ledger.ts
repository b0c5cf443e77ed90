import { expect } from 'vitest';
import type { CodedError } from '../../../base/errors.ts';
import type { CommitId, Operation, Storage } from '../../storage.ts';
import { recordsOf } from '../fixture.ts';

/**
 * Writers that commit without pause, and what each of their commits was answered: to be compared with what is there in the
 * end. Every commit puts a document and appends an entry, both named by it. Every second writer sends a commit whose fate
 * is not known again by its id, until it knows; the others leave it.
 */
export class Ledger {
  readonly #storage: Storage;
  /** The sequence that each acknowledged commit was given, by the commit's name. */
  readonly #acknowledged = new Map<string, number>();
  readonly #unknown = new Set<string>();
  #ending = false;
  #waiting: { count: number; resolve(): void } | undefined;
  #failed: ((error: unknown) => void) | undefined;
  readonly #failure = new Promise<never>((_resolve, reject) => {
    this.#failed = reject;
  });

  constructor(storage: Storage) {
    this.#storage = storage;
    // Told to those who wait for more; there may be nobody.
    this.#failure.catch(() => undefined);
  }

  /** Resolves when all writers have ended, after `end`. */
  async writeWith(writers: number): Promise<void> {
    try {
      await Promise.all(Array.from({ length: writers }, (_, i) => this.#write(i)));
    } catch (error) {
      this.#failed?.(error);
      throw error;
    }
  }

  end(): void {
    this.#ending = true;
  }

  /** Resolves when so many more commits were acknowledged. */
  untilMore(commits: number): Promise<void> {
    const more = new Promise<void>((resolve) => {
      this.#waiting = { count: this.#acknowledged.size + commits, resolve };
    });
    return Promise.race([more, this.#failure]);
  }

  /** Every acknowledged commit is there once, with its number; every other one whole, and once, or not at all. */
  async compareWith(storage: Storage): Promise<void> {
    const versions = new Map<string, number>();
    const sequences = new Map<string, number[]>();
    for (const record of await recordsOf(storage)) {
      if (record.kind === 'document') versions.set(record.id, record.version);
      if (record.kind !== 'entry') continue;
      const name = JSON.parse(record.json) as string;
      sequences.set(name, [...(sequences.get(name) ?? []), record.sequence]);
    }
    expect(this.#acknowledged.size).toBeGreaterThan(0);
    const lost = [...this.#acknowledged].filter(([name]) => !versions.has(name) || !sequences.has(name));
    const doubled = [...sequences].filter(([name, its]) => its.length > 1 || versions.get(name) !== 1);
    const misnumbered = [...this.#acknowledged].filter(
      ([name, sequence]) => sequences.get(name)?.[0] !== sequence,
    );
    const strange = [...sequences.keys()].filter(
      (name) => !this.#acknowledged.has(name) && !this.#unknown.has(name),
    );
    const half = [...versions.keys()].filter((name) => !sequences.has(name));
    expect({ lost, doubled, misnumbered, strange, half }).toEqual({
      lost: [],
      doubled: [],
      misnumbered: [],
      strange: [],
      half: [],
    });
  }

  async #write(writer: number): Promise<void> {
    for (let i = 0; !this.#ending; i++) await this.#commit(`${writer}-${i}`, writer % 2 === 0);
  }

  async #commit(name: string, insists: boolean): Promise<void> {
    const operations: Operation[] = [
      { kind: 'put', collection: 'values', id: name, value: name },
      { kind: 'append', log: 'events', value: name },
    ];
    let id: CommitId | undefined;
    for (;;) {
      try {
        const [, appended] = await this.#storage.commit(operations, id);
        this.#acknowledge(name, appended?.sequence ?? 0);
        return;
      } catch (error) {
        expect(error).toMatchObject({ code: 'storage.unreachable', data: { commit: expect.anything() } });
        this.#unknown.add(name);
        if (!insists) return;
        id = ((error as CodedError).data as { commit: CommitId }).commit;
      }
    }
  }

  #acknowledge(name: string, sequence: number): void {
    this.#unknown.delete(name);
    this.#acknowledged.set(name, sequence);
    if (this.#waiting === undefined || this.#acknowledged.size < this.#waiting.count) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }
}
