import { type CheckedOperation, fieldsFromText } from '../checked-input.ts';
import type { CommitId, IndexValue } from '../storage.ts';
import { booleanArray, bytesArray, numberArray, textArray } from './array-text.ts';
import { OPERATION } from './commit-function.ts';
import { documentChecksum, entryChecksumsOf, logChecksum } from './record-checksum.ts';
import type { Statement } from './row-query.ts';
import { sortKeyOf } from './sort-key.ts';

export interface NamedCommit {
  id: CommitId;
  operations: readonly CheckedOperation[];
}

/** What became of a commit. */
export interface Carried {
  /** The time that its entries were given. */
  at: number;
  /** The id of the generation that it was carried out in. */
  generation: string;
  /** True when it had been carried out before, and this is what it answered then. */
  again: boolean;
  /** A version or sequence for each operation, 0 for those that have none. */
  numbers: number[];
}

/** Takes the {@link commitArguments}. */
export const COMMIT_STATEMENT: Statement = {
  name: 'smalltalk_commit',
  text: `SELECT smalltalk_commit(${Array.from({ length: 22 }, (_, i) => `$${i + 1}`).join(', ')})`,
};

/** Commits as the arrays that the function `smalltalk_commit` takes, in its order; `holder` names this call. */
export function commitArguments(commits: readonly NamedCommit[], at: number, holder: string): unknown[] {
  const ends: number[] = [];
  const guarded: boolean[] = [];
  const kinds: number[] = [];
  const names: string[] = [];
  const ids: string[] = [];
  const jsons: (string | null)[] = [];
  const numbers: (number | undefined)[] = [];
  const expiries: (number | null)[] = [];
  const crcs: number[] = [];
  const fields: string[] = [];
  const logs = new Map<string, { place: number; checksum: ReturnType<typeof entryChecksumsOf> }>();
  const placeOf = (name: string) => {
    let log = logs.get(name);
    if (log === undefined) {
      log = { place: logs.size + 1, checksum: entryChecksumsOf(name) };
      logs.set(name, log);
    }
    return log;
  };
  const logPlaces: number[] = [];
  const fieldEnds: number[] = [];
  const index = new FieldArrays();

  for (const { operations } of commits) {
    let guard = false;
    for (const operation of operations) {
      kinds.push(OPERATION[operation.kind]);
      if (operation.kind === 'put' || operation.kind === 'delete') {
        const { collection, id, expectVersion } = operation;
        names.push(collection);
        ids.push(id);
        numbers.push(expectVersion);
        logPlaces.push(0);
        guard ||= expectVersion !== undefined;
      } else {
        names.push(operation.log);
        ids.push('');
        numbers.push(operation.kind === 'trim' ? operation.through : undefined);
      }
      if (operation.kind === 'put') {
        const { collection, id, json, valueCrc, expiresAt } = operation;
        jsons.push(json);
        fields.push(operation.fields);
        expiries.push(expiresAt);
        crcs.push(documentChecksum(collection, id, operation.fields, expiresAt, valueCrc));
        if (operation.fields !== '') index.add(fieldsFromText(operation.fields));
      } else {
        fields.push('');
        expiries.push(null);
        if (operation.kind === 'append') {
          const log = placeOf(operation.log);
          jsons.push(operation.json);
          crcs.push(log.checksum(operation.valueCrc, at));
          logPlaces.push(log.place);
        } else {
          jsons.push(null);
          crcs.push(0);
          if (operation.kind === 'trim') logPlaces.push(placeOf(operation.log).place);
        }
      }
      fieldEnds.push(index.length);
    }
    ends.push(kinds.length);
    guarded.push(guard);
  }

  const logNames = [...logs.keys()];
  return [
    holder,
    at,
    textArray(commits.map(({ id }) => id.writer)),
    numberArray(commits.map(({ id }) => id.number)),
    numberArray(ends),
    booleanArray(guarded),
    numberArray(kinds),
    textArray(names),
    textArray(ids),
    textArray(jsons),
    numberArray(numbers),
    numberArray(expiries),
    numberArray(crcs),
    textArray(fields),
    numberArray(logPlaces),
    textArray(logNames),
    numberArray(logNames.map((name) => logChecksum(name))),
    numberArray(fieldEnds),
    ...index.toArguments(),
  ];
}

/** Index fields of many documents, column by column. */
export class FieldArrays {
  readonly #names: string[] = [];
  readonly #keys: Buffer[] = [];
  readonly #fulls: (Buffer | null)[] = [];
  readonly #foldeds: (Buffer | null)[] = [];

  get length(): number {
    return this.#names.length;
  }

  add(fields: Record<string, IndexValue>): void {
    for (const name of Object.keys(fields)) {
      const { key, full, folded } = sortKeyOf(fields[name] as IndexValue);
      this.#names.push(name);
      this.#keys.push(key);
      this.#fulls.push(full);
      this.#foldeds.push(folded);
    }
  }

  /** Names, keys, uncut keys, folded texts. */
  toArguments(): string[] {
    return [
      textArray(this.#names),
      bytesArray(this.#keys),
      bytesArray(this.#fulls),
      bytesArray(this.#foldeds),
    ];
  }
}
