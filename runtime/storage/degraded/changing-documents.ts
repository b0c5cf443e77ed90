import type { CheckedOperation } from '../checked-input.ts';

type Operations = readonly CheckedOperation[];

/** Documents that are not changing any more and are kept for when they change again, at most. */
const MAXIMUM_AT_REST = 1_000;

interface Changing {
  /** Of commits under way that change it. */
  operations: number;
  /** The last commit that began to, until it ends. */
  commit: Operations | undefined;
  contested: boolean;
}

/** Documents that commits under way are changing; contested when there are several, whose order nobody tells us. */
export class ChangingDocuments {
  /** By collection and id. Not taken out at once: see `Chain`; and most that have changed soon do so again. */
  readonly #documents = new Map<string, Map<string, Changing>>();
  #atRest = 0;

  has(collection: string, id: string): boolean {
    const changing = this.#documents.get(collection)?.get(id);
    return changing !== undefined && changing.operations > 0;
  }

  begin(commit: Operations): void {
    for (const operation of commit) {
      if (operation.kind !== 'put' && operation.kind !== 'delete') continue;
      const changing = this.#of(operation.collection, operation.id);
      if (changing.operations === 0) this.#atRest -= 1;
      else if (changing.commit !== commit) changing.contested = true;
      changing.operations += 1;
      changing.commit = commit;
    }
  }

  /** Calls `contested` for each document that is not changing any more and was contested. */
  end(commit: Operations, contested: (collection: string, id: string) => void): void {
    for (const operation of commit) {
      if (operation.kind !== 'put' && operation.kind !== 'delete') continue;
      const { collection, id } = operation;
      const changing = this.#documents.get(collection)?.get(id);
      if (changing === undefined || changing.operations === 0) continue;
      changing.operations -= 1;
      if (changing.operations > 0) continue;
      this.#atRest += 1;
      changing.commit = undefined;
      if (changing.contested) contested(collection, id);
      changing.contested = false;
    }
    if (this.#atRest > MAXIMUM_AT_REST) this.#forgetAtRest();
  }

  #of(collection: string, id: string): Changing {
    let documents = this.#documents.get(collection);
    if (documents === undefined) {
      documents = new Map();
      this.#documents.set(collection, documents);
    }
    let changing = documents.get(id);
    if (changing === undefined) {
      changing = { operations: 0, commit: undefined, contested: false };
      documents.set(id, changing);
      this.#atRest += 1;
    }
    return changing;
  }

  #forgetAtRest(): void {
    for (const [collection, documents] of this.#documents) {
      for (const [id, { operations }] of documents) if (operations === 0) documents.delete(id);
      if (documents.size === 0) this.#documents.delete(collection);
    }
    this.#atRest = 0;
  }
}
