import { type CheckedOperation, fieldsFromText } from '../checked-input.ts';
import type { CommitId } from '../storage.ts';
import { numberArray, textArray } from './array-text.ts';
import { type Carried, FieldArrays, type NamedCommit } from './commit-arguments.ts';
import type { KnownRecords } from './known-records.ts';
import { documentChecksum, entryChecksumsOf, logChecksum } from './record-checksum.ts';
import type { Statement } from './row-query.ts';

/** Takes what {@link WriteBatch.toArguments} answers. */
export const WRITE_STATEMENT: Statement = {
  name: 'smalltalk_write',
  text: `SELECT smalltalk_write(${Array.from({ length: 31 }, (_, i) => `$${i + 1}`).join(', ')})`,
};

/** Takes what {@link WriteBatch.toArgumentsOfOne} answers. */
export const WRITE_ONE_STATEMENT: Statement = {
  name: 'smalltalk_write_one',
  text: `SELECT smalltalk_write_one(${Array.from({ length: 23 }, (_, i) => `$${i + 1}`).join(', ')})`,
};

interface LogPart {
  place: number;
  count: number;
  checksum: ReturnType<typeof entryChecksumsOf>;
}

/** Commits as the arrays that the function `smalltalk_write` takes, a set of columns for each table that it writes. */
export class WriteBatch {
  readonly #ends: number[] = [];
  /** Of each operation: the place of its document, or of its log and how many entries further. */
  readonly #documentPlaces: number[] = [];
  readonly #logPlaces: number[] = [];
  readonly #offsets: number[] = [];
  readonly #collections: string[] = [];
  readonly #ids: string[] = [];
  readonly #jsons: string[] = [];
  readonly #expected: (number | undefined)[] = [];
  readonly #expiries: (number | null)[] = [];
  readonly #crcs: number[] = [];
  readonly #fields: string[] = [];
  readonly #shapes: string[] = [];
  readonly #logs = new Map<string, LogPart>();
  readonly #entryLogs: number[] = [];
  readonly #entryOffsets: number[] = [];
  readonly #entryCrcs: number[] = [];
  readonly #entryJsons: string[] = [];
  readonly #index = new FieldArrays();
  readonly #owners: number[] = [];
  /**
   * The index fields as they stand in the text of all fields of a document, between commas. Nothing else in such a text looks
   * like one: a quote behind a comma, with a name behind it, can only begin a name.
   */
  readonly #members: string[] = [];
  readonly #commits: readonly NamedCommit[];
  readonly #at: number;

  private constructor(commits: readonly NamedCommit[], at: number) {
    this.#commits = commits;
    this.#at = at;
  }

  /** Undefined when it is not for `smalltalk_write`: deletes, trims, or documents that are named twice. */
  static of(commits: readonly NamedCommit[], at: number): WriteBatch | undefined {
    const batch = new WriteBatch(commits, at);
    const seen = new Set<string>();
    for (const { operations } of commits) {
      for (const operation of operations) {
        if (operation.kind === 'put') {
          const size = seen.size;
          if (seen.add(`${operation.collection}/${operation.id}`).size === size) return undefined;
        }
        if (!batch.#add(operation)) return undefined;
      }
      batch.#ends.push(batch.#offsets.length);
    }
    return batch;
  }

  /** `holder` names this call. `fresh`: none of them can have been carried out before. `after`: they wait for this one to be carried out. */
  toArguments(holder: string, fresh: boolean, after: CommitId | undefined): unknown[] {
    const logs = [...this.#logs.keys()];
    return [
      holder,
      this.#at,
      fresh,
      after?.writer,
      after?.number,
      textArray(this.#commits.map(({ id }) => id.writer)),
      numberArray(this.#commits.map(({ id }) => id.number)),
      numberArray(this.#ends),
      numberArray(this.#documentPlaces),
      numberArray(this.#logPlaces),
      numberArray(this.#offsets),
      textArray(this.#collections),
      textArray(this.#ids),
      textArray(this.#jsons),
      numberArray(this.#expected),
      numberArray(this.#expiries),
      numberArray(this.#crcs),
      textArray(this.#fields),
      textArray(this.#shapes),
      textArray(logs),
      numberArray(logs.map((log) => logChecksum(log))),
      numberArray(this.#entryLogs),
      numberArray(this.#entryOffsets),
      numberArray(this.#entryCrcs),
      textArray(this.#entryJsons),
      numberArray(this.#owners),
      textArray(this.#members),
      ...this.#index.toArguments(),
    ];
  }

  /** The same for `smalltalk_write_one`; undefined when it is more than that one takes. */
  toArgumentsOfOne(holder: string, fresh: boolean): unknown[] | undefined {
    const [commit, ...others] = this.#commits;
    if (commit === undefined || others.length > 0) return undefined;
    if (this.#offsets.length === 0 || this.#ids.length > 1 || this.#entryJsons.length > 1) return undefined;
    const [log] = this.#logs.keys();
    return [
      holder,
      this.#at,
      fresh,
      commit.id.writer,
      commit.id.number,
      this.#documentPlaces[0] === 0,
      this.#collections[0],
      this.#ids[0],
      this.#jsons[0],
      this.#expected[0],
      this.#expiries[0],
      this.#crcs[0],
      this.#fields[0],
      this.#shapes[0],
      log,
      log === undefined ? undefined : logChecksum(log),
      this.#entryCrcs[0],
      this.#entryJsons[0],
      textArray(this.#members),
      ...this.#index.toArguments(),
    ];
  }

  /** What became of each commit, by the answer of the function; it is what is known from now on. */
  carried(answer: string, holder: string, known: KnownRecords): Carried[] {
    const [key, generation = '', versions = '', counters = '', rows = '', before = ''] = answer.split(' ');
    known.hold(holder, { key: Number(key), generation, before });
    const versionsNow = versions.split(',').map((version) => Number(version) + 1);
    const countersBefore = counters.split(',').map(Number);
    const counterRows = rows.split(',');
    for (const [i, collection] of this.#collections.entries()) {
      const fields = this.#fields[i] as string;
      const document = { version: versionsNow[i] as number, fields, index: fieldsFromText(fields) };
      known.setDocument(
        collection,
        this.#ids[i] as string,
        this.#expiries[i] === null ? document : undefined,
      );
    }
    for (const [log, { place, count }] of this.#logs) {
      const row = counterRows[place - 1] ?? '';
      known.setLog(log, {
        last: (countersBefore[place - 1] as number) + count,
        row: row === '' ? undefined : Number(row),
      });
    }
    let operation = 0;
    return this.#ends.map((end) => {
      const numbers: number[] = [];
      for (; operation < end; operation++) {
        const document = this.#documentPlaces[operation] as number;
        const log = this.#logPlaces[operation] as number;
        numbers.push(
          document > 0
            ? (versionsNow[document - 1] as number)
            : (countersBefore[log - 1] as number) + (this.#offsets[operation] as number),
        );
      }
      return { at: this.#at, generation, again: false, numbers };
    });
  }

  #add(operation: CheckedOperation): boolean {
    if (operation.kind === 'append') this.#append(operation.log, operation.json, operation.valueCrc);
    else if (operation.kind === 'put') {
      const { collection, id, json, valueCrc, fields, expiresAt } = operation;
      this.#collections.push(collection);
      this.#ids.push(id);
      this.#jsons.push(json);
      this.#expected.push(operation.expectVersion);
      this.#expiries.push(expiresAt);
      this.#crcs.push(documentChecksum(collection, id, fields, expiresAt, valueCrc));
      this.#fields.push(fields);
      const place = this.#ids.length;
      if (fields === '') this.#shapes.push('');
      else {
        const index = fieldsFromText(fields);
        this.#shapes.push(Object.keys(index).join(','));
        this.#index.add(index);
        for (const name of Object.keys(index)) {
          this.#owners.push(place);
          this.#members.push(`,${JSON.stringify(name)}:${JSON.stringify(index[name])},`);
        }
      }
      this.#documentPlaces.push(place);
      this.#logPlaces.push(0);
      this.#offsets.push(0);
    } else return false;
    return true;
  }

  #append(name: string, json: string, valueCrc: number): void {
    let log = this.#logs.get(name);
    if (log === undefined) {
      log = { place: this.#logs.size + 1, count: 0, checksum: entryChecksumsOf(name) };
      this.#logs.set(name, log);
    }
    log.count += 1;
    this.#documentPlaces.push(0);
    this.#logPlaces.push(log.place);
    this.#offsets.push(log.count);
    this.#entryLogs.push(log.place);
    this.#entryOffsets.push(log.count);
    this.#entryCrcs.push(log.checksum(valueCrc, this.#at));
    this.#entryJsons.push(json);
  }
}
