import { type CheckedOperation, fieldsFromText } from '../checked-input.ts';
import type { CommitId, IndexValue } from '../storage.ts';

/** A document as it was last written, and nothing of one that expires. */
export interface KnownDocument {
  version: number;
  /** The text of its index fields. */
  fields: string;
  index: Record<string, IndexValue>;
}

export interface KnownLog {
  /** The number of its last entry, also when that is gone. */
  last: number;
  /** What its row says, if it has one. */
  row: number | undefined;
}

/** Where a call of the server's functions left the tables. */
export interface Held {
  /** The key and the id of the generation that it was carried out in. */
  key: number;
  generation: string;
  /** The call that wrote before it. */
  before: string;
}

const MAXIMUM_RECORDS = 20_000;
/** Characters of the index fields of a document; more are not kept here, for index values may be of any length. */
const MAXIMUM_FIELDS = 4_096;
/** Writers; there is one, and perhaps that of an earlier process whose journal is drained. */
const MAXIMUM_WRITERS = 4;

/**
 * What this process left in the tables when it wrote last. It is believed for as long as nobody else writes: each call of a
 * function of the server leaves its name in `smalltalk_holder`, and a statement that goes by what is known here first sees to
 * it that the name is still there. What others change without such a call, by a fault, is told by what they changed.
 */
export class KnownRecords {
  readonly #documents = new Map<string, KnownDocument>();
  readonly #logs = new Map<string, KnownLog>();
  /** By writer, the greatest number of its commits that was carried out here, and never before. */
  readonly #numbers = new Map<string, number>();
  #holder: string | undefined;
  #key = 0;
  #generation = '';
  /** The writer whose commits were sent last by what is known here, and their greatest number. */
  #sent: { writer: string; last: number; searched: boolean } | undefined;

  /** The name that must be in the tables; undefined when nothing is known. */
  get holder(): string | undefined {
    return this.#holder;
  }

  get key(): number {
    return this.#key;
  }

  get generation(): string {
    return this.#generation;
  }

  document(collection: string, id: string): KnownDocument | undefined {
    return this.documentNamed(`${collection}/${id}`);
  }

  /** The same by the name `<collection>/<id>`. */
  documentNamed(name: string): KnownDocument | undefined {
    return this.#documents.get(name);
  }

  log(name: string): KnownLog | undefined {
    return this.#logs.get(name);
  }

  number(writer: string): number | undefined {
    return this.#numbers.get(writer);
  }

  /**
   * True when no commit of this writer can be remembered that has this number or a greater one: such were looked for, and
   * since then nobody else has written, and this process no further than `sent` tells.
   */
  isBeyondAll({ writer, number }: CommitId): boolean {
    return this.#sent?.searched === true && this.#sent.writer === writer && number > this.#sent.last;
  }

  /** The last commit of a group that is on its way, by what is known here. */
  sent({ writer, number }: CommitId): void {
    if (this.#sent?.writer !== writer) this.#sent = { writer, last: number, searched: false };
    else this.#sent.last = Math.max(number, this.#sent.last);
  }

  /** A group of this writer was carried out that would not have been if a commit with its numbers or greater ones had been remembered. */
  searched(writer: string, holder: string): void {
    if (this.#holder === holder && this.#sent?.writer === writer) this.#sent.searched = true;
  }

  /** A call of this process has written, and left its name. What was known stays so if it wrote last before, too. */
  hold(holder: string, { key, generation, before }: Held): void {
    if (before !== this.#holder) this.lose();
    this.#holder = holder;
    this.#key = key;
    this.#generation = generation;
  }

  setDocument(collection: string, id: string, known: KnownDocument | undefined): void {
    const kept = known !== undefined && known.fields.length <= MAXIMUM_FIELDS ? known : undefined;
    set(this.#documents, `${collection}/${id}`, kept, MAXIMUM_RECORDS);
  }

  setLog(name: string, known: KnownLog | undefined): void {
    set(this.#logs, name, known, MAXIMUM_RECORDS);
  }

  /** Operations that were carried out, in their order, and the number that each was answered. */
  learn(operations: readonly CheckedOperation[], numbers: readonly number[]): void {
    for (const [i, operation] of operations.entries()) {
      const number = numbers[i] as number;
      if (operation.kind === 'append') {
        const known = this.#logs.get(operation.log);
        if (known !== undefined) this.setLog(operation.log, { ...known, last: number });
      } else if (operation.kind === 'trim') this.setLog(operation.log, undefined);
      else if (operation.kind === 'put') {
        const { collection, id, fields, expiresAt } = operation;
        const index = fieldsFromText(fields);
        this.setDocument(collection, id, expiresAt === null ? { version: number, fields, index } : undefined);
      } else if (operation.kind === 'delete') this.setDocument(operation.collection, operation.id, undefined);
    }
  }

  /** A commit that was carried out here, and never before. */
  setNumber({ writer, number }: CommitId): void {
    const greatest = Math.max(number, this.#numbers.get(writer) ?? 0);
    set(this.#numbers, writer, greatest, MAXIMUM_WRITERS);
  }

  /** Something was not as it was believed to be. */
  lose(): void {
    this.#holder = undefined;
    this.#sent = undefined;
    this.#documents.clear();
    this.#logs.clear();
  }
}

/**
 * The one that came first gives way. One that is known stays in its place: a map that is taken from and added to with every
 * commit is made anew again and again, and each former one keeps the next, with all that it held, from being collected.
 */
function set<T>(map: Map<string, T>, key: string, value: T | undefined, most: number): void {
  if (value === undefined) {
    map.delete(key);
    return;
  }
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  map.delete(oldest as string);
}
