import { fault } from '../contract/error-codes.ts';

const FIELD = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** Throws `storage.invalid`. */
export function checkField(field: string): void {
  if (typeof field !== 'string' || !FIELD.test(field)) {
    throw fault('storage.invalid', `${JSON.stringify(field)} is not the name of an index field.`);
  }
}

/** The names of index fields that were given together, checked and put in order. */
interface FieldNames {
  given: readonly string[];
  sorted: readonly string[];
  /** What stands in the text before the value of each of the sorted. */
  before: readonly string[];
}

/** By the first that was given: what begins alike is mostly of one collection, whose documents have the same fields. */
const fieldNames = new Map<string, FieldNames>();
const MAXIMUM_FIELD_NAMES = 256;
/** More than so many at once are not remembered. */
const MANY_NAMES = 64;

/** Throws `storage.invalid`. */
export function fieldNamesOf(given: string[]): FieldNames {
  const [first = ''] = given;
  const known = fieldNames.get(first);
  if (known !== undefined && isSame(known.given, given)) return known;
  const inOrder = given.toSorted();
  for (const name of inOrder) checkField(name);
  // No character of a name is written otherwise in JSON.
  const before = inOrder.map((name, i) => `${i === 0 ? '{' : ','}"${name}":`);
  const names = { given, sorted: inOrder, before };
  if (given.length > MANY_NAMES) return names;
  if (fieldNames.size >= MAXIMUM_FIELD_NAMES) fieldNames.clear();
  fieldNames.set(first, names);
  return names;
}

function isSame(names: readonly string[], others: readonly string[]): boolean {
  if (names.length !== others.length) return false;
  for (let i = 0; i < names.length; i++) if (names[i] !== others[i]) return false;
  return true;
}
