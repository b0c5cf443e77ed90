import type { CheckedOperation } from '../checked-input.ts';

/** Documents that commits under way are changing; contested when there are several, whose order nobody tells us. */
export class ChangingDocuments {
  readonly #changing = new Map<string, { commits: number; contested: boolean }>();

  has(key: string): boolean {
    return this.#changing.has(key);
  }

  begin(operations: readonly CheckedOperation[]): void {
    for (const key of documentKeys(operations)) {
      const changing = this.#changing.get(key);
      if (changing === undefined) this.#changing.set(key, { commits: 1, contested: false });
      else {
        changing.commits += 1;
        changing.contested = true;
      }
    }
  }

  /** Answers those that are not changing any more and were contested. */
  end(operations: readonly CheckedOperation[]): string[] {
    const contested: string[] = [];
    for (const key of documentKeys(operations)) {
      const changing = this.#changing.get(key);
      if (changing === undefined) continue;
      changing.commits -= 1;
      if (changing.commits > 0) continue;
      this.#changing.delete(key);
      if (changing.contested) contested.push(key);
    }
    return contested;
  }
}

function documentKeys(operations: readonly CheckedOperation[]): Set<string> {
  const keys = new Set<string>();
  for (const operation of operations) {
    if (operation.kind === 'put' || operation.kind === 'delete')
      keys.add(`${operation.collection}/${operation.id}`);
  }
  return keys;
}
