import { messageOf } from '../base/errors.ts';
import { fault } from '../contract/error-codes.ts';
import { valueChecksum } from './checksum.ts';
import { checkField, fieldNamesOf } from './field-names.ts';
import type {
  AppendOperation,
  CommitId,
  Filter,
  IndexValue,
  ListQuery,
  Operation,
  OperationResult,
  PutOperation,
  ReadQuery,
  SnapshotRecord,
} from './storage.ts';

const MAXIMUM_OPERATIONS = 10_000;
const MAXIMUM_LIST = 1_000;
const MAXIMUM_READ = 10_000;
const DEFAULT_READ = 1_000;
/** Values in one `in` filter. */
const MAXIMUM_IN = 1_000;
/** Characters of JSON in one value. SQLite holds 1 GB a row, and a character may take three bytes. */
const MAXIMUM_VALUE = 256 * 1024 * 1024;
/** The greatest number that an entry can have: 2^38 − 1, nine years at a thousand a second. */
export const MAXIMUM_SEQUENCE = 2 ** 38 - 1;

/** A put whose value and index fields are text already: what the adapters work with. */
export interface CheckedPut {
  kind: 'put';
  collection: string;
  id: string;
  json: string;
  valueCrc: number;
  /** The index fields as a JSON object, or '' when there are none. */
  fields: string;
  expectVersion: number | undefined;
  expiresAt: number | null;
}

export interface CheckedDelete {
  kind: 'delete';
  collection: string;
  id: string;
  expectVersion: number | undefined;
}

export interface CheckedAppend {
  kind: 'append';
  log: string;
  json: string;
  valueCrc: number;
}

export interface CheckedTrim {
  kind: 'trim';
  log: string;
  through: number;
}

export type CheckedOperation = CheckedPut | CheckedDelete | CheckedAppend | CheckedTrim;

/** Instead of the checksums of the values, for an adapter whose records carry another one. */
export const UNSUMMED = (): number => 0;

/**
 * Checks what a caller commits and turns the values into text, each with the checksum that `sum` makes of it; throws
 * `storage.invalid`.
 */
export function checkOperations(
  operations: Operation[],
  sum: (json: string) => number = valueChecksum,
): CheckedOperation[] {
  if (!Array.isArray(operations)) throw invalid('A commit takes a list of operations.');
  if (operations.length > MAXIMUM_OPERATIONS) {
    throw invalid(`A commit takes at most ${MAXIMUM_OPERATIONS} operations, not ${operations.length}.`);
  }
  const checked: CheckedOperation[] = [];
  for (const operation of operations) checked.push(checkOperation(operation, sum));
  return checked;
}

function checkOperation(operation: Operation, sum: (json: string) => number): CheckedOperation {
  switch (operation.kind) {
    case 'put': {
      const { collection, id, expectVersion, expiresAt } = operation;
      checkKey(collection, id);
      checkExpectation(expectVersion);
      if (expiresAt !== undefined && !Number.isSafeInteger(expiresAt)) {
        throw invalid('The expiry must be whole milliseconds since the epoch.');
      }
      const json = toJson(operation);
      return {
        kind: 'put',
        collection,
        id,
        json,
        valueCrc: sum(json),
        fields: operation.index === undefined ? '' : fieldsToText(operation.index),
        expectVersion,
        expiresAt: expiresAt ?? null,
      };
    }
    case 'delete':
      checkKey(operation.collection, operation.id);
      checkExpectation(operation.expectVersion);
      return {
        kind: 'delete',
        collection: operation.collection,
        id: operation.id,
        expectVersion: operation.expectVersion,
      };
    case 'append': {
      checkLog(operation.log);
      const json = toJson(operation);
      return { kind: 'append', log: operation.log, json, valueCrc: sum(json) };
    }
    case 'trim':
      checkLog(operation.log);
      if (!Number.isSafeInteger(operation.through) || operation.through < 0) {
        throw invalid('A log is trimmed through a whole number that is not negative.');
      }
      return { kind: 'trim', log: operation.log, through: operation.through };
    default:
      throw invalid(`There is no operation ${JSON.stringify((operation as { kind?: unknown }).kind)}.`);
  }
}

const WRITER = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Answers a copy, for whoever needs the id longer than the call takes: the caller may go on with its own, and one that has
 * changed would carry the commit out twice. Throws `storage.invalid`.
 */
export function checkCommitId(id: CommitId | undefined): CommitId | undefined {
  if (id === undefined) return undefined;
  const { writer, number } = id;
  if (typeof writer !== 'string' || !WRITER.test(writer)) {
    throw invalid('The writer of a commit is named by 1 to 64 letters, digits, dashes and underscores.');
  }
  if (!Number.isSafeInteger(number) || number < 1) {
    throw invalid('The commits of a writer are numbered from 1.');
  }
  return { writer, number };
}

/** What a commit answers, from the numbers that its operations were given. */
export function toResults(operations: readonly CheckedOperation[], numbers: number[]): OperationResult[] {
  return operations.map((operation, i) => {
    if (operation.kind === 'put') return { version: numbers[i] as number };
    return operation.kind === 'append' ? { sequence: numbers[i] as number } : {};
  });
}

export function checkKey(collection: string, id: string): void {
  checkCollection(collection);
  checkId(id);
}

const NAME = /^[a-z_]{1,64}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const CONTROL = /[\0-\x1f\x7f-\x9f]/;

function checkCollection(collection: string): void {
  if (typeof collection !== 'string' || !NAME.test(collection)) {
    throw invalid(`${JSON.stringify(collection)} is not the name of a collection (a to z and _).`);
  }
}

function checkId(id: string): void {
  if (typeof id !== 'string' || id.length < 1 || id.length > 256 || CONTROL.test(id) || !id.isWellFormed()) {
    throw invalid(
      `${JSON.stringify(id)?.slice(0, 300)} is not an id (1 to 256 characters, no control characters).`,
    );
  }
}

/** What it matches is the name of a log if it has no control characters and is well-formed. */
const LOG = /^[a-z_]{1,64}(?:\/.{1,256})?$/s;

function checkLog(log: string): void {
  if (typeof log === 'string' && LOG.test(log) && !CONTROL.test(log) && log.isWellFormed()) return;
  const [family, slash, key] = typeof log === 'string' ? splitOnce(log, '/') : ['', '', ''];
  if (!NAME.test(family)) {
    throw invalid(
      `${JSON.stringify(log)} is not the name of a log (a to z and _, then perhaps / and a key).`,
    );
  }
  if (slash !== '') checkId(key);
}

function splitOnce(text: string, separator: string): [string, string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, '', ''] : [text.slice(0, at), separator, text.slice(at + separator.length)];
}

function checkExpectation(version: number | undefined): void {
  if (version !== undefined && (!Number.isSafeInteger(version) || version < 0)) {
    throw invalid('The expected version must be a whole number that is not negative.');
  }
}

function toJson(operation: PutOperation | AppendOperation): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(operation.value);
  } catch (error) {
    throw invalid(`The value of ${nameOf(operation)} cannot be held as JSON: ${messageOf(error)}`);
  }
  if (json === undefined) {
    throw invalid(`The value of ${nameOf(operation)} is ${typeof operation.value}, which JSON cannot hold.`);
  }
  if (json.length > MAXIMUM_VALUE) {
    throw invalid(`The value of ${nameOf(operation)} is larger than ${MAXIMUM_VALUE} characters.`);
  }
  return json;
}

const nameOf = (operation: PutOperation | AppendOperation): string =>
  operation.kind === 'put' ? `${operation.collection}/${operation.id}` : operation.log;

/** An index value in the form in which it is kept and compared: well-formed text, and no negative zero. */
function checkIndexValue(value: IndexValue): IndexValue {
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed();
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalid(`An index field is text or a finite number, not ${String(value)}.`);
  }
  return value === 0 ? 0 : value;
}

/** Text that is well-formed, and that JSON writes as it is. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

function indexValueText(value: IndexValue): string {
  if (typeof value === 'string' && PLAIN.test(value)) return `"${value}"`;
  const checked = checkIndexValue(value);
  return typeof checked === 'string' ? JSON.stringify(checked) : `${checked}`;
}

/** Index fields as text, in the order of their names, so that equal fields are equal text. */
export function fieldsToText(index: Record<string, IndexValue>): string {
  const given = Object.keys(index);
  if (given.length === 0) return '';
  const { sorted, before } = fieldNamesOf(given);
  let text = '';
  for (let i = 0; i < sorted.length; i++) {
    text += (before[i] as string) + indexValueText(index[sorted[i] as string] as IndexValue);
  }
  return `${text}}`;
}

export function fieldsFromText(fields: string): Record<string, IndexValue> {
  return fields === '' ? {} : (JSON.parse(fields) as Record<string, IndexValue>);
}

/** The value of a field, never one that the object inherits. */
export function fieldOf(index: Record<string, IndexValue>, field: string): IndexValue | undefined {
  return Object.hasOwn(index, field) ? index[field] : undefined;
}

/** Checks a list query and brings its values into the form in which they are compared. */
export function checkListQuery(collection: string, query: ListQuery): ListQuery {
  checkCollection(collection);
  const { limit, where, orderBy, cursor } = query;
  checkLimit(limit, MAXIMUM_LIST);
  if (cursor !== undefined && typeof cursor !== 'string') throw invalid('The cursor is not valid.');
  return {
    limit,
    ...(where === undefined ? {} : { where: where.map(checkFilter) }),
    ...(orderBy === undefined ? {} : { orderBy: checkOrder(orderBy) }),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

function checkOrder({ field, direction }: NonNullable<ListQuery['orderBy']>): ListQuery['orderBy'] {
  checkField(field);
  if (direction !== 'ascending' && direction !== 'descending') {
    throw invalid('The direction is "ascending" or "descending".');
  }
  return { field, direction };
}

function checkFilter(filter: Filter): Filter {
  const { field } = filter;
  checkField(field);
  if ('is' in filter) return { field, is: checkIndexValue(filter.is) };
  if ('isNot' in filter) return { field, isNot: checkIndexValue(filter.isNot) };
  if ('in' in filter && Array.isArray(filter.in)) {
    if (filter.in.length > MAXIMUM_IN) throw invalid(`A filter takes at most ${MAXIMUM_IN} values.`);
    return { field, in: filter.in.map(checkIndexValue) };
  }
  if ('contains' in filter && typeof filter.contains === 'string') {
    return { field, contains: filter.contains.toWellFormed() };
  }
  if ('from' in filter) {
    const from = checkIndexValue(filter.from);
    return filter.below === undefined
      ? { field, from }
      : { field, from, below: checkIndexValue(filter.below) };
  }
  throw invalid(`The filter on ${field} is none of is, in, isNot, contains, from.`);
}

export interface CheckedRead {
  after: number;
  /** Exclusive, too. */
  before: number;
  limit: number;
  reverse: boolean;
}

export function checkReadQuery(log: string, query: ReadQuery): CheckedRead {
  checkLog(log);
  const { after = 0, before = MAXIMUM_SEQUENCE + 1, limit = DEFAULT_READ, reverse = false } = query;
  checkLimit(limit, MAXIMUM_READ);
  if (!Number.isSafeInteger(after) || !Number.isSafeInteger(before)) {
    throw invalid('Sequences are whole numbers.');
  }
  const clamp = (sequence: number) => Math.min(Math.max(sequence, 0), MAXIMUM_SEQUENCE + 1);
  return { after: clamp(after), before: clamp(before), limit, reverse };
}

function checkLimit(limit: number, maximum: number): void {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > maximum) {
    throw invalid(`The limit must be a whole number from 1 to ${maximum}, not ${limit}.`);
  }
}

/**
 * Checks records that come from outside (an archive) before they go into a generation; remembers the log that it is in,
 * because entries must follow theirs. Throws `storage.invalid`.
 */
export class SnapshotRecordCheck {
  #log: { name: string; lastSequence: number; previous: number } | undefined;

  check(record: SnapshotRecord): void {
    switch (record.kind) {
      case 'document':
        checkKey(record.collection, record.id);
        checkJsonText(record.json, `${record.collection}/${record.id}`);
        checkCount(record.version, 1, Number.MAX_SAFE_INTEGER, 'version');
        if (record.expiresAt !== undefined) {
          checkCount(record.expiresAt, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 'expiry');
        }
        return;
      case 'log':
        checkLog(record.log);
        checkCount(record.lastSequence, 0, MAXIMUM_SEQUENCE, 'last sequence');
        this.#log = { name: record.log, lastSequence: record.lastSequence, previous: 0 };
        return;
      case 'entry': {
        const log = this.#log;
        if (log?.name !== record.log) throw invalid(`An entry of ${record.log} stands outside of its log.`);
        checkCount(record.sequence, log.previous + 1, log.lastSequence, 'sequence');
        checkCount(record.at, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 'time');
        checkJsonText(record.json, `${record.log}#${record.sequence}`);
        log.previous = record.sequence;
        return;
      }
      default:
        throw invalid(`There is no record ${JSON.stringify((record as { kind?: unknown }).kind)}.`);
    }
  }
}

function checkCount(value: number, least: number, most: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw invalid(`${String(value)} is not a ${what} from ${least} to ${most}.`);
  }
}

function checkJsonText(json: string, where: string): void {
  if (typeof json !== 'string' || json.length > MAXIMUM_VALUE || !json.isWellFormed()) {
    throw invalid(`The value of ${where} is not text that can be held.`);
  }
  try {
    JSON.parse(json);
  } catch (error) {
    throw invalid(`The value of ${where} is not JSON: ${messageOf(error)}`);
  }
}

function invalid(message: string) {
  return fault('storage.invalid', message);
}
