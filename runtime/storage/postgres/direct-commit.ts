import { hash } from 'node:crypto';
import {
  type CheckedAppend,
  type CheckedOperation,
  type CheckedPut,
  fieldsFromText,
  MAXIMUM_SEQUENCE,
} from '../checked-input.ts';
import type { CommitId, IndexValue } from '../storage.ts';
import { binaryBytes, binaryNumbers, binaryTexts } from './binary-array.ts';
import type { Carried, NamedCommit } from './commit-arguments.ts';
import {
  type Columns,
  type Count,
  DOCUMENT,
  directStatement,
  ENTRY,
  FIELD,
  LOG,
} from './direct-statement.ts';
import type { KnownDocument, KnownLog, KnownRecords } from './known-records.ts';
import { documentChecksum, entryChecksumsOf, headChecksum, logChecksum } from './record-checksum.ts';
import type { Statement } from './row-query.ts';
import { type SortKey, sortKeyOf } from './sort-key.ts';

interface ChangedDocument {
  before: KnownDocument;
  after: KnownDocument;
  collection: string;
  id: string;
  json: string;
  valueCrc: number;
}

interface ChangedLog extends KnownLog {
  checksum: ReturnType<typeof entryChecksumsOf>;
}

interface ChangedField extends SortKey {
  collection: string;
  id: string;
  field: string;
}

interface CounterRow {
  name: string;
  row: number;
}

interface NewEntry {
  log: string;
  sequence: number;
  crc: number;
  json: string;
}

/**
 * A group of commits of one writer, numbered one after another, worked out by what is known of that which it touches: puts
 * of documents that are there, do not expire and keep which fields they have, and appends to logs that are there.
 */
export class DirectCommit {
  readonly #known: KnownRecords;
  readonly #holder: string;
  readonly #generation: string;
  readonly #first: CommitId;
  readonly #last: CommitId;
  /** It has to be looked whether one of its commits is remembered, for nothing that is known here rules it out. */
  readonly #searches: boolean;
  readonly #at: number;
  readonly #numbers: number[][] = [];
  readonly #documents = new Map<string, ChangedDocument>();
  readonly #logs = new Map<string, ChangedLog>();
  readonly #entries: NewEntry[] = [];

  private constructor(known: KnownRecords, holder: string, first: CommitId, commits: number, at: number) {
    this.#known = known;
    this.#holder = holder;
    this.#generation = known.generation;
    this.#first = first;
    this.#last = { writer: first.writer, number: first.number + commits - 1 };
    this.#searches = !known.isBeyondAll(first);
    this.#at = at;
  }

  /** Undefined when it is more than this, or than what is known. */
  static of(commits: readonly NamedCommit[], known: KnownRecords, at: number): DirectCommit | undefined {
    const { holder } = known;
    const first = commits[0]?.id;
    if (holder === undefined || first === undefined) return undefined;
    // One that may be remembered already: only the functions look for that.
    if (first.number <= (known.number(first.writer) ?? first.number)) return undefined;
    const direct = new DirectCommit(known, holder, first, commits.length, at);
    let { number } = first;
    for (const { operations, id } of commits) {
      if (id.writer !== first.writer || id.number !== number || !direct.#add(operations)) return undefined;
      number += 1;
    }
    return direct;
  }

  /** `after` must have been carried out, or nothing is. */
  toStatement(after: CommitId | undefined): { statement: Statement; values: unknown[] } {
    const [first, last] = [this.#first, this.#last];
    const numbers = this.#numbers.map((own) => own.join(',')).join(';');
    const generation = this.#generation;
    const remembered = [first.writer, first.number, last.number, this.#at, generation, numbers];
    const values: unknown[] = [
      this.#holder,
      first.writer,
      first.number,
      last.number,
      this.#at,
      generation,
      numbers,
      `\\x${hash('sha256', remembered.join(' '))}`,
      this.#known.key,
    ];
    if (after !== undefined) values.push(after.writer, after.number);
    const shape = {
      searches: this.#searches,
      follows: after !== undefined,
      documents: pushRows(values, [...this.#documents.values()], DOCUMENT_PARAMETERS, true),
      fields: pushRows(values, this.#changedFields(), FIELD_PARAMETERS, true),
      logs: pushRows(values, this.#counterRows(), LOG_PARAMETERS, true),
      entries: pushRows(values, this.#entries, ENTRY_PARAMETERS, false),
    };
    return { statement: directStatement(shape), values };
  }

  /** From now on what it writes is taken for what is there. */
  believe(): void {
    this.#known.sent(this.#last);
    for (const { collection, id, after } of this.#documents.values()) {
      this.#known.setDocument(collection, id, after);
    }
    for (const [log, { last, row }] of this.#logs) this.#known.setLog(log, { last, row });
  }

  /** What became of its commits, when it was carried out. */
  carried(): Carried[] {
    if (this.#searches) this.#known.searched(this.#first.writer, this.#holder);
    const generation = this.#generation;
    return this.#numbers.map((numbers) => ({ at: this.#at, generation, again: false, numbers }));
  }

  #add(operations: readonly CheckedOperation[]): boolean {
    const numbers: number[] = [];
    for (const operation of operations) {
      const given =
        operation.kind === 'put'
          ? this.#put(operation)
          : operation.kind === 'append'
            ? this.#append(operation)
            : undefined;
      if (given === undefined) return false;
      numbers.push(given);
    }
    this.#numbers.push(numbers);
    return true;
  }

  #put({ collection, id, json, valueCrc, fields, expectVersion, expiresAt }: CheckedPut): number | undefined {
    const name = `${collection}/${id}`;
    const changed = this.#documents.get(name);
    const before = changed?.after ?? this.#known.documentNamed(name);
    if (before === undefined || expiresAt !== null) return undefined;
    if (expectVersion !== undefined && expectVersion !== before.version) return undefined;
    const index = fields === before.fields ? before.index : fieldsFromText(fields);
    if (!haveSameNames(index, before.index)) return undefined;
    const after = { version: before.version + 1, fields, index };
    if (changed === undefined) this.#documents.set(name, { before, after, collection, id, json, valueCrc });
    else Object.assign(changed, { after, json, valueCrc });
    return after.version;
  }

  #append({ log, json, valueCrc }: CheckedAppend): number | undefined {
    let changed = this.#logs.get(log);
    if (changed === undefined) {
      const before = this.#known.log(log);
      if (before === undefined) return undefined;
      changed = { ...before, checksum: entryChecksumsOf(log) };
      this.#logs.set(log, changed);
    }
    if (changed.last >= MAXIMUM_SEQUENCE) return undefined;
    changed.last += 1;
    const crc = changed.checksum(valueCrc, this.#at, changed.last);
    this.#entries.push({ log, sequence: changed.last, crc, json });
    return changed.last;
  }

  /** Rows of logs that say where these go on; they stay as they are, for the entries say more. */
  #counterRows(): CounterRow[] {
    const rows: CounterRow[] = [];
    for (const [name, { row }] of this.#logs) if (row !== undefined) rows.push({ name, row });
    return rows;
  }

  /** Of the index, those fields that changed. */
  #changedFields(): ChangedField[] {
    const changed: ChangedField[] = [];
    for (const { before, after, collection, id } of this.#documents.values()) {
      if (after.fields === before.fields) continue;
      for (const field of Object.keys(after.index)) {
        const value = after.index[field] as IndexValue;
        if (value !== before.index[field]) changed.push({ collection, id, field, ...sortKeyOf(value) });
      }
    }
    return changed;
  }
}

/** A parameter of a row, and its value. */
interface Parameter<Row> {
  type: Columns[string];
  of: (row: Row) => unknown;
}

function parametersOf<Row, C extends Columns>(
  columns: C,
  values: Record<keyof C, (row: Row) => unknown>,
): Parameter<Row>[] {
  return Object.keys(columns).map((name) => ({
    type: columns[name] as Columns[string],
    of: values[name] as (row: Row) => unknown,
  }));
}

const DOCUMENT_PARAMETERS = parametersOf<ChangedDocument, typeof DOCUMENT>(DOCUMENT, {
  collection: ({ collection }) => collection,
  id: ({ id }) => id,
  version: ({ before }) => before.version,
  head_crc: ({ before }) => headChecksum(before.version),
  next_version: ({ after }) => after.version,
  next_head_crc: ({ after }) => headChecksum(after.version),
  crc: ({ collection, id, after, valueCrc }) =>
    documentChecksum(collection, id, after.fields, null, valueCrc, after.version),
  fields: ({ after }) => after.fields,
  json: ({ json }) => json,
});

const FIELD_PARAMETERS = parametersOf<ChangedField, typeof FIELD>(FIELD, {
  collection: ({ collection }) => collection,
  id: ({ id }) => id,
  field: ({ field }) => field,
  key: ({ key }) => key,
  full_key: ({ full }) => full,
  folded: ({ folded }) => folded,
});

const LOG_PARAMETERS = parametersOf<CounterRow, typeof LOG>(LOG, {
  name: ({ name }) => name,
  last_sequence: ({ row }) => row,
  crc: ({ name, row }) => logChecksum(name, row),
});

const ENTRY_PARAMETERS = parametersOf<NewEntry, typeof ENTRY>(ENTRY, {
  log: ({ log }) => log,
  sequence: ({ sequence }) => sequence,
  crc: ({ crc }) => crc,
  json: ({ json }) => json,
});

function pushRows<Row>(
  values: unknown[],
  rows: readonly Row[],
  parameters: readonly Parameter<Row>[],
  counted: boolean,
): Count {
  const [first] = rows;
  if (first === undefined) return 'none';
  if (rows.length === 1) {
    for (const { of } of parameters) values.push(of(first));
    return 'one';
  }
  for (const { type, of } of parameters) {
    const all = rows.map(of);
    values.push(
      type === 'text'
        ? binaryTexts(all as string[])
        : type === 'bigint'
          ? binaryNumbers(all as number[])
          : binaryBytes(all as (Buffer | null)[]),
    );
  }
  if (counted) values.push(rows.length);
  return 'many';
}

function haveSameNames(index: Record<string, IndexValue>, other: Record<string, IndexValue>): boolean {
  if (index === other) return true;
  const names = Object.keys(index);
  const others = Object.keys(other);
  if (names.length !== others.length) return false;
  for (let i = 0; i < names.length; i++) if (names[i] !== others[i]) return false;
  return true;
}
