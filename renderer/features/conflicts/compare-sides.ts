import type { StorageConflict } from '#contract';
import { formatIso } from '../../lib/format.ts';

/** One field of a document in both versions, as text to be read; undefined where a version does not have it. */
export interface FieldPair {
  readonly field: string;
  readonly mine: string | undefined;
  readonly theirs: string | undefined;
  readonly differs: boolean;
}

/** A field that stands for a value that is no object. */
const WHOLE = 'value';

/** The fields of both versions, those that differ first, otherwise in the order of the document. */
export function compareSides({ mine, theirs }: Pick<StorageConflict, 'mine' | 'theirs'>): FieldPair[] {
  const left = fieldsOf(mine);
  const right = fieldsOf(theirs);
  const pairs = [...new Set([...left.keys(), ...right.keys()])].map((field) => ({
    field,
    mine: left.get(field),
    theirs: right.get(field),
    differs: left.get(field) !== right.get(field),
  }));
  return pairs.toSorted((a, b) => Number(b.differs) - Number(a.differs));
}

/** What a person would call the document: its title or name, otherwise its id. */
export function nameOfDocument({ mine, theirs, documentId }: StorageConflict): string {
  for (const { value } of [mine, theirs]) {
    if (typeof value !== 'object' || value === null) continue;
    for (const field of ['title', 'name'] as const) {
      const name = (value as Record<string, unknown>)[field];
      if (typeof name === 'string' && name !== '') return name;
    }
  }
  return documentId;
}

function fieldsOf({ version, value }: StorageConflict['mine']): Map<string, string> {
  if (version === 0) return new Map();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return new Map([[WHOLE, JSON.stringify(value, null, 2)]]);
  }
  return new Map(Object.entries(value).map(([field, each]) => [field, textOf(field, each)]));
}

/** Times are milliseconds since the epoch, which nobody can read; their fields end in `At`. */
function textOf(field: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value) && field.endsWith('At'))
    return formatIso(value);
  return JSON.stringify(value, null, 2);
}
